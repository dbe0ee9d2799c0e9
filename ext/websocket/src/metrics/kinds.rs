//! The kinds that the numbers tell apart. Each kind has a name, which is the value of a label.

use duplex_protocol::error::ProtocolError;
use duplex_protocol::frame::Role;

/// An enumeration whose members have places one after the other, and names.
macro_rules! kinds {
    ($(#[$doc:meta])* $name:ident { $($(#[$member_doc:meta])* $member:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum $name {
            $($(#[$member_doc])* $member,)*
        }

        impl $name {
            /// All members.
            pub const ALL: &[Self] = &[$(Self::$member,)*];
            /// How many members there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The value of the label.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$member => $text,)*
                }
            }
        }
    };
}

kinds! {
    /// The type of a message.
    MessageKind {
        /// A text message.
        Text = "text",
        /// A binary message.
        Binary = "binary",
    }
}

kinds! {
    /// The outcome of a message that was sent while the kernel took no more.
    Queued {
        /// The message waits in the connection's queue.
        Waits = "queued",
        /// `send()` refused the message, because more bytes are queued than
        /// `backpressureLimit`.
        Refused = "refused",
        /// The connection ends, because more bytes are queued than
        /// `backpressureLimit`.
        Closed = "closed",
    }
}

kinds! {
    /// A limit that ended a connection. The name is that of the option.
    PassedLimit {
        /// Bytes of a message.
        MaxPayloadLength = "maxPayloadLength",
        /// Frames of a message.
        MaxFragments = "maxFragments",
        /// Pings and Pongs in a second.
        MaxControlFrames = "maxControlFrames",
        /// Bytes that are queued.
        BackpressureLimit = "backpressureLimit",
        /// Subscriptions of a connection.
        MaxTopics = "maxTopics",
        /// Bytes of the name of a topic.
        MaxTopicLength = "maxTopicLength",
        /// Seconds of silence.
        IdleTimeout = "idleTimeout",
        /// Seconds of a closing handshake.
        CloseTimeout = "closeTimeout",
    }
}

impl PassedLimit {
    /// The limit that `error` names, if it names one.
    pub(crate) const fn of_error(error: ProtocolError) -> Option<Self> {
        match error {
            ProtocolError::PayloadTooLong { .. } => Some(Self::MaxPayloadLength),
            ProtocolError::TooManyFragments { .. } => Some(Self::MaxFragments),
            ProtocolError::TooManyControlFrames { .. } => Some(Self::MaxControlFrames),
            _ => None,
        }
    }
}

kinds! {
    /// Why a client has no connection.
    DialFailure {
        /// The program may not connect there.
        Permission = "permission",
        /// The name of the host has no address.
        Dns = "dns",
        /// The TCP connection was not accepted.
        Connect = "connect",
        /// The TLS handshake failed.
        Tls = "tls",
        /// A proxy did not connect to the server.
        Proxy = "proxy",
        /// The server's answer does not open a connection.
        Response = "response",
        /// `connectTimeout` or `handshakeTimeout` has passed.
        Timeout = "timeout",
        /// The connection broke before the answer.
        Io = "io",
        /// The program gave up the dial.
        Canceled = "canceled",
        /// The URL or an option is wrong.
        Options = "options",
    }
}

/// The class of a connection: which end, which version of HTTP, with or without TLS.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Class(u8);

impl Class {
    const CLIENT: u8 = 1;
    const HTTP2: u8 = 2;
    const TLS: u8 = 4;
    /// How many classes there are.
    pub const COUNT: usize = 8;

    /// The class of one end.
    pub(crate) fn new(role: Role, is_http2: bool, is_tls: bool) -> Self {
        let part = |is_so: bool, bit: u8| if is_so { bit } else { 0 };
        Self(
            part(role == Role::Client, Self::CLIENT)
                | part(is_http2, Self::HTTP2)
                | part(is_tls, Self::TLS),
        )
    }

    /// All classes.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT as u8).map(Self)
    }

    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }

    /// 0 for a server's end, 1 for a client's.
    pub(crate) const fn role_index(self) -> usize {
        (self.0 & Self::CLIENT) as usize
    }

    /// Whether this is a client's end.
    pub const fn is_client(self) -> bool {
        self.0 & Self::CLIENT != 0
    }

    /// The values of the labels `role`, `http` and `tls`.
    pub const fn labels(self) -> [(&'static str, &'static str); 3] {
        let http = if self.0 & Self::HTTP2 != 0 {
            "2"
        } else {
            "1.1"
        };
        let tls = if self.0 & Self::TLS != 0 {
            "true"
        } else {
            "false"
        };
        [
            ("role", ROLES[self.role_index()]),
            ("http", http),
            ("tls", tls),
        ]
    }
}

/// The values of the label `role`.
pub(super) const ROLES: [&str; 2] = ["server", "client"];

/// The codes of `close` events. The codes of applications count as one, and unknown codes count as
/// one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CloseCodes(u8);

impl CloseCodes {
    const FIRST: u16 = 1000;
    /// How many codes of the standard have a place of their own: 1000 to 1015.
    const STANDARD: u8 = 16;
    const APPLICATION: Self = Self(Self::STANDARD);
    const OTHER: Self = Self(Self::STANDARD + 1);
    /// How many places there are.
    pub const COUNT: usize = Self::STANDARD as usize + 2;

    /// The place of a code.
    pub const fn of(code: u16) -> Self {
        match code {
            1000..=1015 => Self((code - Self::FIRST) as u8),
            3000..=4999 => Self::APPLICATION,
            _ => Self::OTHER,
        }
    }

    /// All places.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT as u8).map(Self)
    }

    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }

    /// The value of the label `code`.
    pub fn name(self) -> String {
        match self {
            Self::APPLICATION => "application".to_owned(),
            Self::OTHER => "other".to_owned(),
            Self(index) => (Self::FIRST + u16::from(index)).to_string(),
        }
    }
}
