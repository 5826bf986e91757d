//! The root file system of a process.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::raw;

/// What becomes `/`. `upper` and `work` are empty directories of one file system, made by the caller and removed by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Root {
    /// An overlay over a FUSE file system that the caller serves (see [`Running::fuse`](crate::Running::fuse)).
    FuseOverlay {
        /// What the process writes.
        #[serde(with = "raw")]
        upper: PathBuf,
        /// The overlay's own.
        #[serde(with = "raw")]
        work: PathBuf,
        /// Wants a second file system of the caller's, for large files.
        large: Option<Large>,
    },
    /// An overlay over a directory.
    Overlay {
        /// What the process finds.
        #[serde(with = "raw")]
        lower: PathBuf,
        /// What the process writes.
        #[serde(with = "raw")]
        upper: PathBuf,
        /// The overlay's own.
        #[serde(with = "raw")]
        work: PathBuf,
    },
    /// A directory, written in place.
    Plain {
        /// The directory.
        #[serde(with = "raw")]
        dir: PathBuf,
    },
}

/// A second lower layer, of files whose contents the overlay reads in a directory of the machine: another FUSE file system that the
/// caller serves. In two of its directories, files say with the marks `metacopy` and `redirect` where their contents are (kernel
/// documentation, `filesystems/overlayfs.rst`, "Data-only lower layers"). An overlay that the process itself mounts over its root would be one too many
/// for the kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Large {
    /// The directory of that file system that is the layer; its files' contents are below `data`.
    pub layer: String,
    /// The directory in which they are looked up when they are opened; the contents of *its* files are below `contents`.
    pub data: String,
    /// Contents, as files of the machine.
    #[serde(with = "raw")]
    pub contents: PathBuf,
}

impl Root {
    /// Whether the caller has a FUSE file system to serve.
    pub fn is_fuse(&self) -> bool {
        matches!(self, Root::FuseOverlay { .. })
    }
}
