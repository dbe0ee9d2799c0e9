//! Resolves the specifiers in modules of the program.

use ::import_map::ImportMapErrorKind;
use deno_core::ModuleSpecifier;
use deno_core::ResolutionKind;
use deno_core::error::ModuleLoaderError;
use deno_error::JsErrorBox;
use deno_node::is_builtin_node_module;

use super::Inner;
use super::hints::hint_for_bare_specifier;
use super::hints::is_bare;
use super::hints::with_suffix;
use super::source::LoadError;
use super::source::is_script;
use super::source::to_text;
use crate::compat;
use crate::dependencies::analyze;
use crate::module_permissions::Reader;

impl Inner {
    pub(super) fn try_resolve(
        &self,
        specifier: &str,
        referrer: &str,
        kind: ResolutionKind,
        is_import_meta: bool,
    ) -> Result<ModuleSpecifier, ModuleLoaderError> {
        if kind == ResolutionKind::MainModule {
            let resolved = deno_core::resolve_url(specifier).map_err(JsErrorBox::from_err)?;
            return match is_internal(&resolved) {
                true => Err(LoadError::internal(resolved).into()),
                false => Ok(resolved),
            };
        }
        let resolved = match ModuleSpecifier::parse(referrer) {
            Ok(referrer) => self.resolve_in(specifier, &referrer, is_import_meta)?,
            Err(_) => {
                deno_core::resolve_import(specifier, referrer).map_err(JsErrorBox::from_err)?
            }
        };
        match compat::module_for(&resolved) {
            Some(module) => Ok(module),
            None if is_internal(&resolved) => Err(LoadError::internal(resolved).into()),
            None => Ok(resolved),
        }
    }

    /// Resolves a specifier in a module. Paths, URLs, and names that the import map turns into
    /// paths or URLs are resolved here. For all other specifiers the packages are searched.
    pub(super) fn resolve_in(
        &self,
        specifier: &str,
        referrer: &ModuleSpecifier,
        is_import_meta: bool,
    ) -> Result<ModuleSpecifier, ModuleLoaderError> {
        let by_packages =
            |specifier: &str| self.packages.resolve(specifier, referrer, is_import_meta);
        let is_own = matches!(referrer.scheme(), "file" | "data" | "blob")
            && !self.packages.in_package(referrer);
        if !is_own {
            return by_packages(specifier);
        }
        let resolved = match &self.options.import_map {
            Some(import_map) => match import_map.resolve(specifier, referrer) {
                Ok(resolved) => Some(resolved),
                Err(error) => match error.as_kind() {
                    ImportMapErrorKind::UnmappedBareSpecifier(..) => None,
                    _ => return Err(JsErrorBox::from_err(error)),
                },
            },
            None if is_bare(specifier) => None,
            None => Some(
                deno_core::resolve_import(specifier, referrer.as_str())
                    .map_err(JsErrorBox::from_err)?,
            ),
        };
        match resolved {
            Some(resolved) if matches!(resolved.scheme(), "npm" | "jsr") => {
                by_packages(resolved.as_str())
            }
            Some(resolved) if self.packages.in_package(&resolved) => by_packages(resolved.as_str()),
            Some(resolved) if self.is_sloppy(&resolved) => by_packages(resolved.as_str()),
            Some(resolved) => Ok(resolved),
            None => by_packages(specifier).or_else(|error| {
                if let Some(resolved) = self.packages.resolve_beside(specifier, referrer) {
                    return Ok(resolved);
                }
                if is_builtin_node_module(specifier) {
                    return ModuleSpecifier::parse(&format!("node:{specifier}")).map_err(|_| error);
                }
                Err(match hint_for_bare_specifier(specifier) {
                    Some(hint) => with_suffix(error, &format!("\n  hint: {hint}")),
                    None => error,
                })
            }),
        }
    }

    /// Whether the file of a module should be guessed, because no file has this name.
    pub(super) fn is_sloppy(&self, specifier: &ModuleSpecifier) -> bool {
        self.packages.options().sloppy_imports
            && specifier.to_file_path().is_ok_and(|path| !path.is_file())
    }

    /// Makes the files that a module of the program names in an `import()` part of the program,
    /// with all that they import, as the files are now. No code of the program has run that could
    /// have changed them.
    pub(super) fn name_dynamic_imports(&self, referrer: &ModuleSpecifier) {
        if !self.permissions.distinguishes() {
            return;
        }
        let mut waiting = Vec::new();
        if let Some(module) = self.loaded.borrow_mut().get_mut(referrer.as_str())
            && may_import_dynamically(&module.text)
        {
            let dependencies = module.analyze(referrer.as_str()).iter();
            let dynamic = dependencies.filter(|it| it.is_dynamic);
            waiting.extend(dynamic.map(|it| (it.specifier.clone(), referrer.clone())));
        }
        while let Some((specifier, referrer)) = waiting.pop() {
            let resolved = self.try_resolve(
                &specifier,
                referrer.as_str(),
                ResolutionKind::DynamicImport,
                false,
            );
            // A file that cannot be read now is not part of the program.
            let Ok(resolved) = resolved else { continue };
            if resolved.scheme() != "file" {
                continue;
            }
            let Ok((bytes, media_type)) = self.read(&resolved, Reader::Program) else {
                continue;
            };
            if !self.permissions.name(resolved.clone(), &bytes) || !is_script(media_type, false) {
                continue;
            }
            let dependencies = analyze(&resolved, media_type, &to_text(bytes));
            waiting.extend(
                dependencies
                    .into_iter()
                    .map(|it| (it.specifier, resolved.clone())),
            );
        }
    }
}

/// Whether a specifier names a module of the runtime that no program may import.
fn is_internal(specifier: &ModuleSpecifier) -> bool {
    match specifier.scheme() {
        "ext" => true,
        "node" => !is_builtin_node_module(specifier.path()),
        _ => false,
    }
}

/// Whether a text may have an `import()`. The text is not parsed for this.
fn may_import_dynamically(text: &str) -> bool {
    text.match_indices("import").any(|(at, word)| {
        // A comment may be between `import` and the parenthesis.
        text[at + word.len()..].trim_start().starts_with(['(', '/'])
    })
}
