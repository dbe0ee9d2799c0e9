//! The ops for the owner of a `Worker`.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io::Error;
use std::rc::Rc;
use std::sync::Arc;

use deno_core::CancelFuture;
use deno_core::CancelHandle;
use deno_core::DetachedBuffer;
use deno_core::FromV8;
use deno_core::JsBuffer;
use deno_core::ModuleResolutionError;
use deno_core::OpState;
use deno_core::RcRef;
use deno_core::Resource;
use deno_core::ResourceId;
use deno_core::error::ResourceError;
use deno_core::op2;
use deno_core::url::Url;
use deno_permissions::ChildPermissionError;
use deno_permissions::ChildPermissionsArg;
use deno_permissions::PermissionsContainer;
use deno_web::BlobStoreTrait;
use deno_web::JsMessageData;
use deno_web::MessagePort;
use deno_web::MessagePortError;
use deno_web::RecvMessageData;
use deno_web::create_entangled_message_port;

use crate::module_loader::source;
use crate::module_override::ModuleOverride;
use crate::module_permissions::Reader;
use crate::shared_options::SharedOptions;
use crate::web_worker::lifeline::Failure;
use crate::web_worker::lifeline::Lifeline;
use crate::web_worker::start::WebWorkerStart;
use crate::web_worker::start::WorkerSpawner;

/// The owner's side of a worker. The worker ends when this is closed, or is dropped with the
/// owner's engine.
struct WorkerResource {
    port: MessagePort,
    lifeline: Arc<Lifeline>,
    receiving: CancelHandle,
}

impl Resource for WorkerResource {
    fn name(&self) -> Cow<'_, str> {
        "worker".into()
    }

    fn close(self: Rc<Self>) {
        self.receiving.cancel();
        self.lifeline.end();
    }
}

impl Drop for WorkerResource {
    fn drop(&mut self) {
        self.lifeline.end();
    }
}

#[derive(FromV8)]
pub(super) struct CreateArguments {
    url: String,
    name: String,
    is_classic: bool,
    #[from_v8(serde)]
    permissions: Option<ChildPermissionsArg>,
}

/// Why a worker could not be made.
#[derive(Debug, thiserror::Error, deno_error::JsError)]
pub(super) enum CreateError {
    #[class("NotSupported")]
    #[error("Workers are not supported by this program.")]
    NotSupported,
    #[class(inherit)]
    #[error(transparent)]
    Url(#[from] ModuleResolutionError),
    #[class(inherit)]
    #[error(transparent)]
    Permission(#[from] ChildPermissionError),
    #[class(inherit)]
    #[error(transparent)]
    Message(#[from] MessagePortError),
    #[class(inherit)]
    #[error("Unable to start a thread: {0}")]
    Thread(#[from] Error),
}

/// Starts a worker and returns its resource id. An error inside the worker is the outcome of the
/// worker.
#[op2(stack_trace)]
#[smi]
pub(crate) fn op_worker_create(
    state: &mut OpState,
    #[scoped] arguments: CreateArguments,
) -> Result<ResourceId, CreateError> {
    let shared = state.borrow::<SharedOptions>().clone();
    let spawner = *state.borrow::<WorkerSpawner>();
    let loaders = shared
        .web_workers
        .clone()
        .ok_or(CreateError::NotSupported)?;
    let url = deno_core::resolve_url(&arguments.url)?;
    let owner_permissions = state.borrow::<PermissionsContainer>().clone();
    let permissions = match arguments.permissions {
        Some(permissions) => owner_permissions.create_child_permissions(permissions)?,
        None => owner_permissions.clone(),
    };
    let source = read_blob(state, &url);
    let (outside, inside) = create_entangled_message_port();
    let lifeline = Lifeline::new();
    let resource = WorkerResource {
        port: outside,
        lifeline: lifeline.clone(),
        receiving: CancelHandle::new(),
    };
    (spawner.0)(WebWorkerStart {
        shared,
        loaders,
        url,
        source,
        name: arguments.name,
        is_classic: arguments.is_classic,
        node: None,
        owner_permissions,
        permissions,
        port: inside,
        lifeline,
    })?;
    Ok(state.resource_table.add(resource))
}

/// Reads the text of a `blob:` URL. The blob is resolved when the worker is made (File API, section
/// 8.3), because the owner may revoke the URL right after.
fn read_blob(state: &OpState, url: &Url) -> Option<ModuleOverride> {
    if url.scheme() != "blob" {
        return None;
    }
    let store = state.borrow::<Arc<dyn BlobStoreTrait>>();
    // An unknown URL is an error inside the worker.
    let (bytes, media_type) = source::read(url, Some(&**store), Reader::User).ok()?;
    Some(ModuleOverride {
        text: Some(source::to_text(bytes)),
        media_type: Some(media_type),
    })
}

/// Sends a message without transferred objects.
#[op2]
pub(crate) fn op_worker_post_raw(
    state: &mut OpState,
    #[smi] rid: ResourceId,
    #[buffer(detach)] data: JsBuffer,
) -> Result<(), ResourceError> {
    let worker = state.resource_table.get::<WorkerResource>(rid)?;
    send_raw(&worker.port, data);
    Ok(())
}

/// Sends a message with transferred objects.
#[op2]
pub(crate) fn op_worker_post(
    state: &mut OpState,
    #[smi] rid: ResourceId,
    #[serde] data: JsMessageData,
) -> Result<(), MessagePortError> {
    let worker = state
        .resource_table
        .get::<WorkerResource>(rid)
        .map_err(MessagePortError::Resource)?;
    worker.port.send(state, data)
}

/// The next message, or null if the worker has ended or the owner has terminated it.
///
/// The op is lazy, so that each message comes in its own turn of the event loop, after the
/// microtasks of the message before.
#[op2(async(lazy), fast)]
pub(crate) async fn op_worker_receive(
    state: Rc<RefCell<OpState>>,
    #[smi] rid: ResourceId,
) -> Result<Option<RecvMessageData>, MessagePortError> {
    let Ok(worker) = state.borrow().resource_table.get::<WorkerResource>(rid) else {
        return Ok(None);
    };
    let receiving = RcRef::map(worker.clone(), |worker| &worker.receiving);
    match worker.port.recv(state).or_cancel(receiving).await {
        Ok(received) => received,
        Err(_) => Ok(None),
    }
}

/// The error that ended the worker, or null if the worker closed itself. It is known when the last
/// message was received.
#[op2]
pub(crate) fn op_worker_outcome(
    state: &mut OpState,
    #[smi] rid: ResourceId,
) -> Result<Option<Failure>, ResourceError> {
    let worker = state.resource_table.get::<WorkerResource>(rid)?;
    Ok(worker.lifeline.take_outcome())
}

pub(super) fn send_raw(port: &MessagePort, data: JsBuffer) {
    if let Some(sender) = &*port.tx.borrow() {
        // This fails if the other side has ended, and then the message is not needed.
        let _ = sender.send((DetachedBuffer::from_v8slice(data.into_parts()), Vec::new()));
    }
}
