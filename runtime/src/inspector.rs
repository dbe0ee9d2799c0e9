//! The engine's inspector. Chrome's DevTools and editors attach to it over a WebSocket, by the
//! Chrome DevTools Protocol. The server is Deno's.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use deno_core::JsRuntime;
use deno_core::url::Url;
use deno_inspector_server::InspectPublishUid;
use deno_inspector_server::InspectorServer;
use deno_inspector_server::InspectorServerError;
use duplex_websocket::show_to_debuggers;

/// Where debuggers attach, and whether a program waits for one.
#[derive(Clone)]
pub struct Inspector {
    server: Arc<InspectorServer>,
    start: InspectorStart,
}

/// When a program that can be debugged starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InspectorStart {
    /// At once (`--inspect`).
    AtOnce,
    /// When a debugger has attached (`--inspect-wait`).
    Attached,
    /// When a debugger has attached. The program then stops before its first statement
    /// (`--inspect-brk`).
    Paused,
}

impl Inspector {
    /// Listens for debuggers. A client that can reach the address can do all that the program can,
    /// so the address should be one of this machine that others cannot reach. With port 0 the
    /// system chooses a port. The URL for each engine is logged when the engine starts.
    ///
    /// # Errors
    ///
    /// If the address is taken, or is not an address of this machine.
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

    /// A copy for an engine that does not wait for a debugger, because another engine of the
    /// program waits.
    #[must_use]
    pub fn without_waiting(self) -> Self {
        Self {
            start: InspectorStart::AtOnce,
            ..self
        }
    }

    /// Lets debuggers find an engine. The engine's inspector must be on.
    pub(crate) fn register(&self, module: &Url, runtime: &JsRuntime) {
        let waits = self.start != InspectorStart::AtOnce;
        self.server
            .register_inspector(module.to_string(), runtime.inspector(), waits);
        show_to_debuggers(&runtime.inspector());
    }

    /// Blocks the thread until a debugger has attached, if the program must wait for one.
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
