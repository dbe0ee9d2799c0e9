//! The address that operators ask for numbers and health: `/metrics`, `/live`, `/ready`.
//!
//! It has a thread of its own, so that it answers while scripts are busy. Whoever asks can
//! read and do nothing else. What one client can have it hold is limited, and no client can
//! slow down the program.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use duplex_http::health;
use duplex_websocket::metrics::Exposition;
use duplex_websocket::metrics::Kind;
use duplex_websocket::metrics::watch_event_loops;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::Response;
use http::StatusCode;
use http::header;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::process_numbers;
use crate::versions::engine_version;

/// Answers on `address` until the process ends, and has the event loops watched that start
/// from now on. Port 0 is one that the system chooses. Returns the address that was bound.
///
/// `/metrics` has the numbers of the program in the text format of Prometheus. `/live` is 200.
/// `/ready` is 200 where the program can be sent work, and 503 with the reason where not.
///
/// # Errors
///
/// The address is taken, or is not one of this machine; or there is no thread to be had.
pub fn serve_metrics(address: SocketAddr) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let run = move || runtime.block_on(accept(listener));
    std::thread::Builder::new()
        .name("metrics".to_owned())
        .spawn(run)?;
    watch_event_loops();
    Ok(address)
}

async fn accept(listener: TcpListener) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            log::error!("Unable to serve metrics: {error}");
            return;
        }
    };
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        // The others wait in the kernel.
        let place = places.clone().acquire_owned().await;
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(async move {
                    // What fails or takes too long is the client's own affair.
                    let _ = tokio::time::timeout(PATIENCE, serve(stream)).await;
                    drop(place);
                });
            }
            // Out of descriptors, perhaps.
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn serve(stream: TcpStream) -> hyper::Result<()> {
    http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .serve_connection(TokioIo::new(stream), service_fn(answer))
        .await
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(respond(request.method(), request.uri().path()))
}

fn respond(method: &Method, path: &str) -> Response<Full<Bytes>> {
    let (status, text) = match path {
        "/metrics" | "/live" | "/ready" if method != Method::GET && method != Method::HEAD => {
            let text = "This address answers GET and HEAD.\n".to_owned();
            (StatusCode::METHOD_NOT_ALLOWED, text)
        }
        "/metrics" => (StatusCode::OK, numbers().into_text()),
        "/live" => (StatusCode::OK, "live\n".to_owned()),
        "/ready" => match health::ready() {
            Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
            Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
        },
        _ => {
            let text = "There is /metrics, /live and /ready.\n".to_owned();
            (StatusCode::NOT_FOUND, text)
        }
    };
    let content_type = match path {
        "/metrics" => Exposition::CONTENT_TYPE,
        _ => "text/plain; charset=utf-8",
    };
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

/// All numbers of the program.
pub(crate) fn numbers() -> Exposition {
    let mut out = Exposition::default();
    duplex_http::expose_metrics(&mut out);
    out.family(
        "duplex_build_info",
        Kind::Gauge,
        "1, with the version of duplex and of its engine.",
    );
    let (engine, engine_version) = engine_version();
    let version = env!("CARGO_PKG_VERSION");
    let engine = format!("{engine} {engine_version}");
    out.sample(&[("version", version), ("engine", &engine)], 1);
    process_numbers::expose(&mut out);
    out
}

/// How many clients are answered at a time.
const MAX_CONNECTIONS: usize = 16;
/// How long one client may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it may take to ask.
const HEAD_PATIENCE: Duration = Duration::from_secs(5);
/// How long the head of a request may be. It is the least that hyper takes.
const MAX_HEAD: usize = 8 << 10;
/// How many lines it may have.
const MAX_HEADERS: usize = 64;
/// How long to wait where the system refuses to accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
