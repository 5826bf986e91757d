//! tar → layer.

use std::io::{self, Read};

use crate::{
    blob::BlobSink,
    tree::{Layer, Tree},
};

/// What a tar may at most hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Entries.
    pub entries: u64,
    /// Bytes of all file contents together, holes included.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: 1 << 24,
            bytes: 1 << 40,
        }
    }
}

/// What may vary.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions<'a> {
    /// Where hard links to files of lower layers find their target.
    pub parent: Option<&'a Tree>,
    /// What is too much.
    pub limits: Limits,
}

/// Why a tar was refused.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The reader or the sink failed.
    #[error("cannot read the archive")]
    Io(#[from] io::Error),
}

/// Reads an uncompressed layer tar (OCI image specification, "Image Layer Filesystem Changeset") to its end.
pub fn import(
    reader: impl Read,
    blobs: &mut dyn BlobSink,
    options: &ImportOptions<'_>,
) -> Result<Layer, ImportError> {
    let _ = (reader, blobs, options);
    unimplemented!()
}

/// Reads an uncompressed tar that is no layer: names that start with `.wh.` are names. For ADD.
pub fn import_archive(
    reader: impl Read,
    blobs: &mut dyn BlobSink,
    options: &ImportOptions<'_>,
) -> Result<Tree, ImportError> {
    let _ = (reader, blobs, options);
    unimplemented!()
}
