//! What a step left in its upper directory, as a layer.

use std::{
    io,
    path::{Path, PathBuf},
};

use wharf_tree::{Layer, Tree, TreePath, readset::ReadSet};

use crate::{blobs::BlobAdopt, mounts::MountPoint, overlay::Markers, owners::Owners};

/// What may vary about a commit.
#[derive(Debug, Clone)]
pub struct CommitOptions {
    /// The root's number in the read set.
    pub root: u16,
    /// The mount points that were served although the tree lacks them.
    pub mounts: Vec<MountPoint>,
    /// How the overlay was mounted.
    pub markers: Markers,
    /// What owners mean where the step ran.
    pub owners: Owners,
    /// How many threads hash; at least one.
    pub threads: usize,
}

impl Default for CommitOptions {
    fn default() -> Self {
        Self {
            root: 0,
            mounts: Vec::new(),
            markers: Markers::default(),
            owners: Owners::default(),
            threads: 2,
        }
    }
}

/// A committed upper directory.
#[derive(Debug)]
pub struct Commit {
    /// What the step changed.
    pub layer: Layer,
    /// What the layer presumes about the parent: to be added to what the server saw.
    pub writes: ReadSet,
}

/// Compares `upper` with the tree that was below it and puts new contents into `blobs`. The upper is used up: contents may
/// be moved out of it.
pub fn commit(
    upper: &Path,
    _lower: &Tree,
    _blobs: &dyn BlobAdopt,
    _options: &CommitOptions,
) -> Result<Commit, CommitError> {
    Err(CommitError::Read {
        path: upper.to_owned(),
        source: io::ErrorKind::Unsupported.into(),
    })
}

/// Why an upper directory could not become a layer.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// A file of the upper directory could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A content could not be kept.
    #[error("cannot store the content of {path}")]
    Store {
        /// The file, as the step knew it.
        path: TreePath,
        /// Why.
        #[source]
        source: io::Error,
    },
}
