//! HTTP/2: a connection and the streams on it, served with the crate h2. hyper's server is not
//! used, because it cannot reset the stream of a WebSocket, and because it ends a whole connection
//! for the fault of one stream.

use std::future::Future;
use std::future::poll_fn;
use std::pin::Pin;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;

use deno_core::BufView;
use h2::Reason;
use h2::RecvStream;
use h2::SendStream;
use h2::server::Builder;
use h2::server::SendResponse;
use http::HeaderMap;
use http::HeaderName;
use http::Method;
use http::Request;
use http::Response;
use http::StatusCode;
use http::header;
use hyper::body::Body;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::sync::oneshot;
use tokio::time::Sleep;
use tokio::time::sleep;

use crate::control::Control;
use crate::control::Signal;
use crate::date;
use crate::exchange::Answer;
use crate::exchange::ResponseBody;
use crate::exchange::Upgrade;
use crate::http2_stream::CHUNK;
use crate::http2_stream::Data;
use crate::http2_stream::Http2Stream;
use crate::http2_stream::Live;
use crate::http2_stream::Part;
use crate::http2_stream::STREAM_WINDOW;
use crate::http2_stream::poll_capacity;
use crate::limits::ServerLimits;
use crate::received_body::ReceivedBody;
use crate::requests::Requests;
use crate::server_io::ServerIo;

/// Reads requests from `io` until the connection ends, or is told to stop
/// through `control`.
pub(crate) async fn serve<S>(requests: Requests, io: ServerIo<S>, control: Rc<Control>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let limits = requests.limits();
    let mut handshake = pin!(builder(&limits).handshake(io));
    let shaken = poll_fn(|cx| match control.poll_signal(cx) {
        // There is no request yet.
        Some(_) => Poll::Ready(None),
        None => handshake.as_mut().poll(cx).map(Result::ok),
    });
    let Some(mut connection) = shaken.await else {
        return;
    };
    let live = Rc::new(Live::default());
    let mut is_leaving = false;
    // The timer that runs while there is no stream.
    let mut idle: Option<Pin<Box<Sleep>>> = None;
    poll_fn(|cx| {
        loop {
            match control.poll_signal(cx) {
                Some(Signal::Kill) => return Poll::Ready(()),
                Some(Signal::Finish) => {
                    connection.graceful_shutdown();
                    is_leaving = true;
                    idle = None;
                }
                None => {}
            }
            match connection.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, respond)))) => {
                    start(&requests, &limits, &live, request, respond);
                    continue;
                }
                // An error of the connection is not reported.
                Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(()),
                Poll::Pending => {}
            }
            if live.is_any(cx) {
                idle = None;
                return Poll::Pending;
            }
            let time = match is_leaving {
                true => LEAVING,
                false => limits.keep_alive_timeout,
            };
            let timer = idle.get_or_insert_with(|| Box::pin(sleep(time)));
            ready!(timer.as_mut().poll(cx));
            if is_leaving {
                return Poll::Ready(());
            }
            connection.graceful_shutdown();
            is_leaving = true;
            idle = None;
        }
    })
    .await;
}

fn builder(limits: &ServerLimits) -> Builder {
    let mut builder = h2::server::Builder::new();
    builder
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(MAX_STREAMS)
        .max_send_buffer_size(SEND_BUFFER)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
        .enable_connect_protocol();
    builder
}

/// Hands a request to the script, and has its answer sent.
fn start(
    requests: &Requests,
    limits: &ServerLimits,
    live: &Rc<Live>,
    request: Request<RecvStream>,
    mut respond: SendResponse<Data>,
) {
    let (head, receive) = request.into_parts();
    let is_head = head.method == Method::HEAD;
    let (answer, tunnel) = if head.method == Method::CONNECT {
        if has_length(&head.headers) {
            // A CONNECT has no body. The bytes that follow belong to the tunnel
            // (RFC 9113 section 8.5).
            respond.send_reset(Reason::PROTOCOL_ERROR);
            return;
        }
        let (sender, receiver) = oneshot::channel();
        let upgrade = Some(Upgrade::Http2(receiver));
        let answer = requests.start(head, ReceivedBody::empty(), upgrade);
        (answer, Some((sender, receive)))
    } else {
        let body = ReceivedBody::http2(receive);
        (requests.start(head, body, None), None)
    };
    let stalled = limits.send_timeout;
    let live = live.enter();
    deno_core::unsync::spawn(async move {
        let Some((head, mut body, is_upgraded)) = await_answer(answer, &mut respond).await else {
            return;
        };
        let mut response = Response::from_parts(head, ());
        let headers = response.headers_mut();
        strip_connection_fields(headers);
        headers
            .entry(header::DATE)
            .or_insert_with(date::header_value);
        if let Some((sender, receive)) = tunnel
            && response.status().is_success()
        {
            if !is_upgraded {
                // The script has answered with 2xx, which opens the tunnel, but has not taken the
                // tunnel.
                *response.status_mut() = StatusCode::NOT_IMPLEMENTED;
                response.headers_mut().remove(header::CONTENT_LENGTH);
                let _ = respond.send_response(response, true);
                return;
            }
            response.headers_mut().remove(header::CONTENT_LENGTH);
            if let Ok(send) = respond.send_response(response, false) {
                let _ = sender.send(Http2Stream::new(send, receive, live));
            }
            return;
        }
        let has_body = !(is_head
            || body.is_end_stream()
            || matches!(
                response.status(),
                StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
            ));
        if response.status() != StatusCode::NO_CONTENT
            && (has_body || is_head)
            && let Some(length) = body.size_hint().exact()
        {
            (response.headers_mut().entry(header::CONTENT_LENGTH)).or_insert_with(|| length.into());
        }
        let Ok(mut send) = respond.send_response(response, !has_body) else {
            respond.send_reset(Reason::INTERNAL_ERROR);
            return;
        };
        if has_body && let Err(reason) = send_body(&mut body, &mut send, stalled).await {
            body.abandon();
            send.send_reset(reason);
        }
    });
}

/// Waits for the answer. Also returns whether the script has taken the tunnel. Returns `None` if
/// the client has gone.
async fn await_answer(
    answer: Answer,
    respond: &mut SendResponse<Data>,
) -> Option<(http::response::Parts, ResponseBody, bool)> {
    let mut answer = pin!(answer);
    poll_fn(|cx| {
        if let Poll::Ready(Ok(response)) = answer.as_mut().poll(cx) {
            let is_upgraded = answer.exchange().take_upgrade().is_none();
            let (head, body) = response.into_parts();
            return Poll::Ready(Some((head, body, is_upgraded)));
        }
        respond.poll_reset(cx).map(|_| None)
    })
    .await
}

/// Sends the body as fast as the client takes it. The error is the reason for
/// resetting the stream.
async fn send_body(
    body: &mut ResponseBody,
    send: &mut SendStream<Data>,
    stalled: Duration,
) -> Result<(), Reason> {
    loop {
        let frame = poll_fn(|cx| {
            if send.poll_reset(cx).is_ready() {
                return Poll::Ready(Err(Reason::CANCEL));
            }
            Pin::new(&mut *body).poll_frame(cx).map(Ok)
        });
        let chunk = match frame.await? {
            Some(Ok(frame)) => frame.into_data().unwrap_or_else(|_| BufView::empty()),
            Some(Err(_)) => return Err(Reason::INTERNAL_ERROR),
            None => {
                let sent = send.send_data(Data::empty(), true);
                return sent.map_err(|_| Reason::CANCEL);
            }
        };
        let is_last = body.is_end_stream();
        let chunk = Rc::new(chunk);
        let mut start = 0;
        while start < chunk.len() {
            send.reserve_capacity((chunk.len() - start).min(CHUNK));
            let capacity = tokio::time::timeout(stalled, poll_fn(|cx| poll_capacity(send, cx)));
            let Ok(Some(capacity)) = capacity.await else {
                return Err(Reason::CANCEL);
            };
            let end = chunk.len().min(start + capacity);
            let part = Data::Part(Part {
                whole: chunk.clone(),
                start,
                end,
            });
            start = end;
            let is_end = is_last && end == chunk.len();
            send.send_data(part, is_end).map_err(|_| Reason::CANCEL)?;
            if is_end {
                return Ok(());
            }
        }
    }
}

/// Whether the headers announce a body.
fn has_length(headers: &HeaderMap) -> bool {
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    lengths.any(|length| length != "0")
}

/// Removes the fields that belong to HTTP/1.1 only (RFC 9113 section 8.2.2).
fn strip_connection_fields(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in &named {
        headers.remove(name);
    }
    for name in [
        header::CONNECTION,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        header::TE,
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
    ] {
        headers.remove(name);
    }
}

/// How many unread bytes a client may send on all streams of a connection. The number is larger
/// than for one stream, so that streams that are not read leave room for others.
const CONNECTION_WINDOW: u32 = 2 << 20;
/// How many streams a client may have open at once.
const MAX_STREAMS: u32 = 200;
/// How many bytes may wait for the kernel on a stream.
const SEND_BUFFER: usize = 64 << 10;
/// How long a connection without a stream may take to end.
const LEAVING: Duration = Duration::from_secs(2);
