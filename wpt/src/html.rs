//! Reads the parts of HTML documents that the runner needs.

use encoding_rs::{Encoding, UTF_8};

/// The parts of an HTML document that the runner needs.
pub(crate) struct Html {
    /// The scripts, in their order.
    pub scripts: Vec<Script>,
    /// The `name` and `content` of the `meta` elements.
    metas: Vec<(String, String)>,
}

/// A script of a page.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Script {
    /// The URL of a script file.
    File(String),
    /// The text of an inline script.
    Inline(String),
}

impl Html {
    /// Reads a document in the encoding that it declares.
    pub(crate) fn parse(content: &[u8]) -> Html {
        let text = match declared_encoding(content) {
            Some(encoding) => encoding.decode(content).0,
            None => UTF_8.decode(content).0,
        };
        let mut html = Html {
            scripts: Vec::new(),
            metas: Vec::new(),
        };
        let mut rest = &*text;
        while let Some(start) = rest.find('<') {
            rest = &rest[start..];
            if let Some(comment) = rest.strip_prefix("<!--") {
                rest = comment.split_once("-->").map_or("", |(_, rest)| rest);
                continue;
            }
            let tag = Tag::parse(rest);
            rest = &rest[tag.length..];
            match tag.name.as_str() {
                "meta" => {
                    if let (Some(name), Some(value)) = (tag.get("name"), tag.get("content")) {
                        html.metas.push((name.to_owned(), value.to_owned()));
                    }
                }
                "script" => {
                    let (text, behind) = rest.split_once("</script>").unwrap_or((rest, ""));
                    rest = behind;
                    html.scripts.push(match tag.get("src") {
                        Some(src) => Script::File(src.to_owned()),
                        None => Script::Inline(text.to_owned()),
                    });
                }
                _ => {}
            }
        }
        html
    }

    /// Whether this is a test that reports by `testharness.js`.
    pub(crate) fn uses_harness(&self) -> bool {
        let is_harness = |script: &Script| matches!(script, Script::File(src) if src == HARNESS);
        self.scripts.iter().any(is_harness)
    }

    pub(crate) fn variants(&self) -> Vec<String> {
        let variants = self.metas.iter().filter(|(name, _)| name == "variant");
        variants.map(|(_, content)| content.clone()).collect()
    }

    pub(crate) fn is_long(&self) -> bool {
        let mut metas = self.metas.iter();
        metas.any(|(name, content)| name == "timeout" && content == "long")
    }
}

/// The start tag of an element. Names are in lower case.
struct Tag {
    name: String,
    attributes: Vec<(String, String)>,
    /// The length of the tag in the text, with both brackets.
    length: usize,
}

impl Tag {
    /// Reads the tag at the start of `text`, which begins with `<`.
    fn parse(text: &str) -> Tag {
        let mut scanner = Scanner { text, at: 1 };
        let is_space = |c: char| c.is_ascii_whitespace() || c == '/';
        let name = scanner.until(|c| c.is_ascii_whitespace() || c == '>');
        let mut tag = Tag {
            name: name.to_ascii_lowercase(),
            attributes: Vec::new(),
            length: 0,
        };
        loop {
            scanner.until(|c| !is_space(c));
            if scanner.eat('>') || scanner.is_done() {
                break;
            }
            let name = scanner.until(|c| is_space(c) || c == '=' || c == '>');
            let mut value = "";
            if scanner.eat('=') {
                value = if scanner.eat('"') {
                    scanner.until(|c| c == '"')
                } else if scanner.eat('\'') {
                    scanner.until(|c| c == '\'')
                } else {
                    scanner.until(|c| c.is_ascii_whitespace() || c == '>')
                };
                let _ = scanner.eat('"') || scanner.eat('\'');
            } else if name.is_empty() {
                // A stray character is skipped.
                scanner.skip();
            }
            // `&amp;` is the only entity in the attributes that are read here.
            let value = value.replace("&amp;", "&");
            tag.attributes.push((name.to_ascii_lowercase(), value));
        }
        tag.length = scanner.at;
        tag
    }

    fn get(&self, name: &str) -> Option<&str> {
        let mut attributes = self.attributes.iter();
        let found = attributes.find(|(it, _)| it == name)?;
        Some(&found.1)
    }
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    /// Returns the text before the first character for which `ends` returns true, and moves to that
    /// character.
    fn until(&mut self, ends: impl Fn(char) -> bool) -> &'a str {
        let rest = &self.text[self.at..];
        let length = rest.find(ends).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn eat(&mut self, character: char) -> bool {
        let is_next = self.text[self.at..].starts_with(character);
        if is_next {
            self.at += character.len_utf8();
        }
        is_next
    }

    fn skip(&mut self) {
        let next = self.text[self.at..].chars().next();
        self.at += next.map_or(0, char::len_utf8);
    }

    fn is_done(&self) -> bool {
        self.at >= self.text.len()
    }
}

/// The encoding that a `meta` element declares within the first 1024 bytes (HTML
/// section 13.2.3.2).
fn declared_encoding(content: &[u8]) -> Option<&'static Encoding> {
    let head = String::from_utf8_lossy(&content[..content.len().min(1024)]).into_owned();
    let (_, rest) = head.split_once("charset=")?;
    let label = rest.trim_start_matches(['"', '\'']);
    let end = label.find(['"', '\'', '>', ' ', '/', ';'])?;
    Encoding::for_label(&label.as_bytes()[..end])
}

/// The harness of web-platform-tests.
pub(crate) const HARNESS: &str = "/resources/testharness.js";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents() {
        let html = Html::parse(
            b"<!doctype html><title>a < b</title>\n<META name=timeout content=long>\
              <meta name=\"variant\" content='?wss&amp;wpt_flags=https'>\
              <!-- <script src=no.js></script> -->\
              <script src=/resources/testharness.js></script>\
              <script>a = 1 < 2;\n</script><div id=log></div><script src='x.js' defer></script>",
        );
        assert!(html.uses_harness());
        assert!(html.is_long());
        assert_eq!(html.variants(), ["?wss&wpt_flags=https"]);
        assert_eq!(
            html.scripts,
            [
                Script::File("/resources/testharness.js".to_owned()),
                Script::Inline("a = 1 < 2;\n".to_owned()),
                Script::File("x.js".to_owned()),
            ]
        );
    }

    #[test]
    fn encodings() {
        let html = Html::parse(b"<meta charset=windows-1252><script>'\xe5'</script>");
        assert_eq!(html.scripts, [Script::Inline("'å'".to_owned())]);
        let html = Html::parse("<meta charset=utf-8><script>'å'</script>".as_bytes());
        assert_eq!(html.scripts, [Script::Inline("'å'".to_owned())]);
    }

    #[test]
    fn broken_documents() {
        for text in [
            "<",
            "<script",
            "<script>",
            "<!--",
            "<a b='",
            "<a =>",
            "<é \" é>",
        ] {
            Html::parse(text.as_bytes());
        }
    }
}
