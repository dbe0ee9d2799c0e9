//! What a program may read from packages.

use std::borrow::Cow;
use std::path::Path;

use deno_error::JsErrorBox;
use deno_permissions::OpenAccessKind;
use deno_permissions::PermissionsContainer;

/// Checks that `require` or `import` may read a file. As in Deno, files in a `node_modules` folder
/// are part of the program and need no permission. All other files need the permission to read
/// them.
pub(super) fn check_package_read<'a>(
    permissions: &PermissionsContainer,
    path: Cow<'a, Path>,
) -> Result<Cow<'a, Path>, JsErrorBox> {
    if permissions.query_read_all() {
        return Ok(path);
    }
    let path = deno_path_util::normalize_path(path);
    if is_in_node_modules(&path) {
        return Ok(path);
    }
    permissions
        .check_open(path, OpenAccessKind::Read, None)
        .map(|checked| checked.into_path())
        .map_err(JsErrorBox::from_err)
}

/// Whether a path without `.` and `..` is in a `node_modules` folder.
pub(crate) fn is_in_node_modules(path: &Path) -> bool {
    path.components()
        .any(|component| component.as_os_str() == "node_modules")
}
