//! `Deno.permissions`.

use deno_core::FromV8;
use deno_core::OpState;
use deno_core::ToV8;
use deno_core::op2;
use deno_permissions::NetDescriptorParseError;
use deno_permissions::PathResolveError;
use deno_permissions::PermissionState;
use deno_permissions::PermissionsContainer;
use deno_permissions::RunDescriptorParseError;
use deno_permissions::SysDescriptorParseError;

/// A `Deno.PermissionDescriptor`.
#[derive(FromV8)]
pub(super) struct Descriptor {
    name: String,
    path: Option<String>,
    host: Option<String>,
    variable: Option<String>,
    kind: Option<String>,
    command: Option<String>,
}

/// The state of a permission as `Deno.PermissionStatus` shows it.
#[derive(ToV8)]
pub(super) struct Status {
    state: &'static str,
    partial: bool,
}

impl From<PermissionState> for Status {
    fn from(state: PermissionState) -> Self {
        Status {
            state: match state {
                PermissionState::Granted | PermissionState::GrantedPartial => "granted",
                PermissionState::Prompt => "prompt",
                PermissionState::Denied
                | PermissionState::DeniedPartial
                | PermissionState::Ignored => "denied",
            },
            partial: state == PermissionState::GrantedPartial,
        }
    }
}

/// A descriptor that is not valid.
#[derive(Debug, thiserror::Error, deno_error::JsError)]
pub(super) enum DescriptorError {
    #[class(reference)]
    #[error("No such permission name: {0}")]
    Name(String),
    #[class(inherit)]
    #[error("{0}")]
    Path(#[from] PathResolveError),
    #[class(uri)]
    #[error("{0}")]
    Net(#[from] NetDescriptorParseError),
    #[class(inherit)]
    #[error("{0}")]
    Sys(#[from] SysDescriptorParseError),
    #[class(inherit)]
    #[error("{0}")]
    Run(#[from] RunDescriptorParseError),
}

#[op2]
pub(crate) fn op_permission_query(
    state: &mut OpState,
    #[scoped] descriptor: Descriptor,
) -> Result<Status, DescriptorError> {
    let permissions = state.borrow::<PermissionsContainer>();
    let found = match descriptor.name.as_str() {
        "read" => permissions.query_read(descriptor.path.as_deref())?,
        "write" => permissions.query_write(descriptor.path.as_deref())?,
        "net" => permissions.query_net(descriptor.host.as_deref())?,
        "env" => permissions.query_env(descriptor.variable.as_deref()),
        "sys" => permissions.query_sys(descriptor.kind.as_deref())?,
        "run" => permissions.query_run(descriptor.command.as_deref())?,
        "ffi" => permissions.query_ffi(descriptor.path.as_deref())?,
        "import" => permissions.query_import(descriptor.host.as_deref())?,
        _ => return Err(DescriptorError::Name(descriptor.name)),
    };
    Ok(found.into())
}

#[op2]
pub(crate) fn op_permission_revoke(
    state: &mut OpState,
    #[scoped] descriptor: Descriptor,
) -> Result<Status, DescriptorError> {
    let permissions = state.borrow::<PermissionsContainer>();
    let left = match descriptor.name.as_str() {
        "read" => permissions.revoke_read(descriptor.path.as_deref())?,
        "write" => permissions.revoke_write(descriptor.path.as_deref())?,
        "net" => permissions.revoke_net(descriptor.host.as_deref())?,
        "env" => permissions.revoke_env(descriptor.variable.as_deref()),
        "sys" => permissions.revoke_sys(descriptor.kind.as_deref())?,
        "run" => permissions.revoke_run(descriptor.command.as_deref())?,
        "ffi" => permissions.revoke_ffi(descriptor.path.as_deref())?,
        "import" => permissions.revoke_import(descriptor.host.as_deref())?,
        _ => return Err(DescriptorError::Name(descriptor.name)),
    };
    Ok(left.into())
}

/// Asks the user on the terminal if there is one and `--no-prompt` was not given.
#[op2(stack_trace)]
pub(crate) fn op_permission_request(
    state: &mut OpState,
    #[scoped] descriptor: Descriptor,
) -> Result<Status, DescriptorError> {
    let permissions = state.borrow::<PermissionsContainer>();
    let answer = match descriptor.name.as_str() {
        "read" => permissions.request_read(descriptor.path.as_deref())?,
        "write" => permissions.request_write(descriptor.path.as_deref())?,
        "net" => permissions.request_net(descriptor.host.as_deref())?,
        "env" => permissions.request_env(descriptor.variable.as_deref()),
        "sys" => permissions.request_sys(descriptor.kind.as_deref())?,
        "run" => permissions.request_run(descriptor.command.as_deref())?,
        "ffi" => permissions.request_ffi(descriptor.path.as_deref())?,
        "import" => permissions.request_import(descriptor.host.as_deref())?,
        _ => return Err(DescriptorError::Name(descriptor.name)),
    };
    Ok(answer.into())
}
