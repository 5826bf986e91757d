//! What is mounted into the root. Targets are absolute paths *inside*; symbolic links on the way are followed there.

use std::{fmt, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{Content, raw};

/// One mount. Its target must exist in the root with the right type: a directory, or a file for files and sockets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mount {
    /// A file or directory of the caller, with what is mounted below it.
    Bind {
        /// Path outside.
        #[serde(with = "raw")]
        source: PathBuf,
        /// Path inside.
        #[serde(with = "raw")]
        target: PathBuf,
        /// Whether writing is refused.
        read_only: bool,
    },
    /// An empty file system in memory.
    Tmpfs {
        /// Path inside.
        #[serde(with = "raw")]
        target: PathBuf,
        /// Most bytes it may hold; none: half of the memory, as the kernel decides.
        size: Option<u64>,
        /// Permission bits of its root.
        mode: u32,
    },
    /// One read-only file in memory: a secret, `resolv.conf`, `hosts`.
    File {
        /// Path inside.
        #[serde(with = "raw")]
        target: PathBuf,
        /// What it holds and whose it is; its name is not used.
        file: SyntheticFile,
    },
    /// A read-only directory in memory (mode 0755, root's), with these files.
    Directory {
        /// Path inside.
        #[serde(with = "raw")]
        target: PathBuf,
        /// The files; names are relative, directories on the way are made.
        files: Vec<SyntheticFile>,
    },
    /// What the root already has at the target, made a mount of its own (a file or directory bound onto itself), so that it
    /// cannot be removed or renamed and may be made read-only: a part of the served tree that is not the step's.
    Again {
        /// Path inside.
        #[serde(with = "raw")]
        target: PathBuf,
        /// Whether writing is refused.
        read_only: bool,
    },
    /// A socket inside that is connected to a Unix socket outside (an ssh agent).
    Socket {
        /// The socket outside.
        #[serde(with = "raw")]
        source: PathBuf,
        /// Path inside.
        #[serde(with = "raw")]
        target: PathBuf,
        /// Permission bits inside.
        mode: u32,
        /// Owner inside.
        uid: u32,
        /// Group inside.
        gid: u32,
    },
}

impl Mount {
    /// The files of a directory in memory.
    pub fn files(&self) -> Option<&[SyntheticFile]> {
        match self {
            Self::Directory { files, .. } => Some(files),
            _ => None,
        }
    }
}

/// A file that exists in memory only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyntheticFile {
    /// Where in its directory.
    #[serde(with = "raw")]
    pub name: PathBuf,
    /// Its bytes.
    pub content: Content,
    /// Permission bits.
    pub mode: u32,
    /// Owner inside.
    pub uid: u32,
    /// Group inside.
    pub gid: u32,
}

impl SyntheticFile {
    /// A file of root that everybody may read.
    pub fn public(name: impl Into<PathBuf>, content: impl Into<Content>) -> Self {
        Self {
            name: name.into(),
            content: content.into(),
            mode: 0o644,
            uid: 0,
            gid: 0,
        }
    }
}

/// Contents may be secrets: only their length shows.
impl fmt::Debug for SyntheticFile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("SyntheticFile")
            .field("name", &self.name)
            .field("content", &format_args!("{} bytes", self.content.len()))
            .field("mode", &format_args!("{:#o}", self.mode))
            .field("uid", &self.uid)
            .field("gid", &self.gid)
            .finish()
    }
}
