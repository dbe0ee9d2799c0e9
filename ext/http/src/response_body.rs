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

use crate::exchange::Exchange;

/// Bytes that are asked of a streamed body at once.
const CHUNK: usize = 64 * 1024;

pub struct ResponseBody {
    content: Content,
    /// The exchange to tell how the sending ended, if anybody wants to know.
    ending: Option<Rc<Exchange>>,
    /// Everything was handed to the connection.
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
    /// Bytes left when the length was announced.
    left: Option<u64>,
    /// The resource was taken from the script and ends with this body.
    owned: bool,
}

impl ResponseBody {
    pub fn empty() -> Self {
        Self::new(Content::Empty)
    }

    pub fn whole(bytes: BufView) -> Self {
        if bytes.is_empty() {
            return Self::empty();
        }
        Self::new(Content::Whole(bytes))
    }

    /// A body that is read from `resource` as the client takes it.
    ///
    /// `length` is the number of bytes when it is known beforehand. With
    /// `owned`, the resource is closed when the body ends or is given up.
    pub fn stream(resource: Rc<dyn Resource>, length: Option<u64>, owned: bool) -> Self {
        let content = StreamedContent {
            resource,
            read: None,
            left: length,
            owned,
        };
        match length {
            Some(0) => Self::empty(),
            _ => Self::new(Content::Stream(content)),
        }
    }

    /// Reports to `exchange` when the body has been handed over or given up.
    /// A `bodiless` response is whole without its body.
    pub fn report_to(&mut self, exchange: Rc<Exchange>, bodiless: bool) {
        self.ending = Some(exchange);
        self.finished |= bodiless || matches!(self.content, Content::Empty);
    }

    /// The connection left without taking this body.
    pub fn abandon(&mut self) {
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

impl Body for ResponseBody {
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
                // Of an announced length the connection takes that much and
                // does not come for the end.
                this.finished = match chunk {
                    Ok(None) => true,
                    Ok(Some(_)) => stream.left == Some(0),
                    Err(_) => false,
                };
                Poll::Ready(chunk.transpose().map(|chunk| chunk.map(Frame::data)))
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

impl Drop for ResponseBody {
    fn drop(&mut self) {
        if let Some(exchange) = self.ending.take() {
            exchange.end(self.finished);
        }
    }
}

impl StreamedContent {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<BufView>, JsErrorBox>> {
        let read = self
            .read
            .get_or_insert_with(|| self.resource.clone().read(CHUNK));
        let chunk = ready!(read.as_mut().poll(cx));
        self.read = None;
        let chunk = chunk?;
        if chunk.is_empty() {
            return Poll::Ready(Ok(None));
        }
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(chunk.len() as u64);
        }
        Poll::Ready(Ok(Some(chunk)))
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
