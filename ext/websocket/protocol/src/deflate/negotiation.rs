//! Which parameters a connection uses (RFC 7692 sections 5 and 7.1).

use thiserror::Error;

use super::NAME;
use super::compressor::Compression;
use super::parameters::{
    CLIENT_MAX_WINDOW_BITS, Offered, ParameterError, Parameters, SERVER_MAX_WINDOW_BITS,
    SERVER_NO_CONTEXT_TAKEOVER, WindowBits,
};
use crate::handshake::extension::{self, Extension, MalformedExtensions};

/// How a server compresses, and what it asks of clients.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ServerConfig {
    /// Compress each message by itself: less memory, less compression. The
    /// default is `false`. A client may ask for this even if the value is
    /// `false`.
    pub server_no_context_takeover: bool,
    /// Have clients compress each message by itself. The default is `false`. A
    /// client may choose this even if the value is `false`.
    pub client_no_context_takeover: bool,
    /// The largest window to compress with. The default is 15. A client may ask
    /// for a smaller window.
    pub server_max_window_bits: WindowBits,
    /// The largest window that clients may compress with. The default is 15. If
    /// the value is smaller, an offer that does not allow a limit is declined.
    pub client_max_window_bits: WindowBits,
    /// How the server compresses.
    pub compression: Compression,
}

impl ServerConfig {
    /// Accepts the first offer that can be accepted. Returns `None` if there is
    /// no such offer. The connection is then not compressed. Offers with
    /// unknown, repeated or invalid parameters are passed over (section 7).
    pub fn accept(&self, offers: &[Extension<'_>]) -> Option<Parameters> {
        offers
            .iter()
            .filter(|offer| offer.name == NAME)
            .filter_map(|offer| Offered::parse(offer).ok())
            .find_map(|offered| self.accept_one(offered))
    }

    fn accept_one(&self, offered: Offered) -> Option<Parameters> {
        let client_max_window_bits = match offered.client_max_window_bits {
            // The client does not allow a limit.
            None if self.client_max_window_bits < WindowBits::MAX => return None,
            None => None,
            Some(hint) => limited(hint, self.client_max_window_bits),
        };
        Some(Parameters {
            server_no_context_takeover: offered.server_no_context_takeover
                || self.server_no_context_takeover,
            client_no_context_takeover: offered.client_no_context_takeover
                || self.client_no_context_takeover,
            server_max_window_bits: limited(
                offered.server_max_window_bits,
                self.server_max_window_bits,
            ),
            client_max_window_bits,
        })
    }
}

/// How a client compresses, and what it asks of servers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ClientConfig {
    /// Ask the server to compress each message by itself. The default is
    /// `false`. A server that does not agree must decline the offer.
    pub server_no_context_takeover: bool,
    /// Compress each message by itself. The default is `false`. The server may
    /// ask for this even if the value is `false`.
    pub client_no_context_takeover: bool,
    /// Ask the server for a window of this size at most. The default is `None`,
    /// no limit. A server that does not agree must decline the offer.
    pub server_max_window_bits: Option<WindowBits>,
    /// The largest window to compress with. The default is 15. The server may
    /// ask for a smaller window.
    pub client_max_window_bits: WindowBits,
    /// How the client compresses.
    pub compression: Compression,
}

impl ClientConfig {
    /// The offer, for the Sec-WebSocket-Extensions header. By default it is
    /// `permessage-deflate; client_max_window_bits`.
    pub fn offer(&self) -> String {
        let parameters = Parameters {
            server_no_context_takeover: self.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover,
            server_max_window_bits: self.server_max_window_bits,
            client_max_window_bits: limited(None, self.client_max_window_bits),
        };
        let mut offer = parameters.to_string();
        if parameters.client_max_window_bits.is_none() {
            offer.push_str("; ");
            offer.push_str(CLIENT_MAX_WINDOW_BITS);
        }
        offer
    }

    /// Checks the answer to the [offer](Self::offer): all extensions that the
    /// server lists. Returns the parameters for the connection, or `None` if
    /// the server declined.
    ///
    /// A limit that the client imposes on itself holds, and is returned, even
    /// if the answer does not repeat the limit.
    ///
    /// # Errors
    ///
    /// [`DeflateAnswerError`]: the connection must fail (section 7.1).
    pub fn check(
        &self,
        answer: &[Extension<'_>],
    ) -> Result<Option<Parameters>, DeflateAnswerError> {
        let mut accepted = None;
        for extension in answer {
            if extension.name != NAME {
                return Err(DeflateAnswerError::Unknown(extension.name.to_owned()));
            }
            if accepted.replace(extension).is_some() {
                return Err(DeflateAnswerError::Repeated);
            }
        }
        let Some(extension) = accepted else {
            return Ok(None);
        };
        let mut parameters = Offered::parse(extension)?.into_answer()?;

        if self.server_no_context_takeover && !parameters.server_no_context_takeover {
            return Err(DeflateAnswerError::Missing(SERVER_NO_CONTEXT_TAKEOVER));
        }
        match (
            self.server_max_window_bits,
            parameters.server_max_window_bits,
        ) {
            (Some(_), None) => return Err(DeflateAnswerError::Missing(SERVER_MAX_WINDOW_BITS)),
            (Some(limit), Some(bits)) if bits > limit => {
                return Err(DeflateAnswerError::TooLarge {
                    name: SERVER_MAX_WINDOW_BITS,
                    bits,
                    limit,
                });
            }
            _ => {}
        }
        let limit = self.client_max_window_bits;
        if let Some(bits) = parameters.client_max_window_bits
            && bits > limit
        {
            return Err(DeflateAnswerError::TooLarge {
                name: CLIENT_MAX_WINDOW_BITS,
                bits,
                limit,
            });
        }
        parameters.client_no_context_takeover |= self.client_no_context_takeover;
        if parameters.client_max_window_bits.is_none() {
            parameters.client_max_window_bits = limited(None, limit);
        }
        Ok(Some(parameters))
    }

    /// Parses the lines of the header, and [checks](Self::check) the answer.
    ///
    /// # Errors
    ///
    /// The errors of [`check`](Self::check), and
    /// [`DeflateAnswerError::Malformed`].
    pub fn check_lines<'h>(
        &self,
        lines: impl IntoIterator<Item = &'h [u8]>,
    ) -> Result<Option<Parameters>, DeflateAnswerError> {
        let mut answer = Vec::new();
        for line in lines {
            answer.extend(extension::parse(line)?);
        }
        self.check(&answer)
    }
}

/// Why a server's answer does not fit the [offer](ClientConfig::offer).
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum DeflateAnswerError {
    /// The header does not follow its grammar.
    #[error(transparent)]
    Malformed(#[from] MalformedExtensions),
    /// The server uses an extension that was not offered.
    #[error("extension '{0}' was not offered")]
    Unknown(String),
    /// The server accepts the extension twice.
    #[error("permessage-deflate is accepted more than once")]
    Repeated,
    /// A parameter is unknown, repeated, or has an invalid value.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// A parameter that was asked for is missing.
    #[error("parameter '{0}' of permessage-deflate was asked for and is missing")]
    Missing(&'static str),
    /// A window is larger than the offer allows.
    #[error("parameter '{name}' of permessage-deflate is {bits}, more than the {limit} offered")]
    TooLarge {
        /// The name of the parameter.
        name: &'static str,
        /// What the server answered.
        bits: WindowBits,
        /// What was offered.
        limit: WindowBits,
    },
}

/// The smaller of the two windows, if the parameter has to be written. It has
/// to be if the other end asked for a limit, or if `limit` is smaller than the
/// largest window.
fn limited(asked: Option<WindowBits>, limit: WindowBits) -> Option<WindowBits> {
    match asked {
        Some(asked) => Some(asked.min(limit)),
        None => (limit < WindowBits::MAX).then_some(limit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(bits: u8) -> WindowBits {
        WindowBits::new(bits).unwrap()
    }

    fn accept(config: &ServerConfig, offers: &str) -> Option<String> {
        let offers = extension::parse(offers.as_bytes()).unwrap();
        config.accept(&offers).map(|accepted| accepted.to_string())
    }

    fn check(config: &ClientConfig, answer: &str) -> Result<Option<String>, DeflateAnswerError> {
        let accepted = config.check_lines([answer.as_bytes()])?;
        Ok(accepted.map(|accepted| accepted.to_string()))
    }

    #[test]
    fn a_server_by_default() {
        let config = ServerConfig::default();
        for (offers, accepted) in [
            ("permessage-deflate", Some("permessage-deflate")),
            // Browsers offer this. The server asks for no limit.
            (
                "permessage-deflate; client_max_window_bits",
                Some("permessage-deflate"),
            ),
            (
                "permessage-deflate; client_max_window_bits=10",
                Some("permessage-deflate; client_max_window_bits=10"),
            ),
            (
                "permessage-deflate; server_max_window_bits=9",
                Some("permessage-deflate; server_max_window_bits=9"),
            ),
            (
                "permessage-deflate; server_max_window_bits=8; client_max_window_bits=8",
                Some("permessage-deflate; server_max_window_bits=8; client_max_window_bits=8"),
            ),
            (
                "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
                Some("permessage-deflate; server_no_context_takeover; client_no_context_takeover"),
            ),
            ("", None),
            ("x-webkit-deflate-frame", None),
            ("permessage-bzip2, foo; bar", None),
        ] {
            assert_eq!(accept(&config, offers).as_deref(), accepted, "{offers}");
        }
    }

    #[test]
    fn invalid_offers_are_passed_over() {
        let config = ServerConfig::default();
        for bad in [
            "foo",
            "server_no_context_takeover=1",
            "client_no_context_takeover=true",
            "server_max_window_bits",
            "server_max_window_bits=7",
            "server_max_window_bits=16",
            "server_max_window_bits=09",
            "client_max_window_bits=0",
            "client_max_window_bits; client_max_window_bits",
            "server_max_window_bits=10; server_max_window_bits=10",
        ] {
            let bad = format!("permessage-deflate; {bad}");
            assert_eq!(accept(&config, &bad), None, "{bad}");
            assert_eq!(
                accept(
                    &config,
                    &format!("{bad}, permessage-deflate; server_max_window_bits=12")
                )
                .as_deref(),
                Some("permessage-deflate; server_max_window_bits=12")
            );
        }
    }

    #[test]
    fn a_server_with_limits() {
        let config = ServerConfig {
            server_no_context_takeover: true,
            client_no_context_takeover: true,
            server_max_window_bits: bits(11),
            client_max_window_bits: bits(10),
            ..ServerConfig::default()
        };
        let both = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
        for (offers, server, client) in [
            ("; client_max_window_bits", 11, 10),
            ("; client_max_window_bits=15", 11, 10),
            ("; client_max_window_bits=9", 11, 9),
            (
                "; client_max_window_bits; server_max_window_bits=15",
                11,
                10,
            ),
            ("; client_max_window_bits; server_max_window_bits=9", 9, 10),
            // The first offer allows no limit on the client's window. The
            // second offer does.
            (", permessage-deflate; client_max_window_bits", 11, 10),
        ] {
            assert_eq!(
                accept(&config, &format!("permessage-deflate{offers}")),
                Some(format!(
                    "{both}; server_max_window_bits={server}; client_max_window_bits={client}"
                )),
                "{offers}"
            );
        }
        assert_eq!(accept(&config, "permessage-deflate"), None);
    }

    #[test]
    fn offers() {
        assert_eq!(
            ClientConfig::default().offer(),
            "permessage-deflate; client_max_window_bits"
        );
        let config = ClientConfig {
            server_no_context_takeover: true,
            client_no_context_takeover: true,
            server_max_window_bits: Some(bits(10)),
            client_max_window_bits: bits(12),
            ..ClientConfig::default()
        };
        assert_eq!(
            config.offer(),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
             server_max_window_bits=10; client_max_window_bits=12"
        );
    }

    #[test]
    fn answers_by_default() {
        let config = ClientConfig::default();
        assert_eq!(check(&config, ""), Ok(None));
        for good in [
            "permessage-deflate",
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            "permessage-deflate; server_max_window_bits=8; client_max_window_bits=8",
            "permessage-deflate; client_max_window_bits=15",
        ] {
            assert_eq!(check(&config, good), Ok(Some(good.to_owned())));
        }
        for (bad, error) in [
            ("a b", DeflateAnswerError::Malformed(MalformedExtensions)),
            ("foo", DeflateAnswerError::Unknown("foo".to_owned())),
            (
                "permessage-deflate, foo",
                DeflateAnswerError::Unknown("foo".to_owned()),
            ),
            (
                "permessage-deflate, permessage-deflate",
                DeflateAnswerError::Repeated,
            ),
            (
                "permessage-deflate; foo",
                DeflateAnswerError::Parameter(ParameterError::Unknown("foo".to_owned())),
            ),
            (
                "permessage-deflate; client_max_window_bits",
                DeflateAnswerError::Parameter(ParameterError::ValueMissing(CLIENT_MAX_WINDOW_BITS)),
            ),
            (
                "permessage-deflate; server_max_window_bits=16",
                DeflateAnswerError::Parameter(ParameterError::Value {
                    name: SERVER_MAX_WINDOW_BITS,
                    value: "16".to_owned(),
                }),
            ),
        ] {
            assert_eq!(check(&config, bad), Err(error), "{bad}");
        }
    }

    #[test]
    fn answers_must_fit_the_offer() {
        let config = ClientConfig {
            server_no_context_takeover: true,
            server_max_window_bits: Some(bits(10)),
            client_max_window_bits: bits(12),
            ..ClientConfig::default()
        };
        let answer = |parameters: &str| check(&config, &format!("permessage-deflate{parameters}"));
        let server = "; server_no_context_takeover; server_max_window_bits=10";
        assert_eq!(
            answer("; server_max_window_bits=10"),
            Err(DeflateAnswerError::Missing(SERVER_NO_CONTEXT_TAKEOVER))
        );
        assert_eq!(
            answer("; server_no_context_takeover"),
            Err(DeflateAnswerError::Missing(SERVER_MAX_WINDOW_BITS))
        );
        assert_eq!(
            answer("; server_no_context_takeover; server_max_window_bits=11"),
            Err(DeflateAnswerError::TooLarge {
                name: SERVER_MAX_WINDOW_BITS,
                bits: bits(11),
                limit: bits(10),
            })
        );
        assert_eq!(
            answer(&format!("{server}; client_max_window_bits=13")),
            Err(DeflateAnswerError::TooLarge {
                name: CLIENT_MAX_WINDOW_BITS,
                bits: bits(13),
                limit: bits(12),
            })
        );
        // The client's own limits hold even if the server does not repeat them.
        assert!(
            answer(server)
                .unwrap()
                .unwrap()
                .ends_with("client_max_window_bits=12")
        );
        assert!(
            answer(&format!("{server}; client_max_window_bits=9"))
                .unwrap()
                .unwrap()
                .ends_with("client_max_window_bits=9")
        );
        let config = ClientConfig {
            client_no_context_takeover: true,
            ..ClientConfig::default()
        };
        assert_eq!(
            check(&config, "permessage-deflate"),
            Ok(Some(
                "permessage-deflate; client_no_context_takeover".to_owned()
            ))
        );
    }

    #[test]
    fn every_answer_fits_its_offer() {
        let windows = || [8, 9, 12, 15].map(bits);
        let flags = || (0..4).map(|flags| (flags & 1 != 0, flags & 2 != 0));
        for (server_takeover, client_takeover) in flags() {
            for asked in windows().map(Some).into_iter().chain([None]) {
                for own in windows() {
                    let client = ClientConfig {
                        server_no_context_takeover: server_takeover,
                        client_no_context_takeover: client_takeover,
                        server_max_window_bits: asked,
                        client_max_window_bits: own,
                        ..ClientConfig::default()
                    };
                    for (server_takeover, client_takeover) in flags() {
                        for (server, limit) in windows()
                            .into_iter()
                            .flat_map(|server| windows().map(|limit| (server, limit)))
                        {
                            let server = ServerConfig {
                                server_no_context_takeover: server_takeover,
                                client_no_context_takeover: client_takeover,
                                server_max_window_bits: server,
                                client_max_window_bits: limit,
                                ..ServerConfig::default()
                            };
                            let offer = client.offer();
                            let offers = extension::parse(offer.as_bytes()).unwrap();
                            let said = server.accept(&offers).unwrap();
                            let answer = said.to_string();
                            let read = client.check_lines([answer.as_bytes()]);
                            // The two ends get the same parameters.
                            assert_eq!(read, Ok(Some(said)), "{offer}");
                        }
                    }
                }
            }
        }
    }
}
