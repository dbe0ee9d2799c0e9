//! One accepted connection, served with h2 if its client begins with the preface of HTTP/2, and
//! with hyper otherwise.

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

/// Reads requests from `io` until the connection ends, is upgraded, or is told
/// to stop through `control`.
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
        // hyper must read a request that the script has already before hyper is
        // told to begin no other.
        if std::mem::take(&mut has_request) && connection.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        match control.poll_signal(cx) {
            Some(Signal::Kill) => return Poll::Ready(()),
            Some(Signal::Finish) => connection.as_mut().graceful_shutdown(),
            None => {}
        }
        // An error of the connection is not reported. Dropping the exchange
        // under way tells the script.
        connection.as_mut().poll(cx).map(drop)
    })
    .await
}
