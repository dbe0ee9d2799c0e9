//! The engine's inspector: Chrome DevTools and editors attach to it, by Chrome's DevTools
//! protocol over a WebSocket. The server is Deno's.

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
        show_to_debuggers(&runtime.inspector());
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
