//! The sockets of a runtime in the list of network requests of the debuggers that are attached.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use deno_core::JsRuntimeInspector;
use deno_core::unsync::spawn;
use tokio::sync::mpsc::unbounded_channel;

use crate::network_events::{self, NetworkEvent};

/// Shows debuggers the sockets of this thread from now on, with all of their frames. Call this once
/// for a runtime whose `inspector` is on, on the runtime's thread.
///
/// A task of its own sends the events, because the engine's list of debuggers is in use while
/// script runs that a debugger has started.
pub fn show_to_debuggers(inspector: &Rc<JsRuntimeInspector>) {
    let (events, mut waiting) = unbounded_channel();
    network_events::observe(move |event| {
        let _ = events.send(event);
    });
    // An engine must not outlive its own inspector.
    let inspector = Rc::downgrade(inspector);
    spawn(async move {
        let mut sockets = Sockets::default();
        while let Some(event) = waiting.recv().await {
            let Some(inspector) = inspector.upgrade() else {
                return;
            };
            let is_watched = inspector.sessions_state().has_active;
            for event in sockets.shown_for(event, is_watched) {
                inspector.broadcast_to_sessions(event.method, &event.params.to_string());
            }
        }
    });
}

/// The sockets that are open. A debugger that attaches later is told the opening of a socket when
/// the next event of the socket comes.
#[derive(Default)]
struct Sockets {
    /// The events of each opening, by the id of the request.
    openings: HashMap<String, Vec<NetworkEvent>>,
    /// The sockets whose opening a debugger was told.
    shown: HashSet<String>,
}

impl Sockets {
    /// What to tell debuggers about an event. `is_watched` says whether a
    /// debugger is attached.
    fn shown_for(&mut self, event: NetworkEvent, is_watched: bool) -> Vec<NetworkEvent> {
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
