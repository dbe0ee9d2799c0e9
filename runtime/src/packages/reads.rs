//! What a program may read of packages.

use std::borrow::Cow;
use std::path::Path;

use deno_error::JsErrorBox;
use deno_permissions::OpenAccessKind;
use deno_permissions::PermissionsContainer;

/// As in Deno: what is in a `node_modules` folder is part of the program, and needs no
/// permission to be read by `require` or `import`. All else needs one.
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

/// Whether a path is in a `node_modules`, after `.` and `..`.
pub(crate) fn is_in_node_modules(path: &Path) -> bool {
    path.components()
        .any(|component| component.as_os_str() == "node_modules")
}
