//! How much disk the store takes, by kind.

use crate::{error::StoreError, store::Store};

/// Files of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// How many.
    pub count: u64,
    /// What they take on disk, in bytes (allocated blocks).
    pub bytes: u64,
}

/// What the store takes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DfReport {
    /// Blobs.
    pub blobs: Usage,
    /// Trees, times objects, path sets, results, memos and other metadata.
    pub metadata: Usage,
    /// Stat caches.
    pub stat: Usage,
    /// Build records.
    pub history: Usage,
    /// Scratch of running builds.
    pub work: Usage,
    /// Cache mounts by id, sorted.
    pub caches: Vec<(String, Usage)>,
    /// Named images.
    pub images: u64,
}

impl Store {
    /// Counts what the store takes.
    pub fn df(&self) -> Result<DfReport, StoreError> {
        unimplemented!()
    }
}
