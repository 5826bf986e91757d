//! What can go wrong with the disk, told apart as far as a caller can act on it.

use std::{
    io,
    path::{Path, PathBuf},
};

use wharf_oci::Digest;
use wharf_tree::{TimesDigest, TreeDigest};

use crate::source::SourceError;

/// An operation of the store's file system that failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk or the quota is full (`ENOSPC`, `EDQUOT`). Nothing partial is visible; freeing space is all it needs.
    #[error("no space left for the store at {}", path.display())]
    NoSpace {
        /// What was being written.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Any other refusal by the file system.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// A verb: `read`, `write`, `lock`.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl StoreError {
    pub(crate) fn new(action: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        let (path, source) = (path.to_owned(), source.into());
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace { path, source },
            _ => Self::Io { action, path, source },
        }
    }
}

/// A store that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It was written with features that this version does not know.
    #[error("the store at {} needs a newer wharf (unknown features: {})", path.display(), features.join(", "))]
    Newer {
        /// The store's root.
        path: PathBuf,
        /// What it asks for.
        features: Vec<String>,
    },
    /// It cannot be made or read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A blob that cannot be had or kept.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// Neither the store nor any of its sources has it.
    #[error("blob {0} is not in the store")]
    Missing(Digest),
    /// The bytes are not what the digest promises. A damaged file has been removed from the store already.
    #[error("the bytes of blob {expected} have the digest {found}")]
    Mismatch {
        /// What was asked for.
        expected: Digest,
        /// What was found.
        found: Digest,
    },
    /// The blob is larger than the caller is willing to hold in memory.
    #[error("blob {digest} has {size} bytes, more than the {limit} allowed here")]
    TooLarge {
        /// Which blob.
        digest: Digest,
        /// Its length in bytes.
        size: u64,
        /// The caller's limit in bytes.
        limit: u64,
    },
    /// A source has it, or should, and failed.
    #[error("cannot fetch blob {digest}")]
    Fetch {
        /// Which blob.
        digest: Digest,
        /// Why.
        source: SourceError,
    },
    /// What was to be stored could not be read.
    #[error("cannot read what is to be stored")]
    Input(#[source] io::Error),
    /// The file system refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A tree or layer that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// There is no such tree or layer here.
    #[error("tree {0} is not in the store")]
    Missing(TreeDigest),
    /// The times that belong to it are not here.
    #[error("times object {0} is not in the store")]
    MissingTimes(TimesDigest),
    /// The file is damaged; it has been removed.
    #[error("tree {digest} is damaged: {reason}")]
    Corrupt {
        /// Which tree.
        digest: TreeDigest,
        /// What its decoder says.
        reason: String,
    },
    /// The file system refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}
