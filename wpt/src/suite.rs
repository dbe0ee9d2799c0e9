//! Finds the pages of a checkout: which files are tests, and in which variants.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::html::Html;

/// A test file in one variant and form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// The path below the root of the suite, with the name that the suite's server gives the page:
    /// `websockets/Close-1000.any.html`.
    pub path: String,
    /// The query with its question mark, or an empty text.
    pub variant: String,
    /// Whether the page asks for a minute in place of ten seconds.
    pub is_long: bool,
    pub source: Source,
}

/// Where the scripts of a page are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The `script` elements of an HTML document.
    Html,
    /// A script file, and before it the files that its `META: script=` comments name.
    Script {
        /// The path below the root of the suite.
        path: String,
        includes: Vec<String>,
        /// Whether the file is also run in other kinds of globals.
        is_any: bool,
    },
    /// A script that a worker of the page runs, as the suite's server makes it.
    Worker {
        /// The path below the root of the suite.
        path: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Form {
    /// The test runs in a page.
    Window,
    /// The test runs in a dedicated worker of a page.
    Worker,
}

/// How the suite serves a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Scheme {
    Http,
    Https,
    H2,
}

impl Page {
    /// The name of the page for people: the path below [`FOLDER`] with the variant.
    pub(crate) fn name(&self) -> String {
        let path = self.path.strip_prefix(FOLDER).unwrap_or(&self.path);
        format!("{}{}", path.trim_start_matches('/'), self.variant)
    }

    /// Whether the name contains `pattern` or, if the pattern has a `*`, matches it as a whole.
    pub(crate) fn matches(&self, pattern: &str) -> bool {
        match pattern.contains('*') {
            true => matches(pattern, &self.name()),
            false => self.name().contains(pattern),
        }
    }

    pub(crate) fn scheme(&self) -> Scheme {
        let flags = self.variant.trim_start_matches('?').split('&');
        let flags: Vec<&str> = flags
            .filter_map(|it| it.strip_prefix("wpt_flags="))
            .collect();
        if flags.contains(&"h2") || self.path.contains(".h2.") {
            Scheme::H2
        } else if flags.contains(&"https") || self.path.contains(".https.") {
            Scheme::Https
        } else {
            Scheme::Http
        }
    }

    /// The host of the page. A page about mixed content cannot have a loopback address, because
    /// there is no mixed content then. Such a page makes no connection.
    pub(crate) fn host(&self) -> &'static str {
        match self.path.contains("mixed-content") {
            true => "web-platform.test",
            false => "localhost",
        }
    }
}

/// The pages of the suite in `root` that need no document, in the order of their
/// names.
///
/// # Errors
/// If `root` is not a checkout, or cannot be read.
pub(crate) fn pages(root: &Path, form: Form) -> io::Result<Vec<Page>> {
    let start = root.join(FOLDER);
    if !start.is_dir() || !root.join("tools/serve").is_dir() {
        return Err(io::Error::other(format!(
            "{} is no checkout of web-platform-tests: it has no {FOLDER}/ or no tools/serve/",
            root.display()
        )));
    }
    let skipped = skipped();
    let mut pages = Vec::new();
    for path in files(&start)? {
        let relative = path
            .strip_prefix(root)
            .map_err(io::Error::other)?
            .to_string_lossy()
            .into_owned();
        pages.extend(pages_of(&relative, &fs::read(&path)?, form));
    }
    pages.retain(|page| {
        let path = page.path.strip_prefix(FOLDER).unwrap_or(&page.path);
        let path = path.trim_start_matches('/');
        !skipped.iter().any(|pattern| matches(pattern, path))
    });
    pages.sort_by_key(Page::name);
    Ok(pages)
}

/// The part of the suite that is run.
pub(crate) const FOLDER: &str = "websockets";

fn files(start: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = VecDeque::from([start.to_owned()]);
    while let Some(folder) = folders.pop_front() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if !path.is_dir() {
                files.push(path);
            } else if !["handlers", "resources", "support"].contains(&&*name) {
                folders.push_back(path);
            }
        }
    }
    Ok(files)
}

/// The pages that the suite makes of one file. There are none if the file is not a test of this
/// form.
fn pages_of(path: &str, content: &[u8], form: Form) -> Vec<Page> {
    let (path, source, variants, is_long) = if form == Form::Worker {
        let meta = Meta::read(content);
        let stem = match (
            path.strip_suffix(".any.js"),
            path.strip_suffix(".worker.js"),
        ) {
            (Some(stem), _) if meta.is_for("dedicatedworker") => format!("{stem}.any.worker"),
            (_, Some(stem)) => format!("{stem}.worker"),
            _ => return Vec::new(),
        };
        let source = Source::Worker {
            path: format!("{stem}.js"),
        };
        (format!("{stem}.html"), source, meta.variants, meta.is_long)
    } else if let Some(stem) = path.strip_suffix(".any.js") {
        let meta = Meta::read(content);
        if !meta.is_for("window") {
            return Vec::new();
        }
        let source = meta.source(path, true);
        (
            format!("{stem}.any.html"),
            source,
            meta.variants,
            meta.is_long,
        )
    } else if let Some(stem) = path.strip_suffix(".window.js") {
        let meta = Meta::read(content);
        let source = meta.source(path, false);
        (
            format!("{stem}.window.html"),
            source,
            meta.variants,
            meta.is_long,
        )
    } else if path.ends_with(".html") {
        let html = Html::parse(content);
        if !html.uses_harness() {
            return Vec::new();
        }
        (
            path.to_owned(),
            Source::Html,
            html.variants(),
            html.is_long(),
        )
    } else {
        return Vec::new();
    };
    let variants = match variants.is_empty() {
        true => vec![String::new()],
        false => variants,
    };
    let page = |variant| Page {
        path: path.clone(),
        variant,
        is_long,
        source: source.clone(),
    };
    variants.into_iter().map(page).collect()
}

/// The `// META: key=value` comments at the top of a script.
#[derive(Default)]
struct Meta {
    globals: Option<String>,
    includes: Vec<String>,
    variants: Vec<String>,
    is_long: bool,
}

impl Meta {
    fn read(content: &[u8]) -> Meta {
        let mut meta = Meta::default();
        let content = String::from_utf8_lossy(content);
        for line in content.lines() {
            let Some(comment) = line.strip_prefix("//") else {
                break;
            };
            let Some((key, value)) = comment
                .trim_start()
                .strip_prefix("META:")
                .and_then(|it| it.trim().split_once('='))
            else {
                continue;
            };
            match key {
                "global" => meta.globals = Some(value.to_owned()),
                "script" => meta.includes.push(value.to_owned()),
                "variant" => meta.variants.push(value.to_owned()),
                "timeout" => meta.is_long = value == "long",
                _ => {}
            }
        }
        meta
    }

    /// Whether the script is for this kind of global. Without a comment, a script is for windows
    /// and dedicated workers.
    fn is_for(&self, global: &str) -> bool {
        match &self.globals {
            Some(globals) => globals
                .split(',')
                .map(str::trim)
                .any(|it| it == global || it == "worker" && global == "dedicatedworker"),
            None => ["window", "dedicatedworker"].contains(&global),
        }
    }

    fn source(&self, path: &str, is_any: bool) -> Source {
        Source::Script {
            path: path.to_owned(),
            includes: self.includes.clone(),
            is_any,
        }
    }
}

/// The patterns in `skipped.txt`.
fn skipped() -> Vec<&'static str> {
    include_str!("../skipped.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_whitespace().next())
        .collect()
}

/// Whether `pattern` matches all of `text`. In the pattern, `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(rest) = text.strip_prefix(head) else {
        return false;
    };
    (0..=rest.len())
        .filter(|&start| rest.is_char_boundary(start))
        .any(|start| matches(tail, &rest[start..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text) in [
            ("a", "a"),
            ("*", ""),
            ("a*", "abc"),
            ("*c", "abc"),
            ("a*b*d", "aXbbYd"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a", "ab"), ("a*c", "ab"), ("", "a")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn a_script_becomes_pages() {
        let script = b"// META: script=constants.sub.js\n// META: timeout=long\n\
            // META: variant=?default\n// META: variant=?wpt_flags=h2\n\ntest();\n\
            // META: variant=?late\n";
        let pages = pages_of("websockets/a/b.any.js", script, Form::Window);
        let names: Vec<String> = pages.iter().map(Page::name).collect();
        assert_eq!(names, ["a/b.any.html?default", "a/b.any.html?wpt_flags=h2"]);
        assert!(pages.iter().all(|page| page.is_long));
        assert_eq!(pages[0].scheme(), Scheme::Http);
        assert_eq!(pages[1].scheme(), Scheme::H2);
        let Source::Script {
            includes, is_any, ..
        } = &pages[0].source
        else {
            panic!("{pages:?}");
        };
        assert!(is_any);
        assert_eq!(includes, &["constants.sub.js"]);
        assert!(pages[0].matches("a/b*default"));
        assert!(pages[0].matches("b.any"));
        assert!(!pages[0].matches("*b.any"));
    }

    #[test]
    fn a_script_for_workers_is_no_page() {
        let pages_of = |path, content| pages_of(path, content, Form::Window);
        assert_eq!(pages_of("w/a.any.js", b"// META: global=worker\n"), []);
        assert_eq!(pages_of("w/a.worker.js", b""), []);
        assert_eq!(pages_of("w/a.sub.js", b""), []);
    }

    #[test]
    fn the_form_of_workers() {
        let names = |path, content: &[u8]| -> Vec<String> {
            let pages = pages_of(path, content, Form::Worker);
            pages.iter().map(Page::name).collect()
        };
        let variants = b"// META: variant=?default\n// META: variant=?wss\n";
        assert_eq!(
            names("websockets/a.any.js", variants),
            ["a.any.worker.html?default", "a.any.worker.html?wss"]
        );
        for globals in ["window,worker", "dedicatedworker"] {
            let script = format!("// META: global={globals}\n");
            assert_eq!(
                names("websockets/a.any.js", script.as_bytes()),
                ["a.any.worker.html"]
            );
        }
        assert_eq!(names("websockets/a.worker.js", b""), ["a.worker.html"]);
        assert!(names("websockets/a.any.js", b"// META: global=window\n").is_empty());
        assert!(names("websockets/a.window.js", b"").is_empty());
    }

    #[test]
    fn secure_pages() {
        let page = &pages_of("websockets/a.https.any.js", b"", Form::Window)[0];
        assert_eq!(page.scheme(), Scheme::Https);
        assert_eq!(page.name(), "a.https.any.html");
    }
}
