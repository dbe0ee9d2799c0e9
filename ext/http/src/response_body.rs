//! The body of a response on its way to the client.

use std::pin::Pin;
use std::rc::Rc;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use deno_core::AsyncResult;
use deno_core::BufView;
use deno_core::Resource;
use deno_error::JsErrorBox;
use hyper::body::Body;
use hyper::body::Frame;
use hyper::body::SizeHint;

/// How many bytes of a streamed body are read at once.
const CHUNK: usize = 64 * 1024;

/// An object that is told how the sending of a body ended.
pub(crate) trait Ending {
    /// The body has been handed over, or given up if not `success`.
    fn end(&self, success: bool);
}

/// The body of a response. Its exchange `E` is told how the sending ended.
pub(crate) struct ResponseBody<E: Ending> {
    content: Content,
    /// The exchange to tell how the sending ended, if the script wants to know.
    ending: Option<Rc<E>>,
    /// Whether everything was handed to the connection.
    finished: bool,
}

enum Content {
    Empty,
    Whole(BufView),
    Stream(StreamedContent),
}

struct StreamedContent {
    resource: Rc<dyn Resource>,
    read: Option<AsyncResult<BufView>>,
    /// How many bytes are left, if the length was announced.
    left: Option<u64>,
    /// The error that ended the body early.
    failure: Option<JsErrorBox>,
    /// Whether the resource was taken from the script, and is closed with this
    /// body.
    owned: bool,
}

impl<E: Ending> ResponseBody<E> {
    /// No body.
    pub(crate) fn empty() -> Self {
        Self::new(Content::Empty)
    }

    /// A body of which all bytes are there.
    pub(crate) fn whole(bytes: BufView) -> Self {
        if bytes.is_empty() {
            return Self::empty();
        }
        Self::new(Content::Whole(bytes))
    }

    /// A body that is read from `resource` as the client takes it. If `owned`,
    /// the resource is closed when the body ends or is given up.
    pub(crate) fn stream(resource: Rc<dyn Resource>, owned: bool) -> Self {
        Self::new(Content::Stream(StreamedContent {
            resource,
            read: None,
            left: None,
            failure: None,
            owned,
        }))
    }

    /// Announces how many bytes a streamed body has. A shorter body fails, and
    /// a longer body is cut off.
    pub(crate) fn set_length(&mut self, length: Option<u64>) {
        if let Content::Stream(stream) = &mut self.content {
            stream.left = length;
            if length == Some(0) {
                self.content = Content::Empty;
            }
        }
    }

    /// Tells `exchange` when the body has been handed over or given up. A
    /// `bodiless` response is whole without its body.
    pub(crate) fn report_to(&mut self, exchange: Rc<E>, bodiless: bool) {
        self.ending = Some(exchange);
        self.finished |= bodiless || matches!(self.content, Content::Empty);
    }

    /// The connection left without taking this body.
    pub(crate) fn abandon(&mut self) {
        self.finished = false;
    }

    fn new(content: Content) -> Self {
        Self {
            content,
            ending: None,
            finished: false,
        }
    }
}

impl<E: Ending> Body for ResponseBody<E> {
    type Data = BufView;
    type Error = JsErrorBox;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<BufView>, JsErrorBox>>> {
        let this = &mut *self;
        match &mut this.content {
            Content::Empty => {
                this.finished = true;
                Poll::Ready(None)
            }
            Content::Whole(bytes) => {
                let bytes = std::mem::replace(bytes, BufView::empty());
                this.content = Content::Empty;
                this.finished = true;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Content::Stream(stream) => {
                let chunk = ready!(stream.poll_chunk(cx));
                // If the length was announced, the connection takes that many
                // bytes and does not ask for the end.
                this.finished = match chunk {
                    Ok(None) => true,
                    Ok(Some(_)) => stream.left == Some(0),
                    Err(_) => false,
                };
                let frame = chunk.transpose().map(|chunk| chunk.map(Frame::data));
                if this.finished {
                    this.content = Content::Empty;
                }
                Poll::Ready(frame)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.content, Content::Empty)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Empty => SizeHint::with_exact(0),
            Content::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Stream(stream) => match stream.left {
                Some(left) => SizeHint::with_exact(left),
                None => SizeHint::default(),
            },
        }
    }
}

impl<E: Ending> Drop for ResponseBody<E> {
    fn drop(&mut self) {
        if let Some(exchange) = self.ending.take() {
            exchange.end(self.finished);
        }
    }
}

impl StreamedContent {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<BufView>, JsErrorBox>> {
        if let Some(failure) = self.failure.take() {
            return Poll::Ready(Err(failure));
        }
        let read = self
            .read
            .get_or_insert_with(|| self.resource.clone().read(CHUNK));
        let chunk = ready!(read.as_mut().poll(cx));
        self.read = None;
        let failure = match chunk {
            Ok(chunk) if !chunk.is_empty() => return Poll::Ready(Ok(Some(self.count(chunk)))),
            Ok(_) if self.left.is_none_or(|left| left == 0) => return Poll::Ready(Ok(None)),
            Ok(_) => JsErrorBox::generic("The body is shorter than its Content-Length"),
            Err(error) => error,
        };
        // An error ends the connection at once. The error is returned a turn
        // later, so that the connection can send the bytes that it was given
        // before.
        self.failure = Some(failure);
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Counts a chunk against the announced length, and cuts off the bytes
    /// beyond it.
    fn count(&mut self, chunk: BufView) -> BufView {
        let Some(left) = self.left else {
            return chunk;
        };
        let length = chunk.len() as u64;
        self.left = Some(left.saturating_sub(length));
        if length <= left {
            return chunk;
        }
        BufView::from(chunk[..left as usize].to_vec())
    }
}

impl Drop for StreamedContent {
    fn drop(&mut self) {
        self.read = None;
        if self.owned {
            self.resource.clone().close();
        }
    }
}
