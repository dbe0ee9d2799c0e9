//! The body of a request as a resource that the script reads.

use std::borrow::Cow;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::task::ready;

use deno_core::AsyncRefCell;
use deno_core::AsyncResult;
use deno_core::BufView;
use deno_core::CancelHandle;
use deno_core::CancelTryFuture;
use deno_core::RcRef;
use deno_core::Resource;
use deno_error::JsErrorBox;
use tokio::time::timeout;

use crate::exchange::Exchange;
use crate::received_body::BodyError;
use crate::received_body::ReceivedBody;
use crate::response_body::Ending;

/// A request body as a resource. The connection is read only as far as the
/// resource is read.
pub(crate) struct RequestBody {
    body: AsyncRefCell<ReceivedBody>,
    length: (u64, Option<u64>),
    cancel: CancelHandle,
    /// The exchange lives while its body is read, so that the connection counts
    /// as busy.
    exchange: Rc<Exchange>,
}

impl RequestBody {
    /// The `body` of `exchange`.
    pub(crate) fn new(body: ReceivedBody, exchange: Rc<Exchange>) -> Self {
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
                if let BodyError::TooLong { .. } = error {
                    self.exchange.refuse_body();
                }
                // The connection still waits for the answer, and would not tell
                // that its client has left.
                self.exchange.end(false);
                JsErrorBox::new("Http", error.to_string())
            }))
        });
        let limit = self.exchange.body_timeout();
        let read = async {
            let Some(limit) = limit else {
                return read.await;
            };
            let late = |_| {
                let limit = limit.as_secs_f64();
                let message = format!("The client sent nothing of the body for {limit} s");
                JsErrorBox::new("Http", message)
            };
            timeout(limit, read).await.map_err(late)?
        };
        let chunk = pin!(read).try_or_cancel(cancel).await?;
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
