//! Errors as a terminal shows them: the message, the source line with a caret, the stack, and the
//! causes. They are in colour if colour is wanted.

use std::borrow::Cow;
use std::fmt::Write;

use deno_ast::MediaType;
use deno_core::error::CoreError;
use deno_core::error::CoreErrorKind;
use deno_core::error::ErrorElement;
use deno_core::error::ErrorFormat;
use deno_core::error::JsError;
use deno_core::error::JsStackFrame;
use deno_core::error::format_frame;
use deno_core::url::Url;
use deno_terminal::colors;

use crate::module_loader::DuplexModuleLoader;
use crate::transpile::common_js_error;

/// What is printed after `error: ` when this error ends a program.
///
/// `initial_cwd` is the URL of the folder in which the program was started. In paths below that
/// folder the common part is dimmed. `loader` gives the parser's message if an engine rejected a
/// module's syntax.
pub fn format_core_error(
    error: &CoreError,
    initial_cwd: Option<&Url>,
    loader: &DuplexModuleLoader,
) -> String {
    match error.as_kind() {
        CoreErrorKind::Js(js_error) => syntax_error(js_error, loader)
            .or_else(|| required_syntax_error(js_error, initial_cwd, loader))
            .or_else(|| never_resolved(js_error))
            .unwrap_or_else(|| format_js_error(js_error, initial_cwd)),
        CoreErrorKind::CouldNotExecute { error, .. } => match &**error {
            CoreErrorKind::Js(js_error) => format_js_error(js_error, initial_cwd),
            other => colour_locations(&other.to_string()),
        },
        other => colour_locations(&other.to_string()),
    }
}

/// Formats an exception with its source line, stack and causes, and with its errors if it is an
/// `AggregateError`.
pub fn format_js_error(error: &JsError, initial_cwd: Option<&Url>) -> String {
    let mut text = Formatter {
        initial_cwd,
        ancestors: Vec::new(),
    }
    .format(error, true);
    for hint in hints(error) {
        let _ = write!(text, "\n\n    {} {hint}", colors::cyan("hint:"));
    }
    text
}

/// How deep causes and aggregated errors are followed.
const MAX_DEPTH: usize = 32;

struct Formatter<'a> {
    initial_cwd: Option<&'a Url>,
    /// The errors that lead from the outermost error to the current one.
    ancestors: Vec<&'a JsError>,
}

impl<'a> Formatter<'a> {
    fn format(&mut self, error: &'a JsError, is_outermost: bool) -> String {
        let mut text = error.exception_message.clone();
        if self.ancestors.iter().any(|seen| seen.is_same_error(error)) {
            let _ = write!(text, " {}", colors::cyan("[Circular]"));
            return text;
        }
        if self.ancestors.len() == MAX_DEPTH {
            return colors::cyan("[More errors]").to_string();
        }
        self.ancestors.push(error);
        for inner in error.aggregated.iter().flatten() {
            let inner = self.format(inner, false);
            for line in without_prefix(&inner).lines() {
                let _ = write!(text, "\n    {line}");
            }
        }
        if error.stack_is_custom {
            let stack = error.stack.iter().flat_map(|stack| stack.lines().skip(1));
            for line in stack {
                let _ = write!(text, "\n{line}");
            }
        } else {
            if is_outermost {
                text.push_str(&source_line(error).unwrap_or_default());
            }
            for frame in error.frames.iter().filter(|frame| !is_machinery(frame)) {
                let at: Cow<'_, str> = if is_extension(frame) {
                    colors::dimmed_gray("at ").to_string().into()
                } else {
                    "at ".into()
                };
                let frame = format_frame::<Colours>(frame, self.initial_cwd);
                let _ = write!(text, "\n    {at}{frame}");
            }
        }
        if let Some(cause) = &error.cause {
            let cause = self.format(cause, false);
            let _ = write!(text, "\nCaused by: {}", without_prefix(&cause));
        }
        self.ancestors.pop();
        text
    }
}

struct Colours;

impl ErrorFormat for Colours {
    fn fmt_element(element: ErrorElement, in_extension_code: bool, text: &str) -> Cow<'_, str> {
        use ErrorElement::*;
        let coloured = match element {
            _ if in_extension_code => colors::dimmed_gray(text).to_string(),
            Anonymous | NativeFrame | FileName | EvalOrigin => colors::cyan(text).to_string(),
            LineNumber | ColumnNumber => colors::yellow(text).to_string(),
            FunctionName | PromiseAll => colors::italic_bold(text).to_string(),
            WorkingDirPath => colors::dimmed_gray(text).to_string(),
            PlainText => return text.into(),
        };
        coloured.into()
    }
}

/// The parser's message for a module that the engine could not compile. The engine reports such an
/// error with one frame, which is the place in the module.
fn syntax_error(error: &JsError, loader: &DuplexModuleLoader) -> Option<String> {
    if error.name.as_deref() != Some("SyntaxError") {
        return None;
    }
    let [frame] = &error.frames[..] else {
        return None;
    };
    let error = loader.syntax_error(frame.file_name.as_deref()?)?;
    Some(colour_locations(&error.to_string()))
}

/// The parser's message for a CommonJS file that the engine could not compile, with the stack of
/// the `require` call. The engine's own error has no frame in that file.
fn required_syntax_error(
    error: &JsError,
    initial_cwd: Option<&Url>,
    loader: &DuplexModuleLoader,
) -> Option<String> {
    if error.name.as_deref() != Some("SyntaxError") {
        return None;
    }
    let is_compiling = |frame: &&JsStackFrame| {
        frame.file_name.as_deref() == Some("node:module")
            && frame.function_name.as_deref() == Some("wrapSafe")
    };
    // deno_core's own frames are above this frame, and with QuickJS also one frame in the file.
    error.frames.iter().take(4).find(is_compiling)?;
    let path = loader.packages().last_required()?;
    let file = Url::from_file_path(&path).ok()?;
    let text = std::fs::read(&path).ok()?;
    let found = common_js_error(
        &file,
        MediaType::from_path(&path),
        String::from_utf8_lossy(&text).into(),
    )?;
    let mut text = colour_locations(&found.to_string());
    let is_of_program = |frame: &&JsStackFrame| {
        let name = frame.file_name.as_deref();
        name.is_some_and(|name| name.starts_with("file:") && name != file.as_str())
    };
    for frame in error.frames.iter().filter(is_of_program) {
        let frame = format_frame::<Colours>(frame, initial_cwd);
        let _ = write!(text, "\n    at {frame}");
    }
    Some(text)
}

/// The message for a module whose top-level `await` never resolves. V8 knows the place in the
/// module. QuickJS always says line 1, column 1.
fn never_resolved(error: &JsError) -> Option<String> {
    if cfg!(feature = "v8") || error.exception_message != "Top-level await promise never resolved" {
        return None;
    }
    let file = error.frames.first()?.file_name.as_deref()?;
    Some(format!(
        "{}\n    at {}",
        error.exception_message,
        colors::cyan(file)
    ))
}

/// The source line of the frame that the engine chose, and a caret below the column. Returns
/// nothing if the line is unknown or is shorter than the column.
fn source_line(error: &JsError) -> Option<String> {
    let line = error
        .source_line
        .as_deref()
        .filter(|line| !line.is_empty())?;
    let frame = error.frames.get(error.source_line_frame_index?)?;
    let column = usize::try_from(frame.column_number?).ok()?.checked_sub(1)?;
    let caret = format!("{}^", indent_to(line, column)?);
    Some(format!("\n{line}\n{}", colors::red(caret)))
}

/// White space as wide as the first `column` UTF-16 units of `line`. Tabs stay tabs.
fn indent_to(line: &str, column: usize) -> Option<String> {
    let mut units = 0;
    let mut indent = String::new();
    for character in line.chars() {
        if units >= column {
            break;
        }
        let blank = if character == '\t' { '\t' } else { ' ' };
        for _ in 0..character.len_utf16() {
            indent.push(blank);
        }
        units += character.len_utf16();
    }
    (units == column).then_some(indent)
}

/// Whether the frame is of deno_core, whose event loop is at the bottom of every callback's stack.
fn is_machinery(frame: &JsStackFrame) -> bool {
    frame
        .file_name
        .as_deref()
        .is_some_and(|name| name.starts_with("ext:core/"))
}

fn is_extension(frame: &JsStackFrame) -> bool {
    frame
        .file_name
        .as_deref()
        .is_some_and(|name| name.starts_with("ext:"))
}

fn without_prefix(text: &str) -> &str {
    text.strip_prefix("Uncaught ").unwrap_or(text)
}

/// Colours the `at file:///…:1:7` lines of a message that has no stack frames.
fn colour_locations(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    for (index, line) in message.lines().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        let location = line.strip_prefix("    at ").and_then(|place| {
            let mut parts = place.rsplitn(3, ':');
            let (column, line) = (parts.next()?, parts.next()?);
            let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
            (is_number(line) && is_number(column)).then_some((parts.next()?, line, column))
        });
        let _ = match location {
            Some((name, line, column)) => write!(
                text,
                "    at {}:{}:{}",
                colors::cyan(name),
                colors::yellow(line),
                colors::yellow(column)
            ),
            None => write!(text, "{line}"),
        };
    }
    text
}

/// Advice for errors that users of other runtimes often meet.
fn hints(error: &JsError) -> Vec<&'static str> {
    let Some(message) = error.message.as_deref() else {
        return Vec::new();
    };
    let is_undefined = |name: &str| {
        message.strip_suffix(" is not defined") == Some(name)
            || message == format!("'{name}' is not defined")
    };
    let mut hints = Vec::new();
    if comes_of(error, "CaUsedAsEndEntity") {
        hints.push(
            "The server's certificate is that of an authority. Make it with \
             `openssl … -addext basicConstraints=critical,CA:FALSE`.",
        );
    }
    if is_undefined("require") || is_undefined("module") || is_undefined("exports") {
        hints.push(
            "This file is an ES module. Name it .cjs, or write \"type\": \"commonjs\" in the \
             package.json, if it is CommonJS.",
        );
    } else if is_undefined("__filename") {
        hints.push("Use import.meta.filename.");
    } else if is_undefined("__dirname") {
        hints.push("Use import.meta.dirname.");
    } else if is_undefined("document") || is_undefined("window") {
        hints.push("This runtime is no browser. `globalThis` is the global object.");
    } else if message == "Unexpected identifier 'assert'" {
        hints.push(
            "Write `with` in place of `assert`: import x from \"./x.json\" with { type: \"json\" }.",
        );
    } else if let Some((_, hint)) = MISSING_GLOBALS.iter().find(|(name, _)| is_undefined(name)) {
        hints.push(hint);
    } else if let Some(name) = missing_member_of_deno(message) {
        let known = MISSING_MEMBERS_OF_DENO.iter();
        hints.extend(known.filter(|(missing, _)| *missing == name).map(|it| it.1));
    }
    hints
}

/// Whether the message of this error or of one of its causes contains `text`.
fn comes_of(error: &JsError, text: &str) -> bool {
    let causes = std::iter::successors(Some(error), |error| error.cause.as_deref());
    let mut messages = causes
        .take(MAX_DEPTH)
        .filter_map(|it| it.message.as_deref());
    // The error of a WebSocket already contains this hint.
    messages.any(|message| message.contains(text) && !message.contains("CA:FALSE"))
}

/// The `name` of `Deno.name is not a function`, or `a constructor`.
fn missing_member_of_deno(message: &str) -> Option<&str> {
    let (name, what) = message.strip_prefix("Deno.")?.split_once(" is not a ")?;
    matches!(what, "function" | "constructor").then_some(name)
}

/// Globals of Bun, Deno and browsers that duplex does not have, each with a hint.
const MISSING_GLOBALS: [(&str, &str); 8] = [
    (
        "Bun",
        "duplex has no `Bun`. Deno.serve() takes the object of Bun.serve(). For the rest, see \
         https://github.com/duplex-rs/duplex/blob/main/docs/manual/coming-from/bun.md",
    ),
    (
        "caches",
        "duplex has no Cache API. Keep the data in a Map, in files, or in a database.",
    ),
    ("localStorage", NO_STORAGE),
    ("sessionStorage", NO_STORAGE),
    ("indexedDB", NO_STORAGE),
    (
        "Temporal",
        "duplex has no Temporal. Use Date, or the package @js-temporal/polyfill of npm.",
    ),
    (
        "WebTransport",
        "duplex has no WebTransport. Use WebSocket, or WebSocketStream, which has backpressure.",
    ),
    ("XMLHttpRequest", "Use fetch()."),
];

const NO_STORAGE: &str =
    "duplex has no storage of browsers. Keep the data in files, or in a database.";

/// Members of the namespace `Deno` that duplex does not have, each with a hint.
const MISSING_MEMBERS_OF_DENO: [(&str, &str); 10] = [
    (
        "test",
        "duplex has no Deno.test. Import `test` from \"node:test\", and start the file with \
         `duplex run`.",
    ),
    (
        "bench",
        "duplex has no Deno.bench. Measure with performance.now(), or use `deno bench`.",
    ),
    (
        "cron",
        "duplex has no Deno.cron. Use setInterval(), or a timer of the system (cron, systemd).",
    ),
    (
        "openKv",
        "duplex has no Deno.openKv. Use a database with a client from npm, or \"node:sqlite\".",
    ),
    ("dlopen", NO_NATIVE_CODE),
    ("UnsafeCallback", NO_NATIVE_CODE),
    ("UnsafeFnPointer", NO_NATIVE_CODE),
    ("UnsafePointerView", NO_NATIVE_CODE),
    (
        "run",
        "Use new Deno.Command(): Deno 2 has no Deno.run either.",
    ),
    (
        "listenDatagram",
        "duplex has no Deno.listenDatagram. Import \"node:dgram\" for UDP.",
    ),
];

const NO_NATIVE_CODE: &str =
    "duplex loads no native code. Start a program with new Deno.Command(), or use WebAssembly.";

#[cfg(test)]
mod tests {
    use super::*;

    fn error(message: &str) -> JsError {
        JsError {
            name: Some("Error".to_string()),
            message: Some(message.to_string()),
            stack: None,
            cause: None,
            exception_message: format!("Uncaught Error: {message}"),
            frames: vec![JsStackFrame {
                is_top_level: Some(true),
                ..JsStackFrame::from_location(Some("file:///a.ts".to_string()), Some(2), Some(3))
            }],
            source_line: None,
            source_line_frame_index: None,
            aggregated: None,
            additional_properties: vec![],
            stack_is_custom: false,
        }
    }

    fn plain(error: &JsError) -> String {
        deno_terminal::colors::set_use_color(false);
        format_js_error(error, None)
    }

    #[test]
    fn message_source_and_stack() {
        let mut error = error("no");
        error.source_line = Some("\tthrow no;".to_string());
        error.source_line_frame_index = Some(0);
        error.frames[0].column_number = Some(2);
        assert_eq!(
            plain(&error),
            "Uncaught Error: no\n\tthrow no;\n\t^\n    at file:///a.ts:2:2"
        );
    }

    #[test]
    fn a_caret_beyond_the_line_is_left_out() {
        assert_eq!(indent_to("ab", 2).as_deref(), Some("  "));
        assert_eq!(indent_to("ab", 3), None);
        assert_eq!(indent_to("\t😀x", 3).as_deref(), Some("\t  "));
        assert_eq!(indent_to("😀", 1), None);
    }

    #[test]
    fn causes_and_aggregates() {
        let mut outer = error("outer");
        outer.cause = Some(Box::new(error("inner")));
        outer.aggregated = Some(vec![error("one")]);
        assert_eq!(
            plain(&outer),
            "Uncaught Error: outer\n    Error: one\n        at file:///a.ts:2:3\n    \
             at file:///a.ts:2:3\nCaused by: Error: inner\n    at file:///a.ts:2:3"
        );
    }

    #[test]
    fn a_cycle_ends() {
        let mut outer = error("loop");
        outer.cause = Some(Box::new(error("loop")));
        assert!(plain(&outer).ends_with("Caused by: Error: loop [Circular]"));
        let mut deep = error("0");
        for depth in 1..100 {
            let mut next = error(&depth.to_string());
            next.cause = Some(Box::new(deep));
            deep = next;
        }
        assert!(plain(&deep).ends_with("Caused by: [More errors]"));
    }

    #[test]
    fn the_event_loop_is_no_part_of_the_stack() {
        let mut error = error("late");
        let mut inner = error.frames[0].clone();
        inner.file_name = Some("ext:core/01_core.js".to_string());
        error.frames.push(inner);
        assert!(!plain(&error).contains("ext:core"));
    }

    #[test]
    fn hints_for_the_newcomer() {
        assert!(
            plain(&error("require is not defined")).contains("hint: This file is an ES module")
        );
        assert!(
            plain(&error("'require' is not defined")).contains("hint: This file is an ES module")
        );
        assert!(!plain(&error("require")).contains("hint"));
        assert!(plain(&error("Bun is not defined")).contains("hint: duplex has no `Bun`"));
        for text in [
            "Deno.test is not a function",
            "Deno.dlopen is not a function",
        ] {
            assert!(plain(&error(text)).contains("hint: duplex"));
        }
        assert!(!plain(&error("Deno.nothing is not a function")).contains("hint"));
        let mut outer = error("fetch failed");
        outer.cause = Some(Box::new(error("Other(CaUsedAsEndEntity)")));
        assert!(plain(&outer).contains("hint: The server's certificate"));
    }
}
