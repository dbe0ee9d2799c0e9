//! Status codes and the payload of the Close frame (RFC 6455 sections 5.5.1 and
//! 7.4), and which of them a script may send (WHATWG WebSockets, `close()`).

use thiserror::Error;

pub use crate::close_code::CloseCode;

use crate::error::ProtocolError;
use crate::frame::{MAX_CONTROL_PAYLOAD, Role};

/// The longest reason that fits a Close frame beside its code, in bytes of
/// UTF-8.
pub const MAX_REASON_LENGTH: usize = MAX_CONTROL_PAYLOAD - 2;

/// The code that an API reports for a Close frame without one. The code is
/// never on the wire.
pub const NO_STATUS_RECEIVED: u16 = 1005;

/// The code that an API reports for a connection that ended without a Close
/// frame. The code is never on the wire.
pub const ABNORMAL_CLOSURE: u16 = 1006;

/// The payload of a Close frame: nothing, or a code with a reason of at most
/// [`MAX_REASON_LENGTH`] bytes, which may be empty.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Close {
    code: Option<CloseCode>,
    reason: String,
}

impl Close {
    /// A Close frame without payload.
    pub const fn empty() -> Self {
        Self {
            code: None,
            reason: String::new(),
        }
    }

    /// A Close frame with `code` and `reason`, for reasons that the endpoint
    /// words itself. A reason longer than [`MAX_REASON_LENGTH`] is cut at a
    /// character boundary. [`from_script`](Self::from_script) checks what a
    /// script passes.
    pub fn new(code: CloseCode, reason: impl Into<String>) -> Self {
        let mut reason = reason.into();
        reason.truncate(reason.floor_char_boundary(MAX_REASON_LENGTH));
        Self {
            code: Some(code),
            reason,
        }
    }

    /// The Close frame for a script's `close(code, reason)` by the rules of the [WHATWG standard].
    /// `code` is `None` if the argument is missing. `reason` is empty if the argument is missing. A
    /// reason without a code goes out with code 1000, because the wire has no form for it. `role`
    /// is the script's end of the connection: see [`script_code`].
    ///
    /// [WHATWG standard]: https://websockets.spec.whatwg.org/#dom-websocket-close
    ///
    /// # Errors
    ///
    /// [`ScriptCloseError`] if the code may not be sent, or the reason is longer than
    /// [`MAX_REASON_LENGTH`].
    pub fn from_script(
        code: Option<u16>,
        reason: impl Into<String>,
        role: Role,
    ) -> Result<Self, ScriptCloseError> {
        let code = code.map(|code| script_code(code, role)).transpose()?;
        let reason = reason.into();
        if reason.len() > MAX_REASON_LENGTH {
            return Err(ScriptCloseError::Reason);
        }
        let code = match code {
            None if !reason.is_empty() => Some(CloseCode::NORMAL),
            code => code,
        };
        Ok(Self { code, reason })
    }

    /// Parses the payload of a Close frame.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::ClosePayload`] for a single byte,
    /// [`ProtocolError::CloseCode`] for a code that must not be sent,
    /// [`ProtocolError::CloseReasonNotUtf8`] for a reason that is not UTF-8.
    pub fn decode(payload: &[u8]) -> Result<Self, ProtocolError> {
        let Some((code, reason)) = payload.split_first_chunk::<2>() else {
            return match payload {
                [] => Ok(Self::empty()),
                _ => Err(ProtocolError::ClosePayload),
            };
        };
        let code = u16::from_be_bytes(*code);
        let code = CloseCode::new(code).ok_or(ProtocolError::CloseCode(code))?;
        let reason =
            simdutf8::basic::from_utf8(reason).map_err(|_| ProtocolError::CloseReasonNotUtf8)?;
        Ok(Self {
            code: Some(code),
            reason: reason.to_owned(),
        })
    }

    /// The payload and its length, which is 0 or 2-125 bytes.
    pub fn encode(&self) -> ([u8; MAX_CONTROL_PAYLOAD], usize) {
        let mut payload = [0; MAX_CONTROL_PAYLOAD];
        let Some(code) = self.code else {
            return (payload, 0);
        };
        let end = 2 + self.reason.len();
        payload[..2].copy_from_slice(&code.get().to_be_bytes());
        payload[2..end].copy_from_slice(self.reason.as_bytes());
        (payload, end)
    }

    /// The code, if the frame has one.
    pub const fn code(&self) -> Option<CloseCode> {
        self.code
    }

    /// The code that an API reports: [`NO_STATUS_RECEIVED`] if the frame has
    /// none (RFC 6455 section 7.1.5).
    pub const fn event_code(&self) -> u16 {
        match self.code {
            Some(code) => code.get(),
            None => NO_STATUS_RECEIVED,
        }
    }

    /// The reason, empty if the frame has none.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The reason, handed over.
    pub fn into_reason(self) -> String {
        self.reason
    }
}

impl From<CloseCode> for Close {
    fn from(code: CloseCode) -> Self {
        Self::new(code, "")
    }
}

/// The Close frame that answers a violation, with its description as reason.
impl From<ProtocolError> for Close {
    fn from(error: ProtocolError) -> Self {
        Self::new(error.close_code(), error.to_string())
    }
}

/// Why a script's `close(code, reason)` is refused.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum ScriptCloseError {
    /// A script may not send the code: an `InvalidAccessError`.
    #[error("The close code must be either 1000 or in the range of 3000 to 4999")]
    Code(u16),
    /// The reason is longer than [`MAX_REASON_LENGTH`] bytes: a `SyntaxError`.
    #[error("The close reason must not be longer than 123 bytes")]
    Reason,
}

/// Checks a code that a script wants to send. A client may send 1000 and 3000-4999 (WHATWG
/// WebSockets, `close()`). A server may send every code that may stand on the wire (RFC 6455
/// section 7.4), as in Deno.
///
/// # Errors
///
/// [`ScriptCloseError::Code`] if the script may not send the code.
pub const fn script_code(code: u16, role: Role) -> Result<CloseCode, ScriptCloseError> {
    match (CloseCode::new(code), role, code) {
        (Some(code), Role::Server, _) | (Some(code), Role::Client, 1000 | 3000..) => Ok(code),
        _ => Err(ScriptCloseError::Code(code)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legal_codes() {
        let legal: Vec<u16> = (0..=u16::MAX)
            .filter(|code| CloseCode::new(*code).is_some())
            .collect();
        let expected: Vec<u16> = (1000..=1003)
            .chain(1007..=1014)
            .chain(3000..=4999)
            .collect();
        assert_eq!(legal, expected);
    }

    #[test]
    fn script_codes() {
        for code in 0..=u16::MAX {
            let allowed = code == 1000 || (3000..5000).contains(&code);
            assert_eq!(script_code(code, Role::Client).is_ok(), allowed, "{code}");
            let legal = CloseCode::new(code).is_some();
            assert_eq!(script_code(code, Role::Server).is_ok(), legal, "{code}");
        }
    }

    #[test]
    fn decode_empty() {
        let close = Close::decode(&[]).unwrap();
        assert_eq!(close, Close::empty());
        assert_eq!(close.event_code(), 1005);
        assert_eq!(close.encode().1, 0);
    }

    #[test]
    fn decode_one_byte() {
        assert_eq!(Close::decode(&[3]), Err(ProtocolError::ClosePayload));
    }

    #[test]
    fn decode_illegal_code() {
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
            assert_eq!(
                Close::decode(&u16::to_be_bytes(code)),
                Err(ProtocolError::CloseCode(code))
            );
        }
    }

    #[test]
    fn decode_reason_not_utf8() {
        assert_eq!(
            Close::decode(b"\x03\xe8\xff"),
            Err(ProtocolError::CloseReasonNotUtf8)
        );
        assert_eq!(
            Close::decode("\u{20ac}".as_bytes().split_at(2).0),
            Err(ProtocolError::CloseCode(0xe282))
        );
    }

    #[test]
    fn round_trip() {
        for reason in ["", "bye", "\u{20ac}", &"x".repeat(123)] {
            let close = Close::new(CloseCode::GOING_AWAY, reason);
            let (payload, len) = close.encode();
            assert_eq!(len, 2 + reason.len());
            let decoded = Close::decode(&payload[..len]).unwrap();
            assert_eq!(decoded, close);
            assert_eq!(decoded.event_code(), 1001);
            assert_eq!(decoded.into_reason(), reason);
        }
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let close = Close::new(CloseCode::NORMAL, "\u{20ac}".repeat(42));
        assert_eq!(close.reason().len(), 123);
        let close = Close::new(CloseCode::NORMAL, "x".to_owned() + &"\u{20ac}".repeat(42));
        assert_eq!(close.reason().len(), 121);
    }

    #[test]
    fn from_script() {
        let client = |code, reason: &str| Close::from_script(code, reason, Role::Client);
        assert_eq!(client(None, ""), Ok(Close::empty()));
        let reason = "a".repeat(123);
        let close = Close::new(CloseCode::new(3000).unwrap(), reason.as_str());
        assert_eq!(client(Some(3000), &reason), Ok(close));
        assert_eq!(
            client(None, "bye"),
            Ok(Close::new(CloseCode::NORMAL, "bye"))
        );
        assert_eq!(client(Some(1001), ""), Err(ScriptCloseError::Code(1001)));
        let going_away = Close::from_script(Some(1001), "", Role::Server);
        assert_eq!(going_away, Ok(CloseCode::GOING_AWAY.into()));
        // The limit counts bytes, not characters.
        let long = "\u{e9}".repeat(62);
        assert_eq!(client(Some(1000), &long), Err(ScriptCloseError::Reason));
    }

    #[test]
    fn from_error() {
        let close = Close::from(ProtocolError::TextNotUtf8);
        assert_eq!(close.code(), Some(CloseCode::INVALID_PAYLOAD));
        assert!(close.reason().contains("UTF-8"));
    }
}
