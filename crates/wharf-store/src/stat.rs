//! The stat cache: spares the hashing of files that have not changed.

use std::path::Path;

use wharf_oci::Digest;
use wharf_tree::Mtime;

use crate::{error::StoreError, store::Store};

/// What of `stat(2)` must be equal for a file to be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStat {
    /// `st_dev`.
    pub device: u64,
    /// `st_ino`.
    pub inode: u64,
    /// Length in bytes.
    pub size: u64,
    /// `st_mode`, type included.
    pub mode: u32,
    /// Modification time.
    pub mtime: Mtime,
    /// Change time.
    pub ctime: Mtime,
}

impl From<&std::fs::Metadata> for FileStat {
    fn from(metadata: &std::fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        let time = |secs, nanos: i64| Mtime {
            secs,
            nanos: nanos as u32,
        };
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            mode: metadata.mode(),
            mtime: time(metadata.mtime(), metadata.mtime_nsec()),
            ctime: time(metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// Digests of a context's files as they were hashed last. Usable from several threads.
#[derive(Debug)]
pub struct StatCache {}

impl StatCache {
    /// The digest of the file that has this stat, if it was hashed before.
    pub fn get(&self, _stat: &FileStat) -> Option<Digest> {
        unimplemented!()
    }

    /// Remembers that the file with this stat, taken *before* it was read, has this digest.
    pub fn insert(&self, _stat: &FileStat, _digest: Digest) {
        unimplemented!()
    }

    /// Writes what was learned, if anything was.
    pub fn save(&self) -> Result<(), StoreError> {
        unimplemented!()
    }
}

impl Store {
    /// The stat cache of the context at `root`, to be opened before the first file is stat'ed. On a network file system, one that remembers nothing.
    pub fn stat_cache(&self, _root: &Path) -> Result<StatCache, StoreError> {
        unimplemented!()
    }
}
