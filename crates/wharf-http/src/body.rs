//! Bodies of requests: bytes at hand, or a reader that can be opened again for every attempt.

use std::{
    fmt,
    io::{self, Read},
    ops::Range,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::mpsc;

type Open = dyn Fn(u64) -> io::Result<Box<dyn Read + Send>> + Send + Sync;

/// What a request carries. Every attempt sends it from its start.
#[derive(Clone, Default)]
pub struct Body(Kind);

#[derive(Clone, Default)]
enum Kind {
    #[default]
    Empty,
    Bytes(Bytes),
    Reader {
        start: u64,
        size: u64,
        open: Arc<Open>,
    },
}

impl Body {
    /// These bytes.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self(Kind::Bytes(bytes.into()))
    }

    /// `size` bytes of what `open` opens, which is called for every attempt, on a thread that may block, with the
    /// offset (bytes) at which the reader is to begin. A reader that ends early fails the request; what it has beyond
    /// `size` is not sent.
    pub fn reader(
        size: u64,
        open: impl Fn(u64) -> io::Result<Box<dyn Read + Send>> + Send + Sync + 'static,
    ) -> Self {
        Self(Kind::Reader {
            start: 0,
            size,
            open: Arc::new(open),
        })
    }

    /// The bytes `part` of this body, which must have them.
    #[must_use]
    pub fn part(&self, part: Range<u64>) -> Self {
        match &self.0 {
            Kind::Empty => Self::default(),
            Kind::Bytes(bytes) => Self::bytes(bytes.slice(part.start as usize..part.end as usize)),
            Kind::Reader { start, open, .. } => Self(Kind::Reader {
                start: start + part.start,
                size: part.end - part.start,
                open: Arc::clone(open),
            }),
        }
    }

    /// The number of bytes.
    pub fn size(&self) -> u64 {
        match &self.0 {
            Kind::Empty => 0,
            Kind::Bytes(bytes) => bytes.len() as u64,
            Kind::Reader { size, .. } => *size,
        }
    }

    /// The number of bytes that [`Sent`] will have counted when all are sent.
    pub(crate) fn counted(&self) -> u64 {
        if matches!(self.0, Kind::Reader { .. }) {
            self.size()
        } else {
            0
        }
    }

    /// The body of one attempt, which counts into `sent` what the connection took.
    pub(crate) fn start(&self, sent: &Arc<Sent>) -> Option<reqwest::Body> {
        match &self.0 {
            Kind::Empty => None,
            Kind::Bytes(bytes) => Some(bytes.clone().into()),
            Kind::Reader { start, size, open } => Some(reqwest::Body::wrap(Feed {
                pieces: feed(Arc::clone(open), *start, *size),
                left: *size,
                sent: Arc::clone(sent),
            })),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.size())
    }
}

/// How many bytes of a body the connection has taken so far.
#[derive(Debug, Default)]
pub(crate) struct Sent(AtomicU64);

impl Sent {
    pub(crate) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Large enough that a piece's hand-over costs nothing beside sending it, small enough that a slow line moves.
const PIECE: usize = 128 << 10;

/// Reads ahead by at most this many pieces.
const AHEAD: usize = 2;

/// Reads on a thread of its own, since readers block. The thread ends with the last piece or with the receiver.
fn feed(open: Arc<Open>, start: u64, size: u64) -> mpsc::Receiver<io::Result<Bytes>> {
    let (pieces, receiver) = mpsc::channel(AHEAD);
    tokio::task::spawn_blocking(move || {
        let mut reader = match open(start) {
            Ok(reader) => reader.take(size),
            Err(error) => return drop(pieces.blocking_send(Err(error))),
        };
        while let Some(piece) = next_piece(&mut reader) {
            let failed = piece.is_err();
            if pieces.blocking_send(piece).is_err() || failed {
                return;
            }
        }
    });
    receiver
}

fn next_piece(reader: &mut impl Read) -> Option<io::Result<Bytes>> {
    let mut piece = vec![0; PIECE];
    match reader.read(&mut piece) {
        Ok(0) => None,
        Ok(length) => {
            piece.truncate(length);
            Some(Ok(piece.into()))
        }
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Some(Ok(Bytes::new())),
        Err(error) => Some(Err(error)),
    }
}

/// A reader's body on the wire: its size is known, so it is not sent in chunks.
struct Feed {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    left: u64,
    sent: Arc<Sent>,
}

/// The body's own reader failed: no fault of the network, and no reason to retry.
#[derive(Debug, thiserror::Error)]
#[error("the body cannot be read")]
pub(crate) struct ReadBodyError(#[source] pub(crate) io::Error);

impl http_body::Body for Feed {
    type Data = Bytes;
    type Error = ReadBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ReadBodyError>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        Poll::Ready(match ready!(self.pieces.poll_recv(context)) {
            Some(Ok(piece)) => {
                self.left -= piece.len() as u64;
                self.sent.0.fetch_add(piece.len() as u64, Ordering::Relaxed);
                Some(Ok(Frame::data(piece)))
            }
            Some(Err(error)) => Some(Err(ReadBodyError(error))),
            None => Some(Err(ReadBodyError(io::ErrorKind::UnexpectedEof.into()))),
        })
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }
}
