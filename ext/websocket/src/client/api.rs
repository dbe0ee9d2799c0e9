//! The name of the API for permissions.

/// The name of the API for permissions.
pub(super) const API: &str = "new WebSocket()";
