//! Layers of COPY, ADD and WORKDIR: parts of one tree put into another, as BuildKit does it.

use crate::{
    entry::Mtime,
    lookup::LookupError,
    mode::ModeChange,
    path::TreePath,
    tree::{Layer, Tree},
};

/// Why something could not be copied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GraftError {
    /// The source or the destination's parent cannot be found.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// A directory of the source meets something else.
    #[error("cannot copy to non-directory {path}")]
    NotADirectory {
        /// Where.
        path: TreePath,
    },
    /// A file of the source meets a directory.
    #[error("cannot replace directory {path} with a file")]
    IsADirectory {
        /// Where.
        path: TreePath,
    },
}

/// How one source is copied.
#[derive(Clone, Default)]
pub struct CopyOptions<'a> {
    /// `--chown`: owner and group of all that is copied or made; `None` keeps the source's, and makes parents 0:0.
    pub owner: Option<(u32, u32)>,
    /// `--chmod`.
    pub mode: Option<ModeChange>,
    /// Given a path relative to the copied directory and whether it is a directory: leave it out?
    pub exclude: Option<&'a dyn Fn(&TreePath, bool) -> bool>,
}

/// A layer being made on a parent tree by copying and making directories, one after the other.
pub struct Graft {
    parent: Tree,
    created: Mtime,
}

impl Graft {
    /// Starts on `parent`; directories that have to be made get the time `created`.
    pub fn new(parent: &Tree, created: Mtime) -> Self {
        Self {
            parent: parent.clone(),
            created,
        }
    }
    /// Copies `source` (links in it are followed) of `from` to `dest`, whose trailing `/` says "into this directory".
    pub fn copy(
        &mut self,
        from: &Tree,
        source: &[u8],
        dest: &[u8],
        options: &CopyOptions<'_>,
    ) -> Result<(), GraftError> {
        let _ = (from, source, dest, options, &self.created);
        unimplemented!()
    }
    /// Makes a directory and its parents (mode 0755, `owner`) where they are missing: WORKDIR.
    pub fn mkdir(&mut self, path: &[u8], owner: (u32, u32)) -> Result<(), GraftError> {
        let _ = (path, owner);
        unimplemented!()
    }
    /// What was changed.
    pub fn finish(self) -> Layer {
        crate::diff::diff(&self.parent, &self.parent)
    }
}
