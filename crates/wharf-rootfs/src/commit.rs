//! What a step left behind, as a layer.
//!
//! The directory is read once ([`scan`]), its contents go to the store from several threads ([`contents`]), and then it is
//! compared with the tree that was below it ([`compare`]): what is equal after all is dropped, and what the layer presumes
//! about its parent becomes part of the read set.

mod compare;
mod contents;
mod scan;

use std::{
    io,
    path::{Path, PathBuf},
};

use wharf_tree::{Layer, Tree, TreePath, readset::PathSet};

use crate::{
    blobs::BlobAdopt,
    mounts::{MountError, MountPoint, with_mount_points},
    overlay::Markers,
    owners::Owners,
};

/// What a directory to be committed is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// The upper directory of an overlay: whiteouts and marks say what is gone.
    Upper(Markers),
    /// A whole root that the step worked in: what is missing is gone.
    Whole,
}

impl Found {
    const fn markers(self) -> Option<Markers> {
        match self {
            Self::Upper(markers) => Some(markers),
            Self::Whole => None,
        }
    }
}

/// What may vary about a commit.
#[derive(Debug, Clone)]
pub struct CommitOptions {
    /// The root's number in the read set.
    pub root: u16,
    /// What the directory is.
    pub found: Found,
    /// The mount points that were served although the tree lacks them.
    pub mounts: Vec<MountPoint>,
    /// What owners mean where the step ran.
    pub owners: Owners,
    /// How many threads hash; at least one.
    pub threads: usize,
}

impl Default for CommitOptions {
    fn default() -> Self {
        Self {
            root: 0,
            found: Found::Upper(Markers::default()),
            mounts: Vec::new(),
            owners: Owners::default(),
            threads: 2,
        }
    }
}

/// A committed directory.
#[derive(Debug)]
pub struct Commit {
    /// What the step changed; [`Layer::empty`] when nothing.
    pub layer: Layer,
    /// What the layer presumes about the parent: to be added to what the server was asked.
    pub writes: PathSet,
}

/// Compares `dir` with the tree that was below it, or that it was a copy of, and puts new contents into `blobs`. The
/// directory is used up: contents may be moved out of it. Nobody may write to it any more.
pub fn commit(
    dir: &Path,
    lower: &Tree,
    blobs: &dyn BlobAdopt,
    options: &CommitOptions,
) -> Result<Commit, CommitError> {
    let served = with_mount_points(lower, &options.mounts)?;
    let scanned = scan::scan(dir, options)?;
    let contents = contents::adopt(&scanned, blobs, options.threads)?;
    let compared = compare::compare(&scanned, &contents, lower, &served, options);
    Ok(Commit {
        layer: compared.layer,
        writes: compared.presumed,
    })
}

/// Why a directory could not become a layer.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// A mount point could not have been served.
    #[error(transparent)]
    Mount(#[from] MountError),
    /// A file could not be read.
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
    /// Somebody owns a file whom the user namespace does not know.
    #[error("{path} belongs to {uid}:{gid}, which the user namespace's id ranges do not cover")]
    UnmappedOwner {
        /// The file, as the step knew it.
        path: TreePath,
        /// Its owner on disk.
        uid: u32,
        /// Its group on disk.
        gid: u32,
    },
}
