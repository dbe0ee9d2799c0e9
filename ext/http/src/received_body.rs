//! The body of a request on its way from the connection.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::task::ready;

use bytes::Bytes;
use h2::RecvStream;
use hyper::body::Body;
use hyper::body::Incoming;

use crate::clock::Clock;

/// A body. Some of its bytes may have been received and not been read yet.
pub(crate) struct ReceivedBody {
    source: Source,
    ahead: VecDeque<Bytes>,
    /// The error that ended reading. It is returned after the bytes in `ahead`.
    failure: Option<BodyError>,
    /// The most bytes that the body may have.
    limit: u64,
    received: u64,
}

enum Source {
    Empty,
    Http1 {
        incoming: Incoming,
        /// The clock is told if the body is given up before its end.
        clock: Arc<Clock>,
        is_over: bool,
    },
    Http2(RecvStream),
}

/// Why a body cannot be read further.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// An error of hyper.
    #[error(transparent)]
    Http1(hyper::Error),
    /// An error of h2.
    #[error("error reading a body from connection: {0}")]
    Http2(h2::Error),
    /// The body has more bytes than the limit.
    #[error("The body is longer than maxRequestBodySize ({limit} bytes)")]
    TooLong {
        /// The limit, in bytes.
        limit: u64,
    },
}

impl ReceivedBody {
    /// The body of a request without a body.
    pub(crate) fn empty() -> Self {
        Self::new(Source::Empty)
    }

    /// The body of a request of HTTP/1.1.
    pub(crate) fn http1(incoming: Incoming, clock: Arc<Clock>) -> Self {
        Self::new(Source::Http1 {
            is_over: incoming.is_end_stream(),
            incoming,
            clock,
        })
    }

    /// The body of a request of HTTP/2.
    pub(crate) fn http2(stream: RecvStream) -> Self {
        Self::new(Source::Http2(stream))
    }

    fn new(source: Source) -> Self {
        Self {
            source,
            ahead: VecDeque::new(),
            failure: None,
            limit: u64::MAX,
            received: 0,
        }
    }

    /// Sets the most bytes that the body may have.
    pub(crate) fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// Takes the whole body if all of it has come.
    pub(crate) fn take_ready(&mut self) -> Option<Vec<u8>> {
        let mut cx = Context::from_waker(Waker::noop());
        while !self.source.is_end() {
            match self.poll_source(&mut cx) {
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

    /// The next bytes, at least one and at most `limit`, or `None` at the end.
    pub(crate) fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
        limit: usize,
    ) -> Poll<Result<Option<Bytes>, BodyError>> {
        if self.ahead.is_empty() {
            if let Some(failure) = self.failure.take() {
                return Poll::Ready(Err(failure));
            }
            match ready!(self.poll_source(cx)).transpose()? {
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

    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        let data = ready!(self.source.poll_data(cx));
        if let Some(Ok(bytes)) = &data {
            self.received = self.received.saturating_add(bytes.len() as u64);
            if self.received > self.limit {
                let limit = self.limit;
                return Poll::Ready(Some(Err(BodyError::TooLong { limit })));
            }
        }
        Poll::Ready(data)
    }

    /// The least and the greatest number of bytes that are left.
    pub(crate) fn length(&self) -> (u64, Option<u64>) {
        let ahead: u64 = self.ahead.iter().map(|bytes| bytes.len() as u64).sum();
        let (lower, upper) = self.source.length();
        (
            lower.saturating_add(ahead),
            upper.and_then(|upper| upper.checked_add(ahead)),
        )
    }
}

impl Source {
    /// The next data that is not empty. Trailers are skipped, because scripts
    /// do not get them.
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        loop {
            let data = match self {
                Self::Empty => None,
                Self::Http1 {
                    incoming, is_over, ..
                } => {
                    let frame = ready!(Pin::new(incoming).poll_frame(cx));
                    *is_over = frame.is_none();
                    frame.map(|frame| match frame {
                        Ok(frame) => Ok(frame.into_data().unwrap_or_default()),
                        Err(error) => Err(BodyError::Http1(error)),
                    })
                }
                Self::Http2(stream) => {
                    let data = ready!(stream.poll_data(cx));
                    if let Some(Ok(bytes)) = &data {
                        // The call fails for a stream that has ended, which has
                        // no window.
                        let _ = stream.flow_control().release_capacity(bytes.len());
                    }
                    data.map(|data| data.map_err(BodyError::Http2))
                }
            };
            if !matches!(&data, Some(Ok(bytes)) if bytes.is_empty()) {
                return Poll::Ready(data);
            }
        }
    }

    fn is_end(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Http1 {
                incoming, is_over, ..
            } => *is_over || incoming.is_end_stream(),
            Self::Http2(stream) => stream.is_end_stream(),
        }
    }

    fn length(&self) -> (u64, Option<u64>) {
        match self {
            Self::Empty => (0, Some(0)),
            Self::Http1 { incoming, .. } => {
                let hint = incoming.size_hint();
                (hint.lower(), hint.upper())
            }
            Self::Http2(_) => (0, None),
        }
    }
}

impl Drop for ReceivedBody {
    fn drop(&mut self) {
        if self.source.is_end() {
            return;
        }
        match &self.source {
            // h2 resets a stream that has its answer with NO_ERROR (RFC 9113 section 8.1).
            Source::Empty | Source::Http2(_) => {}
            // The connection then lingers.
            Source::Http1 { clock, .. } => clock.left_unread(),
        }
    }
}
