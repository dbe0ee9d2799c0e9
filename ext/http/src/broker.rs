//! The topics of a server through a broker: NATS or Redis.
//!
//! Servers of a process that name the same broker and prefix share one connection.

use std::any::Any;
use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::Weak;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use deno_core::OpState;
use deno_core::ResourceId;
use deno_core::ToV8;
use deno_core::op2;
use deno_net::DefaultTlsOptions;
use deno_net::UnsafelyIgnoreCertificateErrors;
use deno_permissions::PermissionsContainer;
use deno_tls::SocketUse;
use deno_tls::TlsClientConfigOptions;
use deno_tls::TlsKeys;
use deno_tls::create_client_config;
use deno_tls::rustls::ClientConfig;
use deno_tls::rustls::pki_types::ServerName;
use duplex_broker::Address;
use duplex_broker::Broker;
use duplex_broker::BrokerEvent;
use duplex_broker::Dial;
use duplex_broker::Dialled;
use duplex_broker::Extent;
use duplex_broker::LogSink;
use duplex_broker::Options;
use duplex_broker::Payload;
use duplex_broker::Recorded;
use duplex_broker::Recording;
use duplex_broker::Sink;
use duplex_broker::State;
use duplex_broker::Status;
use duplex_broker::Stream;
use duplex_websocket::HistoryOptions;
use duplex_websocket::Later;
use duplex_websocket::Message;
use duplex_websocket::Position;
use duplex_websocket::Relay;
use duplex_websocket::TopicSpace;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::error::HttpError;
use crate::exchange::Exchange;
use crate::server::ServerResource;

/// The name that permission prompts give to the option.
const API_NAME: &str = "topics.broker";

/// The space of all servers of the process whose topics go through this broker. `history` says how
/// many messages are kept.
///
/// # Errors
/// If the URL is not that of a broker, if the permission is missing, or if another server has set
/// another history.
pub(crate) fn topic_space(
    state: &mut OpState,
    url: &str,
    prefix: &str,
    history: Option<HistoryOptions>,
) -> Result<Arc<TopicSpace>, HttpError> {
    let address = Address::parse(url).map_err(HttpError::BrokerUrl)?;
    (state.borrow_mut::<PermissionsContainer>())
        .check_net(&(address.host.as_str(), Some(address.port)), API_NAME)?;
    // A URL contains no line end, so the line end separates the URL from the
    // prefix.
    let space = TopicSpace::named(&format!("broker {url}\n{prefix}"));
    let fits = space.relay_by(history, |space| -> Result<Arc<dyn Relay>, HttpError> {
        let recording = history.map(|HistoryOptions { size, ttl }| Recording {
            size: size as u64,
            ttl,
        });
        let dial = ProgramDial {
            permissions: state.borrow::<PermissionsContainer>().clone(),
            tls: tls_config(state)?,
        };
        let named = address.to_string();
        let broker = Broker::start(Options {
            address,
            prefix: prefix.to_string(),
            dial: Arc::new(dial),
            sink: Arc::new(SpaceSink(Arc::downgrade(space))),
            recording: recording.map(|recording| -> (Recording, Arc<dyn LogSink>) {
                (recording, Arc::new(SpaceSink(Arc::downgrade(space))))
            }),
        })?;
        Ok(Arc::new(BrokerRelay {
            broker,
            address: named,
            prefix: prefix.to_string(),
        }))
    })?;
    if fits {
        Ok(space)
    } else {
        Err(HttpError::OtherHistory)
    }
}

/// TLS with the certificate authorities of the program.
fn tls_config(state: &OpState) -> Result<Arc<ClientConfig>, HttpError> {
    let roots = state.try_borrow::<DefaultTlsOptions>();
    let roots = roots.map(DefaultTlsOptions::root_cert_store).transpose();
    let ignored = state.try_borrow::<UnsafelyIgnoreCertificateErrors>();
    let config = create_client_config(TlsClientConfigOptions {
        root_cert_store: roots.map_err(HttpError::Roots)?.flatten(),
        ca_certs: Vec::new(),
        unsafely_ignore_certificate_errors: ignored.and_then(|it| it.0.clone()),
        unsafely_disable_hostname_verification: false,
        cert_chain_and_key: TlsKeys::Null,
        socket_use: SocketUse::GeneralSsl,
    })?;
    Ok(Arc::new(config))
}

/// A space's connection to its broker.
struct BrokerRelay {
    broker: Broker,
    /// The address without its credentials.
    address: String,
    prefix: String,
}

/// The state of a broker for operators.
pub(crate) struct BrokerReport {
    pub address: String,
    pub prefix: String,
    pub status: Status,
}

/// The brokers that the process is connected to, or wants to be.
pub(crate) fn all() -> Vec<BrokerReport> {
    let spaces = TopicSpace::all_named();
    let relays = spaces.iter().filter_map(|space| {
        let relay: &dyn Any = &**space.relay()?;
        relay.downcast_ref::<BrokerRelay>()
    });
    let reports = relays.map(|relay| BrokerReport {
        address: relay.address.clone(),
        prefix: relay.prefix.clone(),
        status: relay.broker.status(),
    });
    reports.collect()
}

impl Relay for BrokerRelay {
    fn set_wanted(&self, topic: &Arc<str>, is_wanted: bool) {
        self.broker.set_wanted(topic, is_wanted);
    }

    fn publish(&self, topic: &str, payload: Bytes, is_text: bool) {
        self.broker.publish(topic, &payload, is_text);
    }

    fn record(&self, topic: &str, payload: &[u8], is_text: bool, tag: u64) -> bool {
        self.broker.record(topic, payload, is_text, tag)
    }

    fn record_and_tell(&self, topic: &str, payload: &[u8], is_text: bool) -> Later<Position> {
        let recorded = self.broker.record_and_tell(topic, payload, is_text);
        Box::pin(async move {
            match recorded.await {
                Ok(duplex_broker::Position { epoch, offset }) => Ok(Position { epoch, offset }),
                Err(error) => Err(error.to_string()),
            }
        })
    }

    fn read(&self, topic: &Arc<str>, since: Option<Position>) -> Later<()> {
        let since =
            since.map(|Position { epoch, offset }| duplex_broker::Position { epoch, offset });
        let read = self.broker.read(topic, since);
        Box::pin(async move { read.await.map_err(|error| error.to_string()) })
    }
}

/// Hands the messages of the broker to the space, while the space exists.
struct SpaceSink(Weak<TopicSpace>);

impl Sink for SpaceSink {
    fn message(&self, topic: &str, payload: Payload) {
        let Some(space) = self.0.upgrade() else {
            return;
        };
        space.deliver(topic, message(&payload));
    }
}

impl LogSink for SpaceSink {
    fn extent(&self, topic: &str) -> Option<Extent> {
        let extent = self.0.upgrade()?.log_extent(topic)?;
        Some(Extent {
            epoch: extent.epoch,
            floor: extent.floor,
            last: extent.last,
        })
    }

    fn begin(&self, topic: &str, position: duplex_broker::Position) {
        if let Some(space) = self.0.upgrade() {
            space.begin_log(topic, own(position));
        }
    }

    fn append(&self, topic: &str, recorded: Recorded) {
        if let Some(space) = self.0.upgrade() {
            let message = recorded.payload.as_ref().map(message);
            let (offset, tag) = (recorded.position.offset, recorded.tag.unwrap_or(0));
            space.append_to_log(topic, offset, message, tag);
        }
    }

    fn prepend(&self, topic: &str, since: u64, messages: Vec<Recorded>) {
        if let Some(space) = self.0.upgrade() {
            let messages =
                (messages.iter()).map(|it| (it.position.offset, it.payload.as_ref().map(message)));
            space.prepend_to_log(topic, since, messages);
        }
    }

    fn lose(&self, topic: &str, position: duplex_broker::Position) {
        if let Some(space) = self.0.upgrade() {
            space.lose_log(topic, own(position));
        }
    }

    fn forget(&self, topic: &str) {
        if let Some(space) = self.0.upgrade() {
            space.forget_log(topic);
        }
    }
}

fn own(duplex_broker::Position { epoch, offset }: duplex_broker::Position) -> Position {
    Position { epoch, offset }
}

fn message(payload: &Payload) -> Message<'_> {
    match payload {
        Payload::Text(text) => Message::Text(text),
        Payload::Binary(bytes) => Message::Binary(bytes),
    }
}

/// Connects with the permissions of the program.
struct ProgramDial {
    permissions: PermissionsContainer,
    tls: Arc<ClientConfig>,
}

impl Dial for ProgramDial {
    fn connect<'a>(&'a self, address: &'a Address) -> Dialled<'a> {
        Box::pin(async move {
            let mut last = None;
            let found = tokio::net::lookup_host((address.host.as_str(), address.port)).await?;
            for resolved in found {
                // The name may stand for addresses that are denied.
                (self.permissions.clone())
                    .check_net_resolved(&resolved.ip(), resolved.port(), API_NAME)
                    .map_err(io::Error::other)?;
                match TcpStream::connect(resolved).await {
                    Ok(stream) => {
                        stream.set_nodelay(true)?;
                        return Ok(Box::new(stream) as Box<dyn Stream>);
                    }
                    Err(error) => last = Some(error),
                }
            }
            Err(last.unwrap_or_else(|| io::Error::other("the name has no address")))
        })
    }

    fn secure<'a>(&'a self, address: &'a Address, stream: Box<dyn Stream>) -> Dialled<'a> {
        Box::pin(async move {
            let name = ServerName::try_from(address.host.clone()).map_err(io::Error::other)?;
            let stream = TlsConnector::from(self.tls.clone())
                .connect(name, stream)
                .await?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }
}

/// The state of the connection to a server's broker.
#[derive(ToV8)]
pub(crate) struct BrokerStatus {
    state: &'static str,
    /// When the state began, in milliseconds since 1970.
    since: f64,
    lost: f64,
    error: Option<String>,
}

#[op2]
pub(crate) fn op_http_broker_status(
    state: &mut OpState,
    #[smi] rid: ResourceId,
) -> Option<BrokerStatus> {
    let status = with_broker(state, rid, Broker::status)?;
    Some(BrokerStatus {
        state: match status.state {
            State::Connecting => "connecting",
            State::Up => "up",
            State::Down => "down",
        },
        since: milliseconds(status.since),
        lost: status.lost as f64,
        error: status.error,
    })
}

/// Resolves when the broker has taken all that this process has published, or at once if there is
/// no broker.
#[op2]
pub(crate) async fn op_http_broker_flush(
    state: Rc<RefCell<OpState>>,
    #[smi] rid: ResourceId,
) -> Result<(), HttpError> {
    let flushed = with_broker(&state.borrow(), rid, Broker::flush);
    match flushed {
        Some(flushed) => flushed.await.map_err(HttpError::Flush),
        None => Ok(()),
    }
}

/// An event of a connection: its number, what happened, and why or since when.
type NumberedEvent = (f64, &'static str, Option<String>, f64);

/// Resolves with the first event whose number is greater than `after`. The first event of all has
/// the number 1.
#[op2]
pub(crate) async fn op_http_broker_event(
    state: Rc<RefCell<OpState>>,
    #[smi] rid: ResourceId,
    #[number] after: u64,
) -> Option<NumberedEvent> {
    let event = with_broker(&state.borrow(), rid, |broker| broker.next_event(after))?;
    let (number, event) = event.await;
    let (name, reason, since) = match event {
        BrokerEvent::Up => ("up", None, 0.0),
        BrokerEvent::Down { reason } => ("down", Some(reason), 0.0),
        BrokerEvent::Gap { since } => ("gap", None, milliseconds(since)),
    };
    Some((number as f64, name, reason, since))
}

/// Hands `read` the connection to a server's broker, if there is one.
fn with_broker<R>(state: &OpState, rid: ResourceId, read: impl FnOnce(&Broker) -> R) -> Option<R> {
    let server = state
        .resource_table
        .get::<ServerResource<Exchange>>(rid)
        .ok()?;
    let space = server.0.sockets().topic_space()?;
    let relay: &dyn Any = &**space.relay()?;
    let relay = relay.downcast_ref::<BrokerRelay>()?;
    Some(read(&relay.broker))
}

fn milliseconds(time: SystemTime) -> f64 {
    (time.duration_since(UNIX_EPOCH)).map_or(0.0, |since| since.as_secs_f64() * 1000.0)
}
