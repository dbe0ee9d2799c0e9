//! A message that is encoded once and goes to many connections.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use bytes::Bytes;
use duplex_protocol::deflate::Compressor;
use duplex_protocol::encoder;

use crate::message::Message;
use crate::parcel::Parcel;

/// The frames of a message, each made when the first subscriber needs it.
pub(crate) struct Publication<'a> {
    message: Message<'a>,
    plain: OnceCell<Bytes>,
    /// The compressed frames, by their compressors. Most subscribers have the
    /// same compression.
    compressed: RefCell<Vec<(Compressor, Rc<CompressedFrame>)>>,
}

struct CompressedFrame {
    bytes: Bytes,
    /// Whether the frame is compressed. A message that does not become shorter
    /// is not compressed.
    is_compressed: bool,
}

impl<'a> Publication<'a> {
    pub(crate) fn new(message: Message<'a>) -> Self {
        Self {
            message,
            plain: OnceCell::new(),
            compressed: RefCell::default(),
        }
    }

    /// The publication of a message that another thread has encoded.
    pub(crate) fn of(parcel: &'a Parcel) -> Self {
        let publication = Self::new(parcel.message());
        let _ = publication.plain.set(parcel.frame().clone());
        publication
    }

    pub(crate) fn message(&self) -> Message<'a> {
        self.message
    }

    /// The frame for connections that do not compress.
    pub(crate) fn plain(&self) -> &Bytes {
        self.plain.get_or_init(|| self.encode(None).into())
    }

    /// Bytes of application data.
    pub(crate) fn payload_length(&self) -> usize {
        self.message.length()
    }

    /// Hands the frame for a connection that compresses by `compressor`, or not at all, to
    /// `push`.
    ///
    /// A shared frame cannot refer to messages that only one peer has seen, so the frame is
    /// compressed without a context. Every peer can inflate such a frame. But the peer's context
    /// then ends with this message, and this end's context does not, so the compressor begins again
    /// without a context.
    pub(crate) fn with_frame<R>(
        &self,
        compressor: Option<&mut Compressor>,
        push: impl FnOnce(&Bytes) -> R,
    ) -> R {
        let Some(compressor) = compressor else {
            return push(self.plain());
        };
        let mut compressed = self.compressed.borrow_mut();
        let known = compressed.iter().find(|(it, _)| it.is_like(compressor));
        let frame = match known {
            Some((_, frame)) => frame.clone(),
            None => {
                let mut shared = compressor.without_context();
                let bytes = self.encode(Some(&mut shared));
                let frame = Rc::new(CompressedFrame {
                    is_compressed: encoder::is_compressed(&bytes),
                    bytes: bytes.into(),
                });
                compressed.push((shared, frame.clone()));
                frame
            }
        };
        if frame.is_compressed {
            compressor.release();
        }
        push(&frame.bytes)
    }

    fn encode(&self, compressor: Option<&mut Compressor>) -> Vec<u8> {
        let mut out = Vec::new();
        self.message.encode(&mut out, None, compressor);
        out
    }
}
