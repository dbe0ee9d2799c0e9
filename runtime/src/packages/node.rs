//! The services that deno_node needs from the runtime: where `require` looks, and what it may read.

use std::borrow::Cow;
use std::cell::RefCell;
use std::path::Path;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use deno_ast::MediaType;
use deno_core::FastString;
use deno_core::url::Url;
use deno_error::JsErrorBox;
use deno_node::ChildPipeFd;
use deno_node::NodeExtInitServices;
use deno_node::NodeRequireLoader;
use deno_node::ops::ipc::ChildIpcSerialization;
use deno_permissions::PermissionsContainer;
use deno_semver::Version;
use deno_semver::package::PackageReq;
use node_resolver::DenoIsBuiltInNodeModuleChecker;
use node_resolver::InNpmPackageChecker;
use node_resolver::NodeResolver;
use node_resolver::NpmPackageFolderResolver;
use node_resolver::PackageJsonResolver;
use node_resolver::PackageJsonThreadLocalCache;
use node_resolver::UrlOrPathRef;
use node_resolver::cache::NodeResolutionSys;
use node_resolver::cache::NodeResolutionThreadLocalCache;
use node_resolver::errors::PackageFolderResolveError;
use node_resolver::errors::PackageFolderResolveErrorKind;
use node_resolver::errors::PackageFolderResolveIoError;
use node_resolver::errors::PackageJsonLoadError;

use crate::packages::Packages;
use crate::packages::PackagesOptions;
use crate::packages::found::to_js_error;
use crate::packages::reads::check_package_read;
use crate::packages::reads::is_in_node_modules;
use crate::packages::sys::Sys;
use crate::read_report::report_file;

/// The services that deno_node is started with.
pub type NodeServices = NodeExtInitServices<PackageChecker, PackageFolders, Sys>;

/// Node.js's modules and packages in one engine.
pub struct Node {
    /// The packages that `require` and `import` find.
    pub packages: Rc<Packages>,
    /// The services that deno_node is started with.
    pub services: NodeServices,
    /// The channel to the process that started this process by `fork`.
    pub channel: Option<ChildPipeFd>,
}

/// Takes the channel to the process that started this process by `fork` of `node:child_process` out
/// of the environment, so that processes that this one starts do not inherit it. This must be
/// called while the process has one thread.
pub fn take_channel() -> Option<ChildPipeFd> {
    let fd = std::env::var("NODE_CHANNEL_FD").ok()?;
    let mode = std::env::var("NODE_CHANNEL_SERIALIZATION_MODE").ok();
    // SAFETY: no other thread reads the environment, because there is only one thread.
    unsafe {
        std::env::remove_var("NODE_CHANNEL_FD");
        std::env::remove_var("NODE_CHANNEL_SERIALIZATION_MODE");
    }
    let mode = mode.and_then(|mode| mode.parse().ok());
    Some(ChildPipeFd(
        fd.parse().ok()?,
        mode.unwrap_or(ChildIpcSerialization::Json),
    ))
}

impl Node {
    /// Makes the services. No package is looked up yet. `require` needs no permission for files in
    /// a package, and for modules for which `is_of_program` returns true.
    pub fn new(packages: Rc<Packages>, is_of_program: Rc<dyn Fn(&Url) -> bool>) -> Self {
        Self {
            services: services(packages.clone(), is_of_program),
            packages,
            channel: None,
        }
    }
}

impl Default for Node {
    /// The default is for a program in the current directory, with Deno's defaults.
    fn default() -> Self {
        let cwd = std::env::current_dir().unwrap_or_default();
        let packages = Packages::new(PackagesOptions::new(cwd));
        Self::new(packages, Rc::new(|_| false))
    }
}

fn services(packages: Rc<Packages>, is_of_program: Rc<dyn Fn(&Url) -> bool>) -> NodeServices {
    let sys = Sys::default();
    let pkg_json_resolver = Arc::new(PackageJsonResolver::new(
        sys.clone(),
        Some(Arc::new(PackageJsonThreadLocalCache)),
    ));
    let node_resolver = NodeResolver::new(
        PackageChecker(packages.clone()),
        DenoIsBuiltInNodeModuleChecker,
        PackageFolders(packages.clone()),
        pkg_json_resolver.clone(),
        NodeResolutionSys::new(sys.clone(), Some(Arc::new(NodeResolutionThreadLocalCache))),
        Default::default(),
    );
    NodeServices {
        node_require_loader: Rc::new(RequireLoader {
            packages,
            is_of_program,
            canonical: RefCell::default(),
        }),
        #[allow(clippy::arc_with_non_send_sync)] // The type is deno_node's.
        node_resolver: Arc::new(node_resolver),
        pkg_json_resolver,
        sys,
    }
}

/// Checks whether a file is in a package.
#[derive(Clone)]
pub struct PackageChecker(Rc<Packages>);

impl InNpmPackageChecker for PackageChecker {
    fn in_npm_package(&self, specifier: &Url) -> bool {
        self.0.in_package(specifier)
    }
}

/// Finds the folder of a package.
#[derive(Clone)]
pub struct PackageFolders(Rc<Packages>);

impl NpmPackageFolderResolver for PackageFolders {
    fn resolve_package_folder_from_package(
        &self,
        specifier: &str,
        referrer: &UrlOrPathRef,
    ) -> Result<PathBuf, PackageFolderResolveError> {
        match self.0.parts().resolvers.npm_resolver() {
            Ok(resolver) => resolver.resolve_package_folder_from_package(specifier, referrer),
            Err(error) => Err(
                PackageFolderResolveErrorKind::Io(PackageFolderResolveIoError {
                    package_name: specifier.to_string(),
                    referrer: referrer.display(),
                    source: std::io::Error::other(format!("{error:#}")),
                })
                .into_box(),
            ),
        }
    }

    fn resolve_types_package_folder(
        &self,
        _types_package_name: &str,
        _version: Option<&Version>,
        _referrer: Option<&UrlOrPathRef>,
    ) -> Option<PathBuf> {
        // Nothing here reads types.
        None
    }
}

/// Reads the files that `require` loads.
pub(super) struct RequireLoader {
    packages: Rc<Packages>,
    is_of_program: Rc<dyn Fn(&Url) -> bool>,
    canonical: RefCell<std::collections::HashMap<PathBuf, PathBuf>>,
}

impl NodeRequireLoader for RequireLoader {
    fn ensure_read_permission<'a>(
        &self,
        permissions: &mut PermissionsContainer,
        path: Cow<'a, Path>,
    ) -> Result<Cow<'a, Path>, JsErrorBox> {
        if Url::from_file_path(&path).is_ok_and(|url| (self.is_of_program)(&url)) {
            return Ok(path);
        }
        if let Some(path) = self.in_cache(&path)? {
            return Ok(Cow::Owned(path));
        }
        check_package_read(permissions, path)
    }

    fn load_text_file_lossy(&self, path: &Path) -> Result<FastString, JsErrorBox> {
        if !is_in_node_modules(path) {
            report_file(path);
        }
        let bytes = std::fs::read(path).map_err(JsErrorBox::from_err)?;
        *self.packages.last_required.borrow_mut() = Some(path.to_path_buf());
        let text = String::from_utf8_lossy(&bytes);
        let media_type = MediaType::from_path(path);
        if !media_type.is_emittable() {
            return Ok(text.into_owned().into());
        }
        let specifier = Url::from_file_path(path)
            .map_err(|()| JsErrorBox::type_error(format!("No path: {}", path.display())))?;
        if self.packages.in_package(&specifier) {
            return Err(JsErrorBox::from_err(
                deno_resolver::loader::StrippingTypesNodeModulesError { specifier },
            ));
        }
        let emitter = self.packages.parts().resolvers.emitter();
        let code = emitter
            .map_err(to_js_error)?
            .maybe_emit_source_sync(
                &specifier,
                media_type,
                deno_ast::ModuleKind::Cjs,
                &text.into(),
            )
            .map_err(JsErrorBox::from_err)?;
        Ok(code.into())
    }

    fn is_maybe_cjs(&self, specifier: &Url) -> Result<bool, PackageJsonLoadError> {
        let media_type = MediaType::from_specifier(specifier);
        match self.packages.of(specifier).parts().resolvers.cjs_tracker() {
            Ok(tracker) => tracker.is_maybe_cjs(specifier, media_type),
            Err(_) => Ok(media_type == MediaType::Cjs),
        }
    }

    fn is_maybe_cjs_from_require(&self, specifier: &Url) -> Result<bool, PackageJsonLoadError> {
        let media_type = MediaType::from_specifier(specifier);
        match self.packages.of(specifier).parts().resolvers.cjs_tracker() {
            Ok(tracker) => tracker.is_maybe_cjs_from_require(specifier, media_type),
            Err(_) => Ok(media_type == MediaType::Cjs),
        }
    }

    fn resolve_require_node_module_paths(&self, from: &Path) -> Vec<String> {
        match self.global_cache() {
            Some(cache) if from.starts_with(&cache) => Vec::new(),
            _ => deno_node::default_resolve_require_node_module_paths(from),
        }
    }

    fn resolve_package_folder_from_name(&self, package_name: &str) -> Option<PathBuf> {
        self.global_cache()?;
        let resolver = self.packages.parts().resolvers.npm_resolver().ok()?;
        let request = PackageReq::from_str(package_name).ok()?;
        resolver
            .as_managed()?
            .resolve_pkg_folder_from_deno_module_req(&request)
            .ok()
    }
}

impl RequireLoader {
    /// The cache of packages, if packages are not in a `node_modules` folder.
    fn global_cache(&self) -> Option<PathBuf> {
        let resolver = self.packages.parts.get()?.resolvers.npm_resolver().ok()?;
        let managed = resolver.as_managed()?;
        match managed.root_node_modules_path() {
            Some(_) => None,
            None => Some(managed.global_cache_root_path().to_path_buf()),
        }
    }

    /// The canonical path of a file, if it belongs to a package in the cache.
    fn in_cache(&self, path: &Path) -> Result<Option<PathBuf>, JsErrorBox> {
        let Some(cache) = self.global_cache() else {
            return Ok(None);
        };
        if !path.starts_with(&cache) {
            return Ok(None);
        }
        let Some(cache) = self.canonical(&cache) else {
            return Ok(None);
        };
        // `require` also asks for files that do not exist.
        let path = match self.canonical(path) {
            Some(path) => path,
            None if path.symlink_metadata().is_err() => {
                deno_path_util::normalize_path(Cow::Borrowed(path)).into_owned()
            }
            None => return Ok(None),
        };
        Ok(path.starts_with(cache).then_some(path))
    }

    fn canonical(&self, path: &Path) -> Option<PathBuf> {
        if let Some(known) = self.canonical.borrow().get(path) {
            return Some(known.clone());
        }
        let canonical = path.canonicalize().ok()?;
        self.canonical
            .borrow_mut()
            .insert(path.to_path_buf(), canonical.clone());
        Some(canonical)
    }
}
