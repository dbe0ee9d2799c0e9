//! One accepted connection, served with hyper or, where its client begins as HTTP/2
//! does, with h2.

use std::future::Future;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use hyper_util::rt::TokioIo;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;

use crate::control::Control;
use crate::control::Signal;
use crate::http2;
use crate::requests::Requests;
use crate::server_io::ServerIo;

/// Reads requests from `io` until it ends, is upgraded, or is told to stop
/// through `control`.
pub(crate) async fn serve<S>(requests: Requests, mut io: ServerIo<S>, control: Rc<Control>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    if requests.has_first() {
        return serve_http1(requests, io, control).await;
    }
    let is_http2 = poll_fn(|cx| match control.poll_signal(cx) {
        // There is no request yet.
        Some(_) => Poll::Ready(None),
        None => io.poll_is_http2(cx).map(Result::ok),
    });
    match is_http2.await {
        Some(true) => http2::serve(requests, io, control).await,
        Some(false) => serve_http1(requests, io, control).await,
        None => {}
    }
}

async fn serve_http1<S>(requests: Requests, io: ServerIo<S>, control: Rc<Control>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut has_request = requests.has_first();
    let server = requests.server().clone();
    let connection = server.http1().serve_connection(TokioIo::new(io), requests);
    let mut connection = pin!(connection.with_upgrades());
    poll_fn(|cx| {
        // hyper is to know of a request that the script has before it is told to
        // begin no other.
        if std::mem::take(&mut has_request) && connection.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        match control.poll_signal(cx) {
            Some(Signal::Kill) => return Poll::Ready(()),
            Some(Signal::Finish) => connection.as_mut().graceful_shutdown(),
            None => {}
        }
        // A broken connection concerns nobody but its client, and what it
        // means for the exchange under way is told by dropping that.
        connection.as_mut().poll(cx).map(drop)
    })
    .await
}
