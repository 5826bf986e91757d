//! Where a missing blob comes from: the seam to registries and shared caches.

use std::{error::Error, fmt};

use wharf_oci::Digest;

use crate::writer::BlobWriter;

/// A place that may have blobs which the store lacks. Sources are asked in the order in which they were registered, by any
/// thread; an implementation has deadlines of its own.
pub trait Source: Send + Sync + fmt::Debug {
    /// Writes the blob's bytes and answers `true`, or answers `false` if this source does not have it. The store checks the
    /// digest; what was written before an error or a `false` is thrown away.
    fn fetch(&self, digest: &Digest, into: &mut BlobWriter) -> Result<bool, SourceError>;
}

/// Why a source failed, with its own chain of causes.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct SourceError(Box<dyn Error + Send + Sync>);

impl SourceError {
    /// Wraps a source's own error.
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}
