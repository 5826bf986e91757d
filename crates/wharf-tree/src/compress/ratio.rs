//! Decompression bombs.

use std::{
    cell::Cell,
    io::{self, Read},
    rc::Rc,
};

/// How many times its size a stream may expand to. gzip cannot go beyond 1,032; zstd can, to 32,768.
const MOST: u64 = 2_000;
/// What every stream may expand to, in bytes, however short: a layer with a large file of zeros.
const ALWAYS: u64 = 1 << 30;

/// A stream that expands to more than two thousand times its size and a gibibyte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("decompression bomb: {compressed} bytes expand to more than {expanded}")]
pub struct Bomb {
    /// Bytes read so far.
    pub compressed: u64,
    /// Bytes that they gave.
    pub expanded: u64,
}

/// Counts what is read.
pub(super) struct Counted<R> {
    reader: R,
    count: Rc<Cell<u64>>,
}

pub(super) fn counted<R: Read>(reader: R) -> (Counted<R>, Rc<Cell<u64>>) {
    let count = Rc::default();
    (
        Counted {
            reader,
            count: Rc::clone(&count),
        },
        count,
    )
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.count.set(self.count.get() + read as u64);
        Ok(read)
    }
}

/// A decoder that fails where it becomes a bomb.
pub(super) struct Bounded<R> {
    decoder: R,
    compressed: Rc<Cell<u64>>,
    expanded: u64,
}

impl<R: Read> Bounded<R> {
    pub(super) const fn new(decoder: R, compressed: Rc<Cell<u64>>) -> Self {
        Self {
            decoder,
            compressed,
            expanded: 0,
        }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.decoder.read(buffer)?;
        self.expanded += read as u64;
        let compressed = self.compressed.get();
        if self.expanded > ALWAYS + compressed * MOST {
            let bomb = Bomb {
                compressed,
                expanded: self.expanded,
            };
            return Err(io::Error::new(io::ErrorKind::InvalidData, bomb));
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_without_end_is_stopped() {
        let (reader, count) = counted(&b"xy"[..]);
        let decoder = reader.chain(io::repeat(0));
        let error = io::copy(&mut Bounded::new(decoder, count), &mut io::sink()).unwrap_err();
        let bomb: &Bomb = error.get_ref().unwrap().downcast_ref().unwrap();
        assert_eq!(bomb.compressed, 2);
    }
}
