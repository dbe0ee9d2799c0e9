//! The HTTP server for operators, with metrics and health checks: `/metrics`, `/live`, `/ready`.
//!
//! It has a thread of its own, so that it answers while scripts are busy. A client can read and do
//! nothing else. What one client can make the server hold is limited, and no client can slow down
//! the program.

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

/// Serves on `address` until the process ends, and makes all event loops that start from now on
/// measure their delay. With port 0 the system chooses a port. Returns the address that was bound.
///
/// `/metrics` has the metrics of the program in the text format of Prometheus. `/live` is 200.
/// `/ready` is 200 if the program is ready for work, and otherwise 503 with the reason.
///
/// # Errors
///
/// If the address is taken or is not an address of this machine, or if no thread can be started.
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
        // Further connections wait in the kernel.
        let place = places.clone().acquire_owned().await;
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(async move {
                    // An error or a timeout concerns only this client.
                    let _ = tokio::time::timeout(PATIENCE, serve(stream)).await;
                    drop(place);
                });
            }
            // The process may have run out of file descriptors.
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

/// All metrics of the program.
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

/// How many clients are served at a time.
const MAX_CONNECTIONS: usize = 16;
/// How long one connection may last.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a client may take to send the head of its request.
const HEAD_PATIENCE: Duration = Duration::from_secs(5);
/// How long the head of a request may be. This is the least that hyper accepts.
const MAX_HEAD: usize = 8 << 10;
/// How many header fields a request may have.
const MAX_HEADERS: usize = 64;
/// How long to wait after an error of `accept`.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
