//! A bare `JsRuntime` with a server in it, and clients that write bytes.

use std::cell::RefCell;
use std::future::Future;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use deno_core::JsRuntime;
use deno_core::OpState;
use deno_core::PollEventLoopOptions;
use deno_core::RuntimeOptions;
use deno_core::op2;
use deno_core::v8;
use deno_permissions::Permissions;
use deno_permissions::PermissionsContainer;
use deno_permissions::RuntimePermissionDescriptorParser;
use duplex_http::ServerLimits;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use sys_traits::impls::RealSys;

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Harness {
    runtime: JsRuntime,
    log: Log,
}

/// What the script reported with `report()`.
#[derive(Clone, Default)]
pub(crate) struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    pub(crate) fn entries(&self) -> Vec<String> {
        self.0.borrow().clone()
    }

    /// Waits for the script to report `entry`.
    pub(crate) async fn wait_for(&self, entry: &str) {
        self.wait_for_times(1, entry).await;
    }

    /// Waits for the script to have reported `entry` `times` times.
    pub(crate) async fn wait_for_times(&self, times: usize, entry: &str) {
        let found = async {
            while self.0.borrow().iter().filter(|it| *it == entry).count() < times {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, found).await.is_err() {
            panic!("{entry:?} was not reported: {:?}", self.entries());
        }
    }
}

impl Harness {
    /// Runs a script that may leave a server in `globalThis.server`.
    pub(crate) fn new(script: &str) -> Self {
        Self::with(script, Permissions::allow_all, None)
    }

    pub(crate) fn with(
        script: &str,
        permissions: fn() -> Permissions,
        limits: Option<ServerLimits>,
    ) -> Self {
        let mut harness = Self::bare(permissions);
        if let Some(limits) = limits {
            let state = harness.runtime.op_state();
            state.borrow_mut().put(limits);
        }
        harness.execute(script);
        harness
    }

    pub(crate) fn bare(permissions: fn() -> Permissions) -> Self {
        let runtime = JsRuntime::new(RuntimeOptions {
            extensions: vec![
                deno_webidl::deno_webidl::init(),
                deno_web::deno_web::init(
                    Arc::new(deno_web::BlobStore::default()),
                    None,
                    false,
                    Default::default(),
                ),
                deno_net::deno_net::init(None, None),
                deno_fetch::deno_fetch::init(Default::default()),
                duplex_websocket::duplex_websocket::init(),
                duplex_http::duplex_http::init(),
                http_test::init(),
            ],
            ..Default::default()
        });
        let parser = RuntimePermissionDescriptorParser::new(RealSys);
        let permissions = PermissionsContainer::new(Arc::new(parser), permissions());
        let log = Log::default();
        let state = runtime.op_state();
        state.borrow_mut().put(permissions);
        state.borrow_mut().put(log.clone());
        Self { runtime, log }
    }

    pub(crate) fn execute(&mut self, script: &str) {
        self.runtime
            .execute_script("file:///test.js", script.to_owned())
            .unwrap();
    }

    /// Evaluates an expression and returns it as a string.
    pub(crate) fn eval(&mut self, expression: &str) -> String {
        let value = self
            .runtime
            .execute_script("file:///eval.js", format!("String({expression})"))
            .unwrap();
        deno_core::scope!(scope, self.runtime);
        let value = v8::Local::new(scope, value);
        value.to_rust_string_lossy(scope)
    }

    pub(crate) fn port(&mut self) -> u16 {
        self.eval("server.addr.port").parse().unwrap()
    }

    pub(crate) fn log(&self) -> Log {
        self.log.clone()
    }

    /// Runs the event loop beside a client until the client is done.
    pub(crate) async fn run<T>(&mut self, client: impl Future<Output = T>) -> T {
        let runtime = &mut self.runtime;
        let mut client = pin!(client);
        let log = self.log.clone();
        let both = poll_fn(|cx| {
            if let Poll::Ready(value) = client.as_mut().poll(cx) {
                return Poll::Ready(value);
            }
            if let Poll::Ready(Err(error)) =
                runtime.poll_event_loop(cx, PollEventLoopOptions::default())
            {
                panic!("uncaught: {error}");
            }
            Poll::Pending
        });
        tokio::time::timeout(PATIENCE, both)
            .await
            .unwrap_or_else(|_| panic!("the client did not finish: {:?}", log.entries()))
    }

    /// Runs the event loop to its end, which comes when no server is left.
    pub(crate) async fn finish(&mut self) {
        let end = self.runtime.run_event_loop(PollEventLoopOptions::default());
        tokio::time::timeout(PATIENCE, end)
            .await
            .expect("the event loop did not end")
            .unwrap();
    }

    /// Shuts the server down and waits for it.
    pub(crate) async fn shutdown(&mut self) {
        self.execute("server.shutdown().then(() => report('shut down'))");
        self.finish().await;
        assert!(self.log.entries().iter().any(|entry| entry == "shut down"));
    }

    /// One exchange with a handler, over a connection of its own.
    pub(crate) async fn exchange(&mut self, request: &str) -> Reply {
        let port = self.port();
        self.run(async {
            let mut client = Client::connect(port).await;
            client.send(request).await;
            client.reply().await
        })
        .await
    }
}

/// A connection that is written and read by hand.
pub(crate) struct Client<S = TcpStream> {
    pub stream: S,
    buffer: Vec<u8>,
}

/// A response as it was on the wire.
#[derive(Debug)]
pub(crate) struct Reply {
    pub status: u16,
    /// The head as text, one byte a character.
    pub head: String,
    /// The payload without the framing.
    pub body: Vec<u8>,
}

impl Reply {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).into_iter().next()
    }

    pub(crate) fn headers(&self, name: &str) -> Vec<&str> {
        let lines = self.head.split("\r\n").skip(1);
        lines
            .filter_map(|line| line.split_once(": "))
            .filter(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }
}

impl Client {
    pub(crate) async fn connect(port: u16) -> Self {
        Self::new(TcpStream::connect(("127.0.0.1", port)).await.unwrap())
    }
}

impl<S: AsyncReadExt + AsyncWriteExt + Unpin> Client<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Ends the client's side of the connection.
    pub(crate) async fn end(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Reads one response with its body.
    pub(crate) async fn reply(&mut self) -> Reply {
        self.reply_to("GET").await
    }

    pub(crate) async fn reply_to(&mut self, method: &str) -> Reply {
        let mut reply = self.head().await;
        let chunked = reply.header("transfer-encoding") == Some("chunked");
        let length = reply.header("content-length").map(|l| l.parse().unwrap());
        if method == "HEAD" || reply.status < 200 || matches!(reply.status, 204 | 304) {
            return reply;
        }
        if chunked {
            while let Some(chunk) = self.chunk().await {
                reply.body.extend(chunk);
            }
        } else if let Some(length) = length {
            reply.body = self.take(length).await;
        } else {
            reply.body = self.rest().await;
        }
        reply
    }

    /// Reads the head of a response.
    pub(crate) async fn head(&mut self) -> Reply {
        let end = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end;
            }
            assert!(
                self.fill().await,
                "closed in a head: {:?}",
                String::from_utf8_lossy(&self.buffer)
            );
        };
        let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
        let head: String = head[..end].iter().copied().map(char::from).collect();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Reply {
            status,
            head,
            body: Vec::new(),
        }
    }

    /// Reads one chunk of a chunked body; `None` is the end.
    pub(crate) async fn chunk(&mut self) -> Option<Vec<u8>> {
        let end = loop {
            if let Some(end) = find(&self.buffer, b"\r\n") {
                break end;
            }
            assert!(self.fill().await, "closed in a chunk");
        };
        let line: Vec<u8> = self.buffer.drain(..end + 2).collect();
        let size = usize::from_str_radix(std::str::from_utf8(&line[..end]).unwrap(), 16).unwrap();
        let mut chunk = self.take(size + 2).await;
        chunk.truncate(size);
        (size > 0).then_some(chunk)
    }

    pub(crate) async fn take(&mut self, length: usize) -> Vec<u8> {
        while self.buffer.len() < length {
            assert!(self.fill().await, "closed in a body");
        }
        self.buffer.drain(..length).collect()
    }

    /// Reads until the other side closes.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.fill().await {}
        std::mem::take(&mut self.buffer)
    }

    /// Whether the other side closes, cleanly or not, without another byte.
    pub(crate) async fn is_closed(&mut self) -> bool {
        let mut byte = [0; 1];
        self.buffer.is_empty() && matches!(self.stream.read(&mut byte).await, Ok(0) | Err(_))
    }

    async fn fill(&mut self) -> bool {
        let mut bytes = [0; 64 * 1024];
        let read = self.stream.read(&mut bytes).await.unwrap_or(0);
        self.buffer.extend_from_slice(&bytes[..read]);
        read > 0
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|w| w == needle)
}

#[op2(fast)]
fn op_test_report(state: &OpState, #[string] entry: String) {
    state.borrow::<Log>().0.borrow_mut().push(entry);
}

deno_core::extension!(
    http_test,
    deps = [duplex_http],
    ops = [op_test_report],
    esm_entry_point = "ext:http_test/main.js",
    esm = [dir "tests/http", "main.js"],
);
