//! The engine's inspector: Chrome DevTools and editors attach to it, by Chrome's DevTools
//! protocol over a WebSocket. The server is Deno's.

use std::collections::HashMap;
use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use deno_core::JsRuntime;
use deno_core::unsync::spawn;
use deno_core::url::Url;
use deno_inspector_server::InspectPublishUid;
use deno_inspector_server::InspectorServer;
use deno_inspector_server::InspectorServerError;
use duplex_websocket::network_events;
use duplex_websocket::network_events::NetworkEvent;
use tokio::sync::mpsc::unbounded_channel;

/// Where debuggers attach, and whether a program waits for one.
#[derive(Clone)]
pub struct Inspector {
    server: Arc<InspectorServer>,
    start: InspectorStart,
}

/// When a program starts that can be debugged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InspectorStart {
    /// At once (`--inspect`).
    AtOnce,
    /// When a debugger has attached (`--inspect-wait`).
    Attached,
    /// Likewise, and it stops before its first statement (`--inspect-brk`).
    Paused,
}

impl Inspector {
    /// Listens for debuggers. Whoever reaches the address can do all that the program can, so
    /// it should be one of this machine. Port 0 is one that the system chooses. The URL for each
    /// engine is logged when the engine starts.
    ///
    /// # Errors
    ///
    /// The address is taken, or is not one of this machine.
    pub fn listen(address: SocketAddr, start: InspectorStart) -> io::Result<Self> {
        let server = InspectorServer::new(address, "duplex", InspectPublishUid::default());
        let server = server.map_err(|error| match error {
            InspectorServerError::Io(error)
            | InspectorServerError::Connect { source: error, .. }
            | InspectorServerError::LocalAddr { source: error, .. } => error,
        })?;
        Ok(Self {
            server: Arc::new(server),
            start,
        })
    }

    /// The same for an engine that waits for nobody, since another one of the program does.
    #[must_use]
    pub fn without_waiting(self) -> Self {
        Self {
            start: InspectorStart::AtOnce,
            ..self
        }
    }

    /// Lets debuggers find an engine, whose inspector is on.
    pub(crate) fn register(&self, module: &Url, runtime: &JsRuntime) {
        let waits = self.start != InspectorStart::AtOnce;
        self.server
            .register_inspector(module.to_string(), runtime.inspector(), waits);
        show_sockets(runtime);
    }

    /// Blocks the thread until a debugger has attached, if the program is to wait for one.
    pub(crate) fn wait(&self, runtime: &JsRuntime) {
        match self.start {
            InspectorStart::AtOnce => {}
            InspectorStart::Attached => runtime.inspector().wait_for_session(),
            InspectorStart::Paused => {
                runtime
                    .inspector()
                    .wait_for_session_and_break_on_next_statement();
            }
        }
    }
}

/// Shows the sockets of this thread in the debugger's list of network requests.
///
/// The events wait for a task of their own. While script runs that a debugger has started, the
/// engine's list of debuggers is in use.
fn show_sockets(runtime: &JsRuntime) {
    let (events, mut waiting) = unbounded_channel();
    network_events::observe(move |event| {
        let _ = events.send(event);
    });
    let inspector = Rc::downgrade(&runtime.inspector());
    spawn(async move {
        let mut sockets = Sockets::default();
        while let Some(event) = waiting.recv().await {
            // An engine must not outlive its own inspector.
            let Some(inspector) = inspector.upgrade() else {
                return;
            };
            let is_watched = inspector.sessions_state().has_active;
            for event in sockets.to_show(event, is_watched) {
                inspector.broadcast_to_sessions(event.method, &event.params.to_string());
            }
        }
    });
}

/// The sockets that are open. A debugger that attaches later is told how a socket came to be
/// when something happens on it.
#[derive(Default)]
struct Sockets {
    /// By the ids of their requests, how they came to be.
    openings: HashMap<String, Vec<NetworkEvent>>,
    /// Those whose opening a debugger was told.
    shown: HashSet<String>,
}

impl Sockets {
    /// What to tell debuggers of an event, if there are any.
    fn to_show(&mut self, event: NetworkEvent, is_watched: bool) -> Vec<NetworkEvent> {
        let id = event.params["requestId"].as_str().unwrap_or_default();
        let id = id.to_owned();
        let is_opening = matches!(
            event.method,
            "Network.webSocketCreated"
                | "Network.webSocketWillSendHandshakeRequest"
                | "Network.webSocketHandshakeResponseReceived"
        );
        let is_end = event.method == "Network.webSocketClosed";
        if is_opening {
            let opening = self.openings.entry(id.clone()).or_default();
            opening.push(event.clone());
        }
        let mut shown = Vec::new();
        if !is_watched {
            self.shown.clear();
        } else if self.shown.insert(id.clone()) {
            shown.extend(self.openings.get(&id).into_iter().flatten().cloned());
            if !is_opening {
                shown.push(event);
            }
        } else {
            shown.push(event);
        }
        if is_end {
            self.openings.remove(&id);
            self.shown.remove(&id);
        }
        shown
    }
}
