//! The seam to whoever keeps file contents: what import writes to and export reads from.

use std::io::{self, Read};

use wharf_oci::Digest;

/// Takes file contents in. A store is one; so is a map in a test.
pub trait BlobSink {
    /// Reads `content` to its end and keeps it under its digest. `size` is the number of bytes that `content` will give,
    /// known before the first is read; an implementation may choose by it where to put them.
    fn put(&mut self, content: &mut dyn Read, size: u64) -> io::Result<Digest>;
}

/// Gives file contents out.
pub trait BlobRead {
    /// Opens a content for reading from its start. Fails with [`io::ErrorKind::NotFound`] when there is none.
    fn open(&self, digest: &Digest) -> io::Result<Box<dyn Read>>;
}
