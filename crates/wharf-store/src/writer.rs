//! Writing one blob piece by piece.

use std::io;

use wharf_oci::Digest;

use crate::{error::BlobError, store::Store};

/// Takes a blob's bytes; nothing is visible before [`BlobWriter::finish`], and dropping it leaves nothing behind.
#[derive(Debug)]
pub struct BlobWriter {}

impl BlobWriter {
    /// How many bytes were written so far.
    pub fn length(&self) -> u64 {
        unimplemented!()
    }

    /// Makes the blob visible and gives its digest. With `expected`, other bytes are refused.
    pub fn finish(self, _expected: Option<&Digest>) -> Result<Digest, BlobError> {
        unimplemented!()
    }
}

impl io::Write for BlobWriter {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        unimplemented!()
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Store {
    /// A writer for one blob.
    pub fn writer(&self) -> BlobWriter {
        unimplemented!()
    }
}
