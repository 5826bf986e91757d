//! Where file contents come from and go to. The store has them; this crate only needs these two verbs.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use wharf_oci::Digest;
use wharf_store::Store;

/// Opens contents for reading.
pub trait BlobOpen: Send + Sync {
    /// Opens the content called `digest`, fetching it first if it is somewhere else. A call that waits for a network must
    /// end by a deadline: the process that asked cannot be killed while it waits. The file is only read, by position.
    fn open(&self, digest: &Digest) -> io::Result<File>;

    /// Opens it if that takes no time and no thread; `None` says nothing.
    fn open_at_hand(&self, digest: &Digest) -> io::Result<Option<File>> {
        let _ = digest;
        Ok(None)
    }

    /// Where a content that was opened lies, relative to the one directory that all of them are in, if they are: with that directory as its
    /// data-only layer an overlay reads large contents there itself.
    fn place(&self, digest: &Digest) -> Option<PathBuf> {
        let _ = digest;
        None
    }
}

/// Takes the contents of a directory that is going to be thrown away.
pub trait BlobAdopt: Sync {
    /// Keeps the content of the regular file at `path` and says what it is. The file may be moved away, shared or copied,
    /// whichever is cheapest; nothing writes to it any more. Mode, owner and extended attributes of what is kept are the
    /// store's own. Called from several threads.
    fn adopt(&self, path: &Path) -> io::Result<Adopted>;
}

/// A content that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Adopted {
    /// Its digest.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
}

impl BlobOpen for Store {
    fn open(&self, digest: &Digest) -> io::Result<File> {
        self.open_blob(digest).map_err(io::Error::from)
    }

    fn open_at_hand(&self, digest: &Digest) -> io::Result<Option<File>> {
        self.open_blob_at_hand(digest).map_err(io::Error::from)
    }

    fn place(&self, digest: &Digest) -> Option<PathBuf> {
        Some(Self::place_of_blob(digest))
    }
}

impl BlobAdopt for Store {
    fn adopt(&self, path: &Path) -> io::Result<Adopted> {
        let stored = self.take_file(path).map_err(io::Error::from)?;
        Ok(Adopted {
            digest: stored.digest,
            size: stored.size,
        })
    }
}
