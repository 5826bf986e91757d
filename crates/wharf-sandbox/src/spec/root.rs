//! The root file system of a process.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::raw;

/// What becomes `/`. `upper` and `work` are empty directories of one file system, made by the caller and removed by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Root {
    /// An overlay over a FUSE file system that the caller serves (see [`Running::fuse_fd`](crate::Running::fuse_fd)).
    FuseOverlay {
        /// What the process writes.
        #[serde(with = "raw")]
        upper: PathBuf,
        /// The overlay's own.
        #[serde(with = "raw")]
        work: PathBuf,
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

impl Root {
    /// Whether the caller has a FUSE file system to serve.
    pub fn is_fuse(&self) -> bool {
        matches!(self, Root::FuseOverlay { .. })
    }
}
