//! Telling compressed streams apart by how they start.

use std::io::{self, Cursor, Read};

/// How a layer is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
    Plain,
    /// RFC 1952, any number of members.
    Gzip,
    /// RFC 8878, any number of frames.
    Zstd,
}

pub(super) const BZIP2: &[u8] = b"BZh";
pub(super) const XZ: &[u8] = b"\xfd7zXZ\0";

/// The longest of the marks, in bytes.
const LONGEST: usize = XZ.len();

impl Compression {
    /// Recognises the first bytes of a stream; four are enough.
    pub fn detect(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, 0x08, ..] => Self::Gzip,
            // The second is a skippable frame, with which a seekable or signed stream may start.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::Plain,
        }
    }
}

/// The first bytes of `reader`, and a reader of all of it.
pub(super) fn peek<'r>(mut reader: impl Read + 'r) -> io::Result<(Vec<u8>, impl Read + 'r)> {
    let mut start = Vec::with_capacity(LONGEST);
    reader.by_ref().take(LONGEST as u64).read_to_end(&mut start)?;
    Ok((start.clone(), Cursor::new(start).chain(reader)))
}
