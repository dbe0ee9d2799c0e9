//! The body of a request on its way to the script.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::task::ready;

use bytes::Bytes;
use deno_core::AsyncRefCell;
use deno_core::AsyncResult;
use deno_core::BufView;
use deno_core::CancelHandle;
use deno_core::CancelTryFuture;
use deno_core::RcRef;
use deno_core::Resource;
use deno_error::JsErrorBox;
use hyper::body::Body;
use hyper::body::Incoming;

use crate::exchange::Exchange;

/// A body of which some may have been received and not been read yet.
pub struct ReceivedBody {
    incoming: Incoming,
    ahead: VecDeque<Bytes>,
    /// What reading ended with, to be told after what is ahead was read.
    failure: Option<hyper::Error>,
}

impl ReceivedBody {
    pub fn new(incoming: Incoming) -> Self {
        Self {
            incoming,
            ahead: VecDeque::new(),
            failure: None,
        }
    }

    /// Takes the whole body when nothing of it has to be waited for.
    pub fn take_ready(&mut self) -> Option<Vec<u8>> {
        let mut cx = Context::from_waker(Waker::noop());
        while !self.incoming.is_end_stream() {
            match self.poll_incoming(&mut cx) {
                Poll::Ready(Some(Ok(bytes))) => self.ahead.push_back(bytes),
                Poll::Ready(Some(Err(error))) => {
                    self.failure = Some(error);
                    return None;
                }
                Poll::Ready(None) => break,
                Poll::Pending => return None,
            }
        }
        let mut whole = Vec::with_capacity(self.ahead.iter().map(Bytes::len).sum());
        for bytes in self.ahead.drain(..) {
            whole.extend_from_slice(&bytes);
        }
        Some(whole)
    }

    /// The next bytes, at most `limit` and at least one; none at the end.
    fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
        limit: usize,
    ) -> Poll<Result<Option<Bytes>, hyper::Error>> {
        if self.ahead.is_empty() {
            if let Some(failure) = self.failure.take() {
                return Poll::Ready(Err(failure));
            }
            match ready!(self.poll_incoming(cx)).transpose()? {
                Some(bytes) => self.ahead.push_back(bytes),
                None => return Poll::Ready(Ok(None)),
            }
        }
        let Some(mut bytes) = self.ahead.pop_front() else {
            return Poll::Ready(Ok(None));
        };
        if bytes.len() > limit {
            let rest = bytes.split_off(limit);
            self.ahead.push_front(rest);
        }
        Poll::Ready(Ok(Some(bytes)))
    }

    /// The next data that is not empty. Trailers are not shown to scripts.
    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, hyper::Error>>> {
        loop {
            match ready!(Pin::new(&mut self.incoming).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) if !bytes.is_empty() => return Poll::Ready(Some(Ok(bytes))),
                    _ => continue,
                },
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }

    fn length(&self) -> (u64, Option<u64>) {
        let ahead: u64 = self.ahead.iter().map(|bytes| bytes.len() as u64).sum();
        let hint = self.incoming.size_hint();
        (
            hint.lower().saturating_add(ahead),
            hint.upper().and_then(|upper| upper.checked_add(ahead)),
        )
    }
}

/// A request body as a resource. The connection is read only as far as the
/// resource is.
pub struct RequestBody {
    body: AsyncRefCell<ReceivedBody>,
    length: (u64, Option<u64>),
    cancel: CancelHandle,
    /// Lives on while its body is read, so that the connection counts as
    /// busy.
    exchange: Rc<Exchange>,
}

impl RequestBody {
    pub fn new(body: ReceivedBody, exchange: Rc<Exchange>) -> Self {
        Self {
            length: body.length(),
            body: AsyncRefCell::new(body),
            cancel: CancelHandle::new(),
            exchange,
        }
    }

    async fn read(self: Rc<Self>, limit: usize) -> Result<BufView, JsErrorBox> {
        let cancel = RcRef::map(&self, |this| &this.cancel);
        let mut body = RcRef::map(&self, |this| &this.body).borrow_mut().await;
        let read = poll_fn(|cx| {
            let chunk = ready!(body.poll_chunk(cx, limit));
            Poll::Ready(chunk.map_err(|error| {
                // The connection waits for the answer all the same, and would
                // not tell that its client has left.
                self.exchange.end(false);
                JsErrorBox::new("Http", error.to_string())
            }))
        });
        let chunk = read.try_or_cancel(cancel).await?;
        Ok(chunk.map_or_else(BufView::empty, BufView::from))
    }
}

impl Resource for RequestBody {
    fn name(&self) -> Cow<'_, str> {
        "httpRequestBody".into()
    }

    fn read(self: Rc<Self>, limit: usize) -> AsyncResult<BufView> {
        Box::pin(RequestBody::read(self, limit))
    }

    fn size_hint(&self) -> (u64, Option<u64>) {
        self.length
    }

    fn close(self: Rc<Self>) {
        self.cancel.cancel();
    }

    fn cancel_read_ops(self: Rc<Self>) {
        self.cancel.cancel();
    }
}
