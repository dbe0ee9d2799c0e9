//! Everything at the same time: sessions of all kinds with one server, on plain TCP, TLS, unix
//! sockets and HTTP/2, with and without compression, by events, handlers and streams, on the main
//! thread and on a worker's. The peers are fast, are slow, stall, leave or attack. The test checks
//! order, contents, counts, closes, memory and descriptors.
//!
//! `STRESS_SECONDS` is the duration (10 by default), and `STRESS_SEED` is the seed (the time of day
//! by default). The scripts are in `tests/stress`.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

#[path = "support/certificates.rs"]
mod certificates;
mod support;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use bytes::{Buf, Bytes};
use certificates::Authority;
use duplex_protocol::decoder::{Decoder, DecoderLimits, Event};
use duplex_protocol::deflate::{Compression, Compressor, Parameters};
use duplex_protocol::encoder;
use duplex_protocol::frame::{FrameHeader, Opcode, Role};
use h2::client::SendRequest;
use http::{Method, Request, StatusCode};
use support::Running;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

fn main() -> ExitCode {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seconds = number("STRESS_SECONDS").unwrap_or(10);
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    let seed = number("STRESS_SEED").unwrap_or(now.subsec_nanos().into()) as u32;
    println!("STRESS_SEED={seed} STRESS_SECONDS={seconds}");

    let mut stress = Stress::start(seed);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let result = runtime.block_on(stress.run(Duration::from_secs(seconds)));
    let counts = stress.world.counts.summary();
    println!("{counts}");
    let anomalies = stress.server.lines_with("anomaly ");
    match (result, anomalies.is_empty()) {
        (Ok(()), true) => {
            println!("test result: ok. 1 passed; 0 failed");
            ExitCode::SUCCESS
        }
        (result, _) => {
            for line in anomalies.iter().take(20) {
                println!("the server: {line}");
            }
            if let Err(message) = result {
                println!("{message}");
            }
            println!("test result: FAILED. 0 passed; 1 failed; again with STRESS_SEED={seed}");
            ExitCode::FAILURE
        }
    }
}

/// A result. An error is printed, and ends the run.
type Outcome<T = ()> = Result<T, String>;

struct Stress {
    server: Running,
    world: Arc<World>,
    seed: u32,
}

/// The state that all sessions share.
struct World {
    tcp: u16,
    tls: u16,
    worker: u16,
    unix: PathBuf,
    ca: PathBuf,
    connector: TlsConnector,
    /// The HTTP/2 connection that many sessions share.
    http2: Mutex<Option<SendRequest<Bytes>>>,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    sessions: AtomicU32,
    messages: AtomicU64,
    bytes: AtomicU64,
    pongs: AtomicU32,
    attacks: AtomicU32,
}

impl Counts {
    fn summary(&self) -> String {
        format!(
            "{} sessions, {} messages, {} MiB, {} pongs, {} attacks",
            self.sessions.load(Ordering::Relaxed),
            self.messages.load(Ordering::Relaxed),
            self.bytes.load(Ordering::Relaxed) >> 20,
            self.pongs.load(Ordering::Relaxed),
            self.attacks.load(Ordering::Relaxed),
        )
    }
}

impl Stress {
    fn start(seed: u32) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("stress-{seed}"));
        fs::create_dir_all(&folder).unwrap();
        let authority = Authority::new();
        let certificate = authority.server(&["localhost"]);
        let ca = folder.join("ca.pem");
        fs::write(&ca, &authority.certificate).unwrap();
        let unix = folder.join("socket");
        let _ = fs::remove_file(&unix);
        let arguments = serde_json::json!({
            "cert": certificate.certificate,
            "key": certificate.key,
            "unix": unix,
        });
        let mut command = support::duplex_run();
        command
            .arg("-A")
            .arg(support::tests_dir().join("stress/server.js"))
            .arg(arguments.to_string());
        let mut server = Running::start("the server", &mut command).unwrap();
        let ports = server.line("listening ").unwrap();
        let ports: HashMap<String, u16> = serde_json::from_str(&ports).unwrap();

        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(&ca).unwrap())
            .unwrap();
        let config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let world = World {
            tcp: ports["tcp"],
            tls: ports["tls"],
            worker: ports["worker"],
            unix,
            ca,
            connector: TlsConnector::from(Arc::new(config)),
            http2: Mutex::default(),
            counts: Counts::default(),
        };
        Self {
            server,
            world: Arc::new(world),
            seed,
        }
    }

    async fn run(&mut self, duration: Duration) -> Outcome {
        // The server keeps some memory and descriptors after its first sessions, so these are
        // measured after a first run.
        self.sessions(self.seed, duration.min(Duration::from_secs(3)))
            .await?;
        self.quiet().await?;
        let descriptors = self.server.descriptors()?;
        self.sessions(self.seed.wrapping_add(1), duration).await?;
        let (closed, rss) = self.quiet().await?;
        println!("{closed} sockets closed, {} MiB", rss >> 20);

        // Each thread may open its io_uring late.
        let after = self.server.descriptors()?;
        if after > descriptors + 4 {
            return Err(format!("{descriptors} descriptors before, {after} after"));
        }
        let peak = self.server.peak_memory()?;
        if peak > PEAK {
            return Err(format!("the server held {} MiB", peak >> 20));
        }
        // No session is open, and the garbage collector had time to run.
        if rss > AFTERWARDS {
            return Err(format!("the server holds {} MiB", rss >> 20));
        }
        Ok(())
    }

    /// Runs sessions for this time.
    async fn sessions(&mut self, seed: u32, duration: Duration) -> Outcome {
        let end = Instant::now() + duration;
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..SESSIONS {
            let world = self.world.clone();
            tasks.spawn(async move {
                let mut random = Random::new(seed.wrapping_add(number.wrapping_mul(0x9e37_79b1)));
                while Instant::now() < end {
                    let plan = Plan::new(&mut random);
                    let guarded = tokio::time::timeout(GUARD, session(&world, &plan, &mut random));
                    guarded
                        .await
                        .unwrap_or_else(|_| Err("it hangs".to_owned()))
                        .map_err(|message| format!("{plan:?}: {message}"))?;
                }
                Ok(())
            });
        }
        let mut client = self.client(seed, duration)?;
        let mut outcome = Ok(());
        while let Some(result) = tasks.join_next().await {
            let result = result.unwrap_or_else(|error| Err(error.to_string()));
            if outcome.is_ok() && result.is_err() {
                outcome = result;
                tasks.abort_all();
            }
        }
        outcome?;
        let finished = tokio::task::block_in_place(|| {
            client.line("sessions ")?;
            client.end()
        })?;
        match finished.code() {
            0 => Ok(()),
            _ => Err(format!("the client: {}", finished.report())),
        }
    }

    /// Starts the client that is a script.
    fn client(&self, seed: u32, duration: Duration) -> Outcome<Running> {
        let world = &self.world;
        let arguments = serde_json::json!({
            "base": [
                format!("ws://127.0.0.1:{}", world.tcp),
                format!("wss://localhost:{}", world.tls),
                format!("ws://127.0.0.1:{}", world.worker),
            ],
            "seconds": duration.as_secs_f64(),
            "seed": seed,
        });
        let mut command = support::duplex_run();
        command
            .arg("--allow-net")
            .arg("--cert")
            .arg(&world.ca)
            .arg(support::tests_dir().join("stress/client.js"))
            .arg(arguments.to_string());
        Running::start("the client", &mut command)
    }

    /// Waits until the server has no more sockets. Returns how many sockets there were, and the
    /// memory that the server uses then.
    async fn quiet(&mut self) -> Outcome<(u64, u64)> {
        *self.world.http2.lock().await = None;
        let end = Instant::now() + GUARD;
        loop {
            let mut closed = 0;
            let mut open = 0;
            let mut rss = 0;
            for port in [self.world.tcp, self.world.worker] {
                let stats = stats(port).await?;
                if stats["anomalies"] > 0 {
                    return Err("the server has seen what must not be".to_owned());
                }
                closed += stats["closed"];
                open += stats["opened"] - stats["closed"];
                rss = stats["rss"];
            }
            if open == 0 && rss <= AFTERWARDS {
                return Ok((closed, rss));
            }
            if Instant::now() > end {
                return Err(format!("{open} sockets are open, {} MiB held", rss >> 20));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// The counts that a server reports.
async fn stats(port: u16) -> Outcome<HashMap<String, u64>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))
        .await
        .map_err(text)?;
    let request = b"GET /stats HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.map_err(text)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.map_err(text)?;
    let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
    serde_json::from_str(body).map_err(|error| format!("{error}: {answer}"))
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Carrier {
    Tcp,
    Tls,
    Unix,
    Worker,
    Http2,
}

/// How a session ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// The client closes when it has received everything.
    Client,
    /// The server closes when it has sent everything.
    Server,
    /// The server drops the connection when it has sent everything.
    Terminate,
    /// The client drops the connection.
    Leave,
    /// The client violates the protocol.
    Hostile,
}

#[derive(Debug)]
struct Plan {
    seed: u32,
    carrier: Carrier,
    end: End,
    form: &'static str,
    /// How many messages are received and sent.
    count: u32,
    back: u32,
    deflate: bool,
    topic: bool,
    /// How long the client waits between two reads.
    pause: Duration,
    /// At which message the client stops reading for a while.
    stall: Option<u32>,
}

impl Plan {
    fn new(random: &mut Random) -> Self {
        let carriers = [
            Carrier::Tcp,
            Carrier::Tcp,
            Carrier::Tls,
            Carrier::Unix,
            Carrier::Worker,
            Carrier::Http2,
        ];
        let ends = [
            End::Client,
            End::Client,
            End::Client,
            End::Server,
            End::Server,
            End::Terminate,
            End::Leave,
            End::Hostile,
        ];
        let carrier = random.of(&carriers);
        let count = random.below(100);
        let form = random.of(&["event", "event", "handler", "stream"]);
        // A frame of HTTP/2 is short, so a client that waits before each frame would get less than
        // is published.
        let pauses = match carrier {
            Carrier::Http2 => &[0, 0, 0, 0, 1, 2],
            _ => &[0, 0, 0, 1, 5, 15],
        };
        Self {
            seed: 1 + random.below(1 << 30),
            carrier,
            end: random.of(&ends),
            form,
            count,
            back: random.below(60),
            deflate: carrier != Carrier::Http2 && random.below(3) == 0,
            topic: form != "stream" && random.below(3) == 0,
            pause: Duration::from_millis(random.of(pauses)),
            stall: (random.below(5) == 0).then(|| random.below(count.max(1))),
        }
    }

    fn path(&self) -> String {
        let end = match self.end {
            End::Client => "client",
            End::Server => "server",
            End::Terminate => "terminate",
            End::Leave | End::Hostile => "hostile",
        };
        let topic = if self.topic { "&topic" } else { "" };
        format!(
            "/?seed={}&count={}&back={}&form={}&end={end}{topic}",
            self.seed, self.count, self.back, self.form
        )
    }
}

async fn session(world: &World, plan: &Plan, random: &mut Random) -> Outcome {
    world.counts.sessions.fetch_add(1, Ordering::Relaxed);
    if plan.end == End::Hostile && random.below(2) == 0 {
        return attack_handshake(world, plan, random).await;
    }
    let (reader, writer) = open(world, plan).await?;
    match plan.end {
        End::Hostile => attack(world, reader, writer, random).await,
        End::Leave => {
            let mut session = Session::new(world, plan, reader);
            let going = session.read();
            // It does not matter how far the session gets.
            let pause = Duration::from_millis(random.below(50).into());
            let _ = tokio::time::timeout(pause, going).await;
            Ok(())
        }
        End::Client | End::Server | End::Terminate => {
            let (pings, pongs) = tokio::sync::watch::channel(0);
            let (done, is_done) = tokio::sync::oneshot::channel();
            let mut session = Session::new(world, plan, reader);
            session.pongs = Some(pings);
            session.done = Some(done);
            let writing = write(plan, writer, random, pongs, is_done);
            let (read, written) = tokio::join!(session.read(), writing);
            let close = read?;
            let mut writer = written?;
            session.check(plan, close, &mut writer).await
        }
    }
}

type Source = Box<dyn AsyncRead + Send + Unpin>;
type Sink = Box<dyn AsyncWrite + Send + Unpin>;

enum Reader {
    Stream(Source),
    Http2(h2::RecvStream),
}

enum Writer {
    Stream(Sink),
    Http2(h2::SendStream<Bytes>),
}

impl Reader {
    /// Reads more bytes. Returns false at the end.
    async fn read(&mut self, buffer: &mut Vec<u8>) -> bool {
        match self {
            Self::Stream(stream) => {
                buffer.reserve(64 << 10);
                matches!(stream.read_buf(buffer).await, Ok(1..))
            }
            Self::Http2(stream) => match stream.data().await {
                Some(Ok(data)) => {
                    let _ = stream.flow_control().release_capacity(data.len());
                    buffer.extend_from_slice(&data);
                    true
                }
                _ => false,
            },
        }
    }
}

impl Writer {
    /// Writes bytes. Returns whether all were written.
    async fn write(&mut self, bytes: Vec<u8>) -> bool {
        match self {
            Self::Stream(stream) => {
                stream.write_all(&bytes).await.is_ok() && stream.flush().await.is_ok()
            }
            Self::Http2(stream) => {
                let mut bytes = Bytes::from(bytes);
                while bytes.has_remaining() {
                    stream.reserve_capacity(bytes.len());
                    let capacity = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await;
                    let Some(Ok(capacity)) = capacity else {
                        return false;
                    };
                    let part = bytes.split_to(capacity.min(bytes.len()));
                    if stream.send_data(part, false).is_err() {
                        return false;
                    }
                }
                true
            }
        }
    }
}

/// Opens a WebSocket.
async fn open(world: &World, plan: &Plan) -> Outcome<(Reader, Writer)> {
    if plan.carrier == Carrier::Http2 {
        return open_http2(world, plan).await;
    }
    let (mut source, mut sink) = connect(world, plan.carrier).await?;
    let offer = match plan.deflate {
        true => "Sec-WebSocket-Extensions: permessage-deflate\r\n",
        false => "",
    };
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         {offer}\r\n",
        plan.path(),
    );
    sink.write_all(request.as_bytes()).await.map_err(text)?;
    sink.flush().await.map_err(text)?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(source.read_u8().await.map_err(text)?);
    }
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let is_compressed = head.contains("permessage-deflate");
    if !head.starts_with("http/1.1 101 ") || is_compressed != plan.deflate {
        return Err(head);
    }
    Ok((Reader::Stream(source), Writer::Stream(sink)))
}

async fn connect(world: &World, carrier: Carrier) -> Outcome<(Source, Sink)> {
    let port = match carrier {
        Carrier::Unix => {
            let stream = UnixStream::connect(&world.unix).await.map_err(text)?;
            return Ok(split(stream));
        }
        Carrier::Tls => world.tls,
        Carrier::Worker => world.worker,
        Carrier::Tcp | Carrier::Http2 => world.tcp,
    };
    let stream = TcpStream::connect(("127.0.0.1", port))
        .await
        .map_err(text)?;
    if carrier != Carrier::Tls {
        return Ok(split(stream));
    }
    let name = ServerName::try_from("localhost").map_err(text)?;
    let stream = world.connector.connect(name, stream).await.map_err(text)?;
    Ok(split(stream))
}

fn split(stream: impl AsyncRead + AsyncWrite + Send + 'static) -> (Source, Sink) {
    let (source, sink) = tokio::io::split(stream);
    (Box::new(source), Box::new(sink))
}

async fn open_http2(world: &World, plan: &Plan) -> Outcome<(Reader, Writer)> {
    let send = {
        let mut shared = world.http2.lock().await;
        match &*shared {
            Some(send) => send.clone(),
            None => {
                let stream = TcpStream::connect(("127.0.0.1", world.tcp))
                    .await
                    .map_err(text)?;
                let (send, connection) = h2::client::Builder::new()
                    .initial_connection_window_size(1 << 30)
                    .handshake(stream)
                    .await
                    .map_err(text)?;
                tokio::spawn(connection);
                let send = send.ready().await.map_err(text)?;
                while !send.is_extended_connect_protocol_enabled() {
                    tokio::task::yield_now().await;
                }
                shared.insert(send).clone()
            }
        }
    };
    let mut send = send.ready().await.map_err(text)?;
    let mut request = Request::builder()
        .method(Method::CONNECT)
        .uri(format!("http://localhost{}", plan.path()))
        .header("sec-websocket-version", "13")
        .body(())
        .map_err(text)?;
    let protocol = h2::ext::Protocol::from_static("websocket");
    request.extensions_mut().insert(protocol);
    let (response, stream) = send.send_request(request, false).map_err(text)?;
    let response = response.await.map_err(text)?;
    if response.status() != StatusCode::OK {
        return Err(response.status().to_string());
    }
    Ok((Reader::Http2(response.into_body()), Writer::Http2(stream)))
}

/// Sends the messages of the client, with Pings between them, and closes if the client has to
/// close.
async fn write(
    plan: &Plan,
    mut writer: Writer,
    random: &mut Random,
    mut pongs: tokio::sync::watch::Receiver<u32>,
    is_done: tokio::sync::oneshot::Receiver<()>,
) -> Outcome<Writer> {
    let mut compressor = plan
        .deflate
        .then(|| Compressor::new(Role::Client, &Parameters::default(), Compression::default()));
    let mut pings = 0_u32;
    for k in 0..plan.back {
        let message = Message::new(plan.seed ^ 0x55, k);
        let key = Some(random.below(u32::MAX).to_ne_bytes());
        let mut frames = Vec::new();
        match (&message.payload, &mut compressor) {
            (Payload::Text(text), Some(it)) if random.below(2) == 0 => {
                encoder::encode_text_compressed(&mut frames, key, text, it);
            }
            (Payload::Binary(bytes), Some(it)) if random.below(2) == 0 => {
                encoder::encode_binary_compressed(&mut frames, key, bytes, it);
            }
            (payload, _) => {
                let (opcode, bytes) = match payload {
                    Payload::Text(text) => (Opcode::Text, text.as_bytes()),
                    Payload::Binary(bytes) => (Opcode::Binary, &bytes[..]),
                };
                fragments(&mut frames, opcode, bytes, random, &mut pings);
            }
        }
        if random.below(10) == 0 {
            ping(&mut frames, &mut pings);
        }
        if !writer.write(frames).await {
            // The server has closed before.
            return Ok(writer);
        }
        if random.below(20) == 0 {
            tokio::time::sleep(Duration::from_millis(random.below(20).into())).await;
        }
    }
    if plan.end == End::Client && is_done.await.is_ok() {
        // The last Ping is answered, even if messages are queued.
        let _ = pongs.wait_for(|answered| *answered == pings).await;
        let reason = plan.back.to_string();
        let payload = [&4001_u16.to_be_bytes()[..], reason.as_bytes()].concat();
        let mut frame = Vec::new();
        push(&mut frame, Opcode::Close, true, &payload);
        writer.write(frame).await;
    }
    Ok(writer)
}

/// A message in several frames, with Pings between them.
fn fragments(
    out: &mut Vec<u8>,
    opcode: Opcode,
    mut bytes: &[u8],
    random: &mut Random,
    pings: &mut u32,
) {
    let mut opcode = opcode;
    while random.below(3) == 0 {
        let length = random.below(bytes.len() as u32 + 1) as usize;
        push(out, opcode, false, &bytes[..length]);
        bytes = &bytes[length..];
        opcode = Opcode::Continuation;
        if random.below(4) == 0 {
            ping(out, pings);
        }
    }
    push(out, opcode, true, bytes);
}

fn ping(out: &mut Vec<u8>, pings: &mut u32) {
    *pings += 1;
    push(out, Opcode::Ping, true, &pings.to_be_bytes());
}

fn push(out: &mut Vec<u8>, opcode: Opcode, fin: bool, payload: &[u8]) {
    let (header, length) = FrameHeader {
        fin,
        rsv1: false,
        opcode,
        // This mask does not change the payload.
        mask: Some([0; 4]),
        payload_length: payload.len() as u64,
    }
    .encode();
    out.extend_from_slice(&header[..length]);
    out.extend_from_slice(payload);
}

/// The reading half of a session.
struct Session<'w> {
    world: &'w World,
    reader: Reader,
    decoder: Decoder,
    seed: u32,
    count: u32,
    pause: Duration,
    stall: Option<u32>,
    received: u32,
    published: Option<u32>,
    answered: u32,
    /// Gets the number of Pongs.
    pongs: Option<tokio::sync::watch::Sender<u32>>,
    /// Notified when all messages have come.
    done: Option<tokio::sync::oneshot::Sender<()>>,
}

/// A Close frame: code and reason.
type Close = (u16, String);

impl<'w> Session<'w> {
    fn new(world: &'w World, plan: &Plan, reader: Reader) -> Self {
        let limits = DecoderLimits::default();
        let decoder = match plan.deflate {
            true => Decoder::with_deflate(Role::Client, limits, &Parameters::default()),
            false => Decoder::new(Role::Client, limits),
        };
        Self {
            world,
            reader,
            decoder,
            seed: plan.seed,
            count: plan.count,
            pause: plan.pause,
            stall: plan.stall,
            received: 0,
            published: None,
            answered: 0,
            pongs: None,
            done: None,
        }
    }

    /// Reads to the Close frame, or to the end if there is none.
    async fn read(&mut self) -> Outcome<Option<Close>> {
        let mut buffer = Vec::new();
        self.tell_done();
        loop {
            if !self.pause.is_zero() {
                tokio::time::sleep(self.pause).await;
            }
            if self.stall.is_some_and(|stall| self.received >= stall) {
                self.stall = None;
                tokio::time::sleep(STALL).await;
            }
            buffer.clear();
            if !self.reader.read(&mut buffer).await {
                // A task that waits for more is released here.
                (self.pongs, self.done) = (None, None);
                return Ok(None);
            }
            let mut input = &mut buffer[..];
            while !input.is_empty() {
                let decoded = self.decoder.decode(input).map_err(text)?;
                let event = decoded.event.map(own);
                input = decoded.rest;
                match event {
                    None => break,
                    Some(Received::Message(payload)) => self.take(payload)?,
                    Some(Received::Pong(payload)) => self.pong(&payload)?,
                    Some(Received::Ping) => {}
                    Some(Received::Close(close)) => {
                        if !input.is_empty() {
                            return Err("bytes behind the Close frame".to_owned());
                        }
                        (self.pongs, self.done) = (None, None);
                        return Ok(Some(close));
                    }
                }
            }
        }
    }

    fn take(&mut self, payload: Payload) -> Outcome {
        let length = payload.bytes().len() as u64;
        self.world.counts.messages.fetch_add(1, Ordering::Relaxed);
        self.world.counts.bytes.fetch_add(length, Ordering::Relaxed);
        if let Payload::Text(text) = &payload
            && let Some(text) = text.strip_prefix('P')
        {
            let number = text.split(':').next().and_then(|it| it.parse().ok());
            let expected = self.published.or(number);
            if number != expected || number.is_none_or(|n| Message::published(n) != payload) {
                return Err(format!("published {number:?} instead of {expected:?}"));
            }
            self.published = number.map(|number| number + 1);
            return Ok(());
        }
        let expected = Message::new(self.seed, self.received).payload;
        if payload != expected {
            let start = |it: &Payload| {
                String::from_utf8_lossy(&it.bytes()[..it.bytes().len().min(12)]).into_owned()
            };
            return Err(format!(
                "message {} is {:?} of {length}, not {:?} of {}",
                self.received,
                start(&payload),
                start(&expected),
                expected.bytes().len(),
            ));
        }
        self.received += 1;
        self.tell_done();
        Ok(())
    }

    fn tell_done(&mut self) {
        if self.received == self.count
            && let Some(done) = self.done.take()
        {
            let _ = done.send(());
        }
    }

    fn pong(&mut self, payload: &[u8]) -> Outcome {
        let number = payload.try_into().map_or(0, u32::from_be_bytes);
        if number <= self.answered {
            return Err(format!("Pong {number} behind {}", self.answered));
        }
        self.answered = number;
        self.world.counts.pongs.fetch_add(1, Ordering::Relaxed);
        if let Some(pongs) = &self.pongs {
            let _ = pongs.send(number);
        }
        Ok(())
    }

    /// Checks the end of the session on the client's side.
    async fn check(&mut self, plan: &Plan, close: Option<Close>, writer: &mut Writer) -> Outcome {
        let is_stream = plan.form == "stream";
        let expected = match plan.end {
            End::Client => Some((4001, plan.back.to_string())),
            End::Server => Some((4000, plan.count.to_string())),
            End::Terminate if is_stream => Some((4002, String::new())),
            // Earlier messages may be lost.
            _ => None,
        };
        if close != expected {
            return Err(format!("{close:?} instead of {expected:?}"));
        }
        if expected.is_some() && self.received != plan.count {
            return Err(format!("{} of {} messages", self.received, plan.count));
        }
        if let (Some((code, _)), true) = (close, plan.end != End::Client) {
            let mut frame = Vec::new();
            push(&mut frame, Opcode::Close, true, &code.to_be_bytes());
            writer.write(frame).await;
        }
        let mut rest = Vec::new();
        while self.reader.read(&mut rest).await {}
        match rest.is_empty() {
            true => Ok(()),
            false => Err("bytes behind the end".to_owned()),
        }
    }
}

enum Received {
    Message(Payload),
    Ping,
    Pong(Vec<u8>),
    Close(Close),
}

fn own(event: Event<'_>) -> Received {
    match event {
        Event::Text { text, .. } => Received::Message(Payload::Text(text.into_owned())),
        Event::Binary(bytes) => Received::Message(Payload::Binary(bytes.into_owned())),
        Event::Ping(_) => Received::Ping,
        Event::Pong(payload) => Received::Pong(payload.into_owned()),
        Event::Close(close) => Received::Close((close.event_code(), close.reason().to_owned())),
    }
}

/// Violates the protocol after the handshake.
async fn attack(
    world: &World,
    mut reader: Reader,
    mut writer: Writer,
    random: &mut Random,
) -> Outcome {
    world.counts.attacks.fetch_add(1, Ordering::Relaxed);
    let mut bytes = Vec::new();
    match random.below(8) {
        0 => bytes.extend((0..random.below(5000)).map(|_| random.below(256) as u8)),
        // Frames without a mask, with an unknown opcode, too long, or with an invalid code.
        1 => bytes.extend([0x81, 1, b'x']),
        2 => bytes.extend([0x83, 0x80, 0, 0, 0, 0]),
        3 => bytes.extend([0x82, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        4 => push(&mut bytes, Opcode::Close, true, &[0, 1]),
        5 => push(&mut bytes, Opcode::Text, true, &[0xff, 0xfe]),
        6 => push(&mut bytes, Opcode::Continuation, true, b"of nothing"),
        _ => {
            // The client reads none of the answers.
            for _ in 0..20_000 {
                push(&mut bytes, Opcode::Ping, true, &[7; 100]);
            }
        }
    }
    let going = async {
        writer.write(bytes).await;
        tokio::time::sleep(Duration::from_millis(random.below(100).into())).await;
        let mut rest = Vec::new();
        while reader.read(&mut rest).await {
            rest.clear();
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(1), going).await;
    Ok(())
}

/// Violates the protocol before or in the handshake.
async fn attack_handshake(world: &World, plan: &Plan, random: &mut Random) -> Outcome {
    world.counts.attacks.fetch_add(1, Ordering::Relaxed);
    // Some of the bytes go to the TLS port without TLS.
    let carrier = match (plan.carrier, random.below(2)) {
        (Carrier::Tls, 0) => None,
        (carrier, _) => Some(carrier),
    };
    let (mut source, mut sink) = match carrier {
        Some(carrier) => connect(world, carrier).await?,
        None => {
            let stream = TcpStream::connect(("127.0.0.1", world.tls)).await;
            split(stream.map_err(text)?)
        }
    };
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        plan.path(),
    );
    let mut bytes = request.into_bytes();
    match random.below(3) {
        0 => bytes.truncate(random.below(bytes.len() as u32) as usize),
        1 => {
            let at = random.below(bytes.len() as u32) as usize;
            bytes[at] = random.below(256) as u8;
            bytes.extend([0xff; 100]);
        }
        _ => bytes = (0..2000).map(|_| random.below(256) as u8).collect(),
    }
    let going = async {
        let _ = sink.write_all(&bytes).await;
        let _ = sink.flush().await;
        let mut rest = Vec::new();
        let _ = source.read_to_end(&mut rest).await;
    };
    let pause = Duration::from_millis(random.below(200).into());
    let _ = tokio::time::timeout(pause, going).await;
    Ok(())
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// xorshift32, as in `tests/stress/session.js`.
struct Random(u32);

impl Random {
    fn new(seed: u32) -> Self {
        Self(if seed == 0 { 1 } else { seed })
    }

    fn below(&mut self, end: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 % end
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u32) as usize]
    }
}

#[derive(Debug, PartialEq)]
enum Payload {
    Text(String),
    Binary(Vec<u8>),
}

impl Payload {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

/// A message of a session, as `tests/stress/session.js` makes it.
struct Message {
    payload: Payload,
}

impl Message {
    fn new(seed: u32, k: u32) -> Self {
        let (is_text, content) = content(seed, k);
        let payload = match is_text {
            true => Payload::Text(format!("{k}:{content}")),
            false => Payload::Binary([&k.to_be_bytes()[..], content.as_bytes()].concat()),
        };
        Self { payload }
    }

    fn published(n: u32) -> Payload {
        let (_, content) = content(77, n);
        Payload::Text(format!("P{n}:{}", &content[..content.len() % 3000]))
    }
}

fn content(seed: u32, k: u32) -> (bool, &'static str) {
    let mut random = Random::new(seed ^ (k + 1).wrapping_mul(0x9e37_79b1));
    random.below(2);
    random.below(2);
    let is_text = random.below(2) == 1;
    let range = match random.below(100) {
        0..50 => 200,
        50..75 => 4000,
        75..90 => 70_000,
        90..97 => 300_000,
        _ => LONGEST,
    };
    let length = random.below(range) as usize;
    let offset = random.below(OFFSETS) as usize;
    (is_text, &all_text()[offset..offset + length])
}

/// The text that all messages are parts of.
fn all_text() -> &'static str {
    static TEXT: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    TEXT.get_or_init(|| {
        let mut random = Random::new(1);
        let letters = (0..LONGEST + OFFSETS).map(|_| char::from(b'a' + random.below(26) as u8));
        letters.collect()
    })
}

const LONGEST: u32 = 1_500_000;
const OFFSETS: u32 = 65_536;
/// How many sessions there are at a time, besides those of the script.
const SESSIONS: u32 = 32;
/// How long a stalled reader waits. This is far less than the server's timeouts.
const STALL: Duration = Duration::from_millis(700);
/// A session that takes longer than this hangs.
const GUARD: Duration = Duration::from_secs(60);
/// The greatest memory of the server: up to 8 MiB of queued data for each of its sockets, and
/// received data.
const PEAK: u64 = 800 << 20;
/// The greatest memory of the server after all sessions have ended.
const AFTERWARDS: u64 = 200 << 20;
