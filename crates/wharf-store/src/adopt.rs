//! Files of others made blobs: cloned, moved or copied, whatever is cheapest here.

use std::{fs::File, path::Path};

use wharf_oci::Digest;

use crate::{error::BlobError, store::Store};

/// A blob that was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// Digest of the content.
    pub digest: Digest,
    /// Length in bytes.
    pub size: u64,
}

impl Store {
    /// Keeps a copy of a regular file's whole content (wherever the file's offset stands): a clone where the file system can (`FICLONE`),
    /// else a copy that keeps holes. A file that is written meanwhile gives a blob of what was read, with the digest of that.
    pub fn put_file(&self, _file: &File) -> Result<Stored, BlobError> {
        unimplemented!()
    }

    /// Like [`Store::put_file`], but the file at `path` is given away: it may be moved into the store, or be left where it is. For
    /// scratch files that nobody writes any more and whose owner, mode and xattrs are already known to the caller.
    pub fn take_file(&self, _path: &Path) -> Result<Stored, BlobError> {
        unimplemented!()
    }
}
