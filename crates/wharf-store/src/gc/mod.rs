//! Garbage collection: what nothing needs goes; then the least recently used results, until the cap holds.

use std::time::Duration;

use crate::{error::StoreError, store::Store};

/// What to keep.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GcPolicy {
    /// Cap for everything but cache mounts, in bytes on disk. What images, pins and running builds need is kept even beyond it.
    pub max_bytes: Option<u64>,
    /// Cap for the cache mounts, in bytes on disk. Those in use are kept.
    pub max_cache_bytes: Option<u64>,
    /// How long results and memos are kept after their last use.
    pub max_age: Option<Duration>,
    /// How many build records are kept.
    pub max_records: Option<usize>,
    /// Only say what would go.
    pub dry_run: bool,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GcReport {
    /// Objects removed.
    pub removed: u64,
    /// Bytes on disk freed.
    pub freed: u64,
    /// Objects kept.
    pub kept: u64,
    /// Bytes on disk that they take.
    pub kept_bytes: u64,
}

/// Why garbage was not collected.
#[derive(Debug, thiserror::Error)]
pub enum GcError {
    /// Another process is at it.
    #[error("process {pid} is already collecting garbage in this store")]
    Running {
        /// Which one; 0 if it cannot be known.
        pid: u32,
    },
    /// The file system refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Removes what nothing needs, then the least recently used results until the caps hold. Safe beside running builds.
    pub fn gc(&self, _policy: &GcPolicy) -> Result<GcReport, GcError> {
        unimplemented!()
    }
}
