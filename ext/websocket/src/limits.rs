//! The limits on what a peer may make this end hold or do. Each limit has the
//! name of the option that sets it. The error of a connection that exceeds a
//! limit names the limit.

use std::time::Duration;

use deno_core::FromV8;
use duplex_protocol::control_rate::ControlRate;
use duplex_protocol::decoder;

/// The limits of one connection. A connection that exceeds a limit ends, and no
/// other connection does. The numbers 1008 and 1009 are the close codes (RFC
/// 6455 section 7.4.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// `maxPayloadLength`: the longest message that is received, in bytes,
    /// inflated. The default is 64 MiB. A longer message ends the connection
    /// with 1009.
    pub max_payload_length: usize,
    /// `maxFragments`: how many frames a message may take. The default is 2^17.
    /// More frames end the connection with 1008.
    pub max_fragments: u32,
    /// `maxControlFrames`: how many Pings and Pongs may come in a second. The
    /// default is 10,000. More frames end the connection with 1008.
    pub max_control_frames: u32,
    /// `backpressureLimit`: how many bytes of memory the frames that wait for the kernel may hold
    /// when a further message is sent. The further message may be of any length. The default is 64
    /// MiB. If more bytes wait, the connection ends with 1008, or the message is refused.
    pub backpressure_limit: usize,
    /// `closeOnBackpressureLimit`: whether the connection ends with 1008 if more bytes wait. If
    /// not, `send()` returns 0 and the connection goes on. The default is true, because a message
    /// that a script believes sent must not be missing.
    pub close_on_backpressure_limit: bool,
    /// `closeTimeout`: how long the peer may take to answer a Close frame, before the connection is
    /// dropped. The default is 10 s. `None` means without a limit. The time does not run while the
    /// peer takes the bytes that were sent before the Close frame.
    pub close_timeout: Option<Duration>,
    /// `leastProgress`: how many bytes a second a peer has to take of the bytes before a Ping or a
    /// Close frame that it must answer. While the peer takes that many, its time does not run. The
    /// default is 1 KiB.
    pub least_progress: u64,
    /// `maxTopics`: to how many topics a server's connection may be subscribed. The default is
    /// 2^17. More topics end the connection with 1008.
    pub max_topics: usize,
    /// `maxTopicLength`: the longest name of a topic to subscribe to, in bytes. The default is 256.
    /// A longer name ends the connection with 1008.
    pub max_topic_length: usize,
}

impl Limits {
    pub(crate) fn decoder(&self) -> decoder::DecoderLimits {
        decoder::DecoderLimits {
            max_payload_length: self.max_payload_length,
            max_fragments: self.max_fragments,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        let decoder::DecoderLimits {
            max_payload_length,
            max_fragments,
        } = decoder::DecoderLimits::default();
        Self {
            max_payload_length,
            max_fragments,
            max_control_frames: ControlRate::DEFAULT_LIMIT,
            backpressure_limit: 64 << 20,
            close_on_backpressure_limit: true,
            close_timeout: Some(Duration::from_secs(10)),
            least_progress: 1 << 10,
            max_topics: 1 << 17,
            max_topic_length: 256,
        }
    }
}

/// The limits as `convertLimits` of `00_options.js` gives them: integers in
/// their ranges, or `None` for the default.
#[derive(FromV8)]
pub struct LimitOptions {
    max_payload_length: Option<f64>,
    max_fragments: Option<f64>,
    max_control_frames: Option<f64>,
    backpressure_limit: Option<f64>,
    close_on_backpressure_limit: Option<bool>,
    close_timeout: Option<f64>,
    least_progress: Option<f64>,
    max_topics: Option<f64>,
    max_topic_length: Option<f64>,
}

/// A timeout as a script gives it, in seconds: Returns `None`, no limit, for 0 and for a time that
/// a `Duration` cannot hold.
pub fn timeout(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|timeout| !timeout.is_zero())
}

impl From<LimitOptions> for Limits {
    fn from(options: LimitOptions) -> Self {
        let default = Self::default();
        // A conversion from f64 saturates.
        let bytes = |value: Option<f64>, default| value.map_or(default, |value| value as usize);
        let count = |value: Option<f64>, default| value.map_or(default, |value| value as u32);
        Self {
            max_payload_length: bytes(options.max_payload_length, default.max_payload_length),
            max_fragments: count(options.max_fragments, default.max_fragments),
            max_control_frames: count(options.max_control_frames, default.max_control_frames),
            backpressure_limit: bytes(options.backpressure_limit, default.backpressure_limit),
            close_on_backpressure_limit: options
                .close_on_backpressure_limit
                .unwrap_or(default.close_on_backpressure_limit),
            close_timeout: options.close_timeout.map_or(default.close_timeout, timeout),
            least_progress: (options.least_progress)
                .map_or(default.least_progress, |value| value as u64),
            max_topics: bytes(options.max_topics, default.max_topics),
            max_topic_length: bytes(options.max_topic_length, default.max_topic_length),
        }
    }
}
