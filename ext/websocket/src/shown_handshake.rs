//! The opening handshakes of servers, for debuggers.

use deno_core::OpState;

use crate::hub::Hub;
use crate::network_events;

/// An opening handshake that a server has answered.
pub struct ShownHandshake<'a> {
    /// The `ws` or `wss` URL that the client asked for.
    pub url: String,
    /// The headers of the request.
    pub request: Vec<(&'a str, &'a [u8])>,
    /// 101, or 200 over HTTP/2.
    pub status: u16,
    /// The headers of the answer.
    pub answer: Vec<(&'a str, &'a [u8])>,
}

impl ShownHandshake<'_> {
    /// Shows debuggers that the handshake has opened the server's connection `id` of this runtime.
    /// Call this before anything comes on the connection, if [`network_events::is_on`].
    pub fn show(self, state: &mut OpState, id: u32) {
        let Some(connection) = Hub::of(state).get(id) else {
            return;
        };
        if let Some(request) = network_events::created(&self.url) {
            network_events::asks(request, self.request);
            network_events::answered(request, self.status, self.answer);
            network_events::opened(request, connection.shown());
        }
    }
}
