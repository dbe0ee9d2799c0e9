//! The parameters of permessage-deflate (RFC 7692 section 7.1).

use std::fmt;

use thiserror::Error;

use super::NAME;
use crate::handshake::extension::Extension;

/// What the two ends of a connection have agreed on.
///
/// The value displays as in the Sec-WebSocket-Extensions header of the server's
/// answer, such as `permessage-deflate; client_max_window_bits=15`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Parameters {
    /// The server compresses each message by itself (section 7.1.1.1).
    pub server_no_context_takeover: bool,
    /// The client compresses each message by itself (section 7.1.1.2).
    pub client_no_context_takeover: bool,
    /// The server's window, if it is limited (section 7.1.2.1).
    pub server_max_window_bits: Option<WindowBits>,
    /// The client's window, if it is limited (section 7.1.2.2).
    pub client_max_window_bits: Option<WindowBits>,
}

impl fmt::Display for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAME)?;
        if self.server_no_context_takeover {
            write!(f, "; {SERVER_NO_CONTEXT_TAKEOVER}")?;
        }
        if self.client_no_context_takeover {
            write!(f, "; {CLIENT_NO_CONTEXT_TAKEOVER}")?;
        }
        if let Some(bits) = self.server_max_window_bits {
            write!(f, "; {SERVER_MAX_WINDOW_BITS}={bits}")?;
        }
        if let Some(bits) = self.client_max_window_bits {
            write!(f, "; {CLIENT_MAX_WINDOW_BITS}={bits}")?;
        }
        Ok(())
    }
}

/// The base-2 logarithm of the size of an LZ77 window, in bytes: 8 to 15. The
/// default is 15, 32 KiB.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct WindowBits(u8);

impl WindowBits {
    /// 8, a window of 256 bytes.
    pub const MIN: Self = Self(8);
    /// 15, a window of 32 KiB.
    pub const MAX: Self = Self(15);

    /// The window of 2^`bits` bytes, or `None` outside 8-15.
    pub const fn new(bits: u8) -> Option<Self> {
        match bits {
            8..=15 => Some(Self(bits)),
            _ => None,
        }
    }

    /// The logarithm as a number, 8 to 15.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// The value of a parameter: decimal, without leading zeros.
    fn parse(value: &str) -> Option<Self> {
        if !value.starts_with(|first: char| matches!(first, '1'..='9')) {
            return None;
        }
        Self::new(value.parse().ok()?)
    }
}

impl Default for WindowBits {
    fn default() -> Self {
        Self::MAX
    }
}

impl fmt::Display for WindowBits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why the parameters of an offer or an answer are invalid.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum ParameterError {
    /// The extension has no such parameter.
    #[error("permessage-deflate has no parameter '{0}'")]
    Unknown(String),
    /// The parameter occurs more than once.
    #[error("parameter '{0}' of permessage-deflate is repeated")]
    Repeated(&'static str),
    /// The parameter needs a value and has none.
    #[error("parameter '{0}' of permessage-deflate has no value")]
    ValueMissing(&'static str),
    /// The parameter takes no value, or not this one.
    #[error("parameter '{name}' of permessage-deflate has the invalid value {value:?}")]
    Value {
        /// The name of the parameter.
        name: &'static str,
        /// Its value.
        value: String,
    },
}

/// The parameters of an offer, or of an answer if
/// [`into_answer`](Self::into_answer) succeeds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Offered {
    pub server_no_context_takeover: bool,
    pub client_no_context_takeover: bool,
    pub server_max_window_bits: Option<WindowBits>,
    /// `Some` if the client knows the parameter. The inner value is the window
    /// that the client asks for.
    pub client_max_window_bits: Option<Option<WindowBits>>,
}

impl Offered {
    pub(super) fn parse(extension: &Extension<'_>) -> Result<Self, ParameterError> {
        let mut offered = Self::default();
        for parameter in &extension.parameters {
            let value = parameter.value.as_deref();
            let repeated = match parameter.name {
                SERVER_NO_CONTEXT_TAKEOVER => {
                    no_value(SERVER_NO_CONTEXT_TAKEOVER, value)?;
                    std::mem::replace(&mut offered.server_no_context_takeover, true)
                        .then_some(SERVER_NO_CONTEXT_TAKEOVER)
                }
                CLIENT_NO_CONTEXT_TAKEOVER => {
                    no_value(CLIENT_NO_CONTEXT_TAKEOVER, value)?;
                    std::mem::replace(&mut offered.client_no_context_takeover, true)
                        .then_some(CLIENT_NO_CONTEXT_TAKEOVER)
                }
                SERVER_MAX_WINDOW_BITS => {
                    let value =
                        value.ok_or(ParameterError::ValueMissing(SERVER_MAX_WINDOW_BITS))?;
                    let bits = window_bits(SERVER_MAX_WINDOW_BITS, value)?;
                    let before = offered.server_max_window_bits.replace(bits);
                    before.map(|_| SERVER_MAX_WINDOW_BITS)
                }
                CLIENT_MAX_WINDOW_BITS => {
                    let bits = value
                        .map(|value| window_bits(CLIENT_MAX_WINDOW_BITS, value))
                        .transpose()?;
                    let before = offered.client_max_window_bits.replace(bits);
                    before.map(|_| CLIENT_MAX_WINDOW_BITS)
                }
                unknown => return Err(ParameterError::Unknown(unknown.to_owned())),
            };
            if let Some(name) = repeated {
                return Err(ParameterError::Repeated(name));
            }
        }
        Ok(offered)
    }

    /// The parameters as a server's answer. In an answer the client's window
    /// must have a value.
    pub(super) fn into_answer(self) -> Result<Parameters, ParameterError> {
        Ok(Parameters {
            server_no_context_takeover: self.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover,
            server_max_window_bits: self.server_max_window_bits,
            client_max_window_bits: match self.client_max_window_bits {
                Some(None) => return Err(ParameterError::ValueMissing(CLIENT_MAX_WINDOW_BITS)),
                Some(bits) => bits,
                None => None,
            },
        })
    }
}

fn no_value(name: &'static str, value: Option<&str>) -> Result<(), ParameterError> {
    match value {
        None => Ok(()),
        Some(value) => Err(ParameterError::Value {
            name,
            value: value.to_owned(),
        }),
    }
}

fn window_bits(name: &'static str, value: &str) -> Result<WindowBits, ParameterError> {
    WindowBits::parse(value).ok_or_else(|| ParameterError::Value {
        name,
        value: value.to_owned(),
    })
}

pub(super) const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
pub(super) const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
pub(super) const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";
pub(super) const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::extension;

    fn parse(parameters: &str) -> Result<Offered, ParameterError> {
        let value = format!("{NAME}{parameters}");
        let list = extension::parse(value.as_bytes()).unwrap();
        Offered::parse(&list[0])
    }

    #[test]
    fn all_parameters() {
        assert_eq!(parse(""), Ok(Offered::default()));
        assert_eq!(
            parse(
                "; client_max_window_bits; server_max_window_bits=\"10\"; \
                 client_no_context_takeover; server_no_context_takeover"
            ),
            Ok(Offered {
                server_no_context_takeover: true,
                client_no_context_takeover: true,
                server_max_window_bits: WindowBits::new(10),
                client_max_window_bits: Some(None),
            })
        );
        assert_eq!(
            parse("; client_max_window_bits=8")
                .unwrap()
                .client_max_window_bits,
            Some(Some(WindowBits::MIN))
        );
    }

    #[test]
    fn unknown_and_repeated_parameters() {
        assert_eq!(
            parse("; foo=1"),
            Err(ParameterError::Unknown("foo".to_owned()))
        );
        assert!(parse("; Server_no_context_takeover").is_err());
        for parameter in [
            SERVER_NO_CONTEXT_TAKEOVER,
            CLIENT_NO_CONTEXT_TAKEOVER,
            "server_max_window_bits=10",
            "client_max_window_bits=10",
            CLIENT_MAX_WINDOW_BITS,
        ] {
            assert!(matches!(
                parse(&format!("; {parameter}; {parameter}")),
                Err(ParameterError::Repeated(_))
            ));
        }
    }

    #[test]
    fn invalid_values() {
        for name in [SERVER_NO_CONTEXT_TAKEOVER, CLIENT_NO_CONTEXT_TAKEOVER] {
            assert!(matches!(
                parse(&format!("; {name}=1")),
                Err(ParameterError::Value { .. })
            ));
        }
        for name in [SERVER_MAX_WINDOW_BITS, CLIENT_MAX_WINDOW_BITS] {
            for bits in 8..=15 {
                assert!(parse(&format!("; {name}={bits}")).is_ok());
            }
            for value in ["0", "7", "16", "08", "+9", "-9", "1e1", "264", "x", "1_0"] {
                let value = parse(&format!("; {name}={value}"));
                assert!(matches!(value, Err(ParameterError::Value { .. })));
            }
        }
        assert_eq!(
            parse("; server_max_window_bits"),
            Err(ParameterError::ValueMissing(SERVER_MAX_WINDOW_BITS))
        );
        assert_eq!(
            parse("; client_max_window_bits").unwrap().into_answer(),
            Err(ParameterError::ValueMissing(CLIENT_MAX_WINDOW_BITS))
        );
    }

    #[test]
    fn display() {
        assert_eq!(Parameters::default().to_string(), NAME);
        let all = "permessage-deflate; server_no_context_takeover; \
                   client_no_context_takeover; server_max_window_bits=9; \
                   client_max_window_bits=15";
        let parameters = Parameters {
            server_no_context_takeover: true,
            client_no_context_takeover: true,
            server_max_window_bits: WindowBits::new(9),
            client_max_window_bits: Some(WindowBits::MAX),
        };
        assert_eq!(parameters.to_string(), all);
        let list = extension::parse(all.as_bytes()).unwrap();
        assert_eq!(
            Offered::parse(&list[0]).unwrap().into_answer(),
            Ok(parameters)
        );
    }
}
