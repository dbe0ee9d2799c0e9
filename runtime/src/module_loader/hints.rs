//! Hints that the loader adds to its error messages.

use std::borrow::Cow;
use std::path::Path;
use std::path::PathBuf;

use deno_core::ModuleSpecifier;
use deno_error::JsErrorBox;
use deno_error::JsErrorClass;

/// An error with more text after its message. Its class and its properties are the same.
#[derive(Debug, thiserror::Error)]
#[error("{source}{suffix}")]
struct Suffixed {
    source: JsErrorBox,
    suffix: String,
}

impl JsErrorClass for Suffixed {
    fn get_class(&self) -> Cow<'static, str> {
        self.source.get_class()
    }

    fn get_message(&self) -> Cow<'static, str> {
        Cow::Owned(format!("{}{}", self.source.get_message(), self.suffix))
    }

    fn get_additional_properties(&self) -> deno_error::AdditionalProperties {
        self.source.get_additional_properties()
    }

    fn get_ref(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        self
    }
}

/// The error with `suffix` after its message.
pub(super) fn with_suffix(source: JsErrorBox, suffix: &str) -> JsErrorBox {
    JsErrorBox::from_err(Suffixed {
        source,
        suffix: suffix.to_string(),
    })
}

/// Whether a specifier is neither a path nor a URL.
pub(super) fn is_bare(specifier: &str) -> bool {
    !specifier.starts_with(['/', '.']) && ModuleSpecifier::parse(specifier).is_err()
}

/// A hint about which file the user may have meant, if the file of this name does not exist.
pub(super) fn hint_for_missing_file(path: &Path) -> Option<String> {
    const EXTENSIONS: [&str; 8] = ["ts", "js", "tsx", "jsx", "mts", "mjs", "cts", "cjs"];
    let with = |extension: &str| -> Option<PathBuf> {
        let path = path.with_extension(extension);
        path.is_file().then_some(path)
    };
    if path.is_dir() {
        let index = EXTENSIONS.iter().find_map(|extension| {
            let index = format!("index.{extension}");
            path.join(&index)
                .is_file()
                .then(|| format!("Maybe specify path to '{index}' file in directory instead."))
        });
        return index.or_else(|| Some("It is a folder: name a file in it.".to_string()));
    }
    EXTENSIONS.iter().find_map(|extension| {
        with(extension)?;
        Some(match path.extension() {
            None => format!("Maybe add a '.{extension}' extension."),
            Some(_) => format!("Maybe change the extension to '.{extension}'."),
        })
    })
}

/// The extensions of files that a program may import.
const FILES: [&str; 12] = [
    "ts", "js", "tsx", "jsx", "mts", "mjs", "cts", "cjs", "json", "wasm", "css", "txt",
];

/// A hint for a specifier that is neither a URL nor a path.
pub(super) fn hint_for_bare_specifier(specifier: &str) -> Option<String> {
    if specifier.is_empty() || !is_bare(specifier) || specifier.starts_with('#') {
        return None;
    }
    if specifier.starts_with("@std/") {
        return Some(format!(
            "To use the package of JSR, import \"jsr:{specifier}\"."
        ));
    }
    // `socket.io` and `lodash.get` are packages, `chat.ts` is not.
    let extension = specifier.rsplit_once('.').map(|(_, extension)| extension);
    let is_file = !specifier.starts_with('@') && extension.is_some_and(|it| FILES.contains(&it));
    Some(match is_file {
        true => format!("If \"{specifier}\" is a file, write \"./{specifier}\"."),
        false => format!(
            "If \"{specifier}\" is a package, install it with npm, import \"npm:{specifier}\", or map \
             the name in the \"imports\" of a deno.json; if it is a file, write \"./{specifier}\"."
        ),
    })
}
