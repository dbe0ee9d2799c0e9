//! The ops for the owner of a `Worker` of `node:worker_threads`. They have the names of Deno's ops,
//! because deno_node's JavaScript calls them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

use deno_core::CancelFuture;
use deno_core::CancelHandle;
use deno_core::DetachedBuffer;
use deno_core::FromV8;
use deno_core::JsBuffer;
use deno_core::OpState;
use deno_core::op2;
use deno_permissions::PermissionsContainer;
use deno_web::JsMessageData;
use deno_web::MessagePort;
use deno_web::MessagePortError;
use deno_web::RecvMessageData;
use deno_web::Transferable;
use deno_web::create_entangled_message_port;
use deno_web::deserialize_js_transferables;
use deno_web::serialize_transferables;
use serde::Serialize;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::mpsc::unbounded_channel;

use crate::ops::worker_host::CreateError;
use crate::ops::worker_host::send_raw;
use crate::shared_options::SharedOptions;
use crate::web_worker::lifeline::Lifeline;
use crate::web_worker::start::NodeThread;
use crate::web_worker::start::WebWorkerStart;
use crate::web_worker::start::WorkerSpawner;

/// The owner's side of a worker. The worker ends when this is dropped, at the latest with the
/// owner's engine.
struct NodeWorker {
    port: MessagePort,
    lifeline: Arc<Lifeline>,
    receiving: Rc<CancelHandle>,
}

impl Drop for NodeWorker {
    fn drop(&mut self) {
        self.receiving.cancel();
        self.lifeline.end();
    }
}

/// The workers of an engine, by the thread id that Node.js uses.
#[derive(Default)]
struct NodeWorkers(HashMap<u32, Rc<NodeWorker>>);

fn worker(state: &OpState, id: u32) -> Option<Rc<NodeWorker>> {
    state.try_borrow::<NodeWorkers>()?.0.get(&id).cloned()
}

#[derive(FromV8)]
pub(super) struct CreateArguments {
    specifier: String,
    has_source_code: bool,
    source_code: String,
    name: Option<String>,
}

/// Starts a worker, and returns its number. `metadata` is the first message to the worker, which
/// the worker receives before it runs.
#[op2(stack_trace)]
#[smi]
pub(crate) fn op_create_worker(
    state: &mut OpState,
    #[scoped] arguments: CreateArguments,
    #[serde] metadata: Option<JsMessageData>,
) -> Result<u32, CreateError> {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let shared = state.borrow::<SharedOptions>().clone();
    let spawner = *state.borrow::<WorkerSpawner>();
    let loaders = shared
        .web_workers
        .clone()
        .ok_or(CreateError::NotSupported)?;
    let url = deno_core::resolve_url(&arguments.specifier)?;
    let permissions = state.borrow::<PermissionsContainer>().clone();
    let (outside, inside) = create_entangled_message_port();
    let has_metadata = metadata.is_some();
    if let Some(metadata) = metadata {
        outside.send(state, metadata)?;
    }
    let lifeline = Lifeline::new();
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    let worker = NodeWorker {
        port: outside,
        lifeline: lifeline.clone(),
        receiving: CancelHandle::new_rc(),
    };
    (spawner.0)(WebWorkerStart {
        shared,
        loaders,
        url,
        source: None,
        name: arguments.name.unwrap_or_default(),
        is_classic: false,
        node: Some(NodeThread {
            id,
            has_metadata,
            code: arguments.has_source_code.then_some(arguments.source_code),
        }),
        owner_permissions: permissions.clone(),
        permissions,
        port: inside,
        lifeline,
    })?;
    if !state.has::<NodeWorkers>() {
        state.put(NodeWorkers::default());
    }
    let workers = state.borrow_mut::<NodeWorkers>();
    workers.0.insert(id, Rc::new(worker));
    Ok(id)
}

#[op2(fast)]
pub(crate) fn op_host_terminate_worker(state: &mut OpState, #[smi] id: u32) {
    if let Some(workers) = state.try_borrow_mut::<NodeWorkers>() {
        workers.0.remove(&id);
    }
}

#[op2]
pub(crate) fn op_host_post_message(
    state: &mut OpState,
    #[smi] id: u32,
    #[serde] data: JsMessageData,
) -> Result<(), MessagePortError> {
    match worker(state, id) {
        Some(worker) => worker.port.send(state, data),
        None => Ok(()),
    }
}

#[op2]
pub(crate) fn op_host_post_message_raw(
    state: &mut OpState,
    #[smi] id: u32,
    #[buffer(detach)] data: JsBuffer,
) {
    if let Some(worker) = worker(state, id) {
        send_raw(&worker.port, data);
    }
}

/// The next message, or null if the worker has ended or was terminated.
#[op2(async(lazy), fast)]
pub(crate) async fn op_host_recv_message(
    state: Rc<RefCell<OpState>>,
    #[smi] id: u32,
) -> Result<Option<RecvMessageData>, MessagePortError> {
    let Some(worker) = worker(&state.borrow(), id) else {
        return Ok(None);
    };
    let receiving = worker.receiving.clone();
    match worker.port.recv(state).or_cancel(receiving).await {
        Ok(received) => received,
        Err(_) => Ok(None),
    }
}

/// A message that has already come, or null.
#[op2]
#[serde]
pub(crate) fn op_host_recv_message_sync(
    state: &mut OpState,
    #[smi] id: u32,
) -> Result<Option<JsMessageData>, MessagePortError> {
    match worker(state, id) {
        Some(worker) => worker.port.try_recv_sync(state),
        None => Ok(None),
    }
}

/// What ended a worker, with the codes of deno_node.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Control {
    Failed(u8, Failed),
    Closed(u8, i32),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Failed {
    name: Option<String>,
    error_message: String,
    exit_code: i32,
}

const FAILED: u8 = 1;
const CLOSED: u8 = 3;

/// Waits until the worker has ended, and returns what ended it.
#[op2]
#[serde]
pub(crate) async fn op_host_recv_ctrl(state: Rc<RefCell<OpState>>, #[smi] id: u32) -> Control {
    let Some(worker) = worker(&state.borrow(), id) else {
        return Control::Closed(CLOSED, 1);
    };
    let lifeline = worker.lifeline.clone();
    let receiving = worker.receiving.clone();
    drop(worker);
    if lifeline.over().or_cancel(receiving).await.is_err() {
        return Control::Closed(CLOSED, 1);
    }
    match lifeline.take_outcome() {
        Some(failure) => {
            let (name, error_message) = split_name(&failure.message);
            Control::Failed(
                FAILED,
                Failed {
                    name,
                    error_message,
                    exit_code: 1,
                },
            )
        }
        None => Control::Closed(CLOSED, lifeline.exit_code()),
    }
}

/// Splits a message into the name of the error and the rest: `Uncaught TypeError: no` is a
/// `TypeError` with the message "no".
fn split_name(message: &str) -> (Option<String>, String) {
    let message = message.strip_prefix("Uncaught ").unwrap_or(message);
    let message = message.strip_prefix("(in promise) ").unwrap_or(message);
    match message.split_once(": ") {
        Some((name, rest)) if name.ends_with("Error") && !name.contains(' ') => {
            (Some(name.to_string()), rest.to_string())
        }
        _ => (None, message.to_string()),
    }
}

/// The CPU time of a worker in microseconds. It is always 0, because duplex does not measure the
/// time of another thread.
#[op2(fast)]
pub(crate) fn op_host_get_worker_cpu_usage(#[smi] _id: u32, #[buffer] out: &mut [f64]) {
    out.fill(0.0);
}

type ThreadMessage = (DetachedBuffer, Vec<Transferable>);

/// A thread that other threads can send messages to by its id.
struct Thread {
    sender: UnboundedSender<ThreadMessage>,
    listeners: AtomicU32,
}

static THREADS: LazyLock<Mutex<HashMap<u32, Arc<Thread>>>> = LazyLock::new(Mutex::default);

fn thread(id: u32) -> Option<Arc<Thread>> {
    let threads = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
    threads.get(&id).cloned()
}

/// The messages for this thread. Other threads can send messages for as long as this exists.
struct Mailbox {
    id: u32,
    receiver: RefCell<UnboundedReceiver<ThreadMessage>>,
}

impl deno_core::Resource for Mailbox {}

impl Drop for Mailbox {
    fn drop(&mut self) {
        let mut threads = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
        threads.remove(&self.id);
    }
}

#[op2(fast)]
#[smi]
pub(crate) fn op_node_worker_thread_register(state: &mut OpState, #[smi] id: u32) -> u32 {
    let (sender, receiver) = unbounded_channel();
    let thread = Arc::new(Thread {
        sender,
        listeners: AtomicU32::new(0),
    });
    let mut threads = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
    threads.insert(id, thread);
    state.resource_table.add(Mailbox {
        id,
        receiver: RefCell::new(receiver),
    })
}

#[op2(fast)]
pub(crate) fn op_node_worker_thread_set_listener_count(#[smi] id: u32, #[smi] count: u32) {
    if let Some(thread) = thread(id) {
        thread.listeners.store(count, Ordering::SeqCst);
    }
}

/// Returns 0 if there is no such thread, 1 if the thread does not listen, and 2 if the message was
/// sent. With `force` the message is sent even if the thread does not listen.
#[op2]
pub(crate) fn op_node_worker_thread_post_message(
    state: &mut OpState,
    #[smi] id: u32,
    #[serde] data: JsMessageData,
    force: bool,
) -> Result<u8, MessagePortError> {
    let Some(thread) = thread(id) else {
        return Ok(0);
    };
    if !force && thread.listeners.load(Ordering::SeqCst) == 0 {
        return Ok(1);
    }
    let transferred = deserialize_js_transferables(state, data.transferables)?;
    match thread.sender.send((data.data, transferred)) {
        Ok(()) => Ok(2),
        Err(_) => Ok(0),
    }
}

#[op2]
#[serde]
pub(crate) async fn op_node_worker_thread_recv_message(
    state: Rc<RefCell<OpState>>,
    #[smi] rid: u32,
) -> Option<JsMessageData> {
    let mailbox = state.borrow().resource_table.get::<Mailbox>(rid).ok()?;
    let received = std::future::poll_fn(|cx| mailbox.receiver.borrow_mut().poll_recv(cx)).await;
    let (data, transferred) = received?;
    let transferables = serialize_transferables(&mut state.borrow_mut(), transferred);
    Some(JsMessageData {
        data,
        transferables,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_an_error() {
        let split = |text: &str| split_name(text);
        assert_eq!(
            split("Uncaught (in promise) TypeError: a: b"),
            (Some("TypeError".to_string()), "a: b".to_string())
        );
        assert_eq!(split("Uncaught no: no"), (None, "no: no".to_string()));
    }
}
