//! Which files are large: their contents come from the store's own files and not through FUSE, where the kernel can do that.
//!
//! What is read through FUSE is copied twice, kept once more for every step, and mapped page by page; a program of some megabytes that is
//! started often feels it. The overlay above can take contents from a *data-only layer* instead (kernel documentation,
//! `filesystems/overlayfs.rst`, "Data-only lower layers"): a directory of the store. What that costs are questions for
//! extended attributes at every look-up, which cannot be refused for good where some files have one. So large files have a file system of
//! their own, a second lower layer, and all others are where they were, with no such questions.

use std::collections::HashSet;

use crate::{inodes::PathHash, nodes::Node};

/// From how many bytes on a file should be called large: below, reading it is cheaper than the questions.
pub const LARGE: u64 = 1 << 20;

/// The directories below which a large file is, by the numbers of their paths.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Large(HashSet<u64>);

impl Large {
    /// One is below the directory at this path.
    pub(crate) fn add(&mut self, dir: PathHash) {
        self.0.insert(dir.number());
    }

    /// Whether there is no large file at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one is below this directory. A directory said to have one that has none does no harm.
    pub(crate) fn is_below(&self, dir: &Node) -> bool {
        self.has(dir.hash())
    }

    /// Whether one is below the directory at this path.
    pub(crate) fn has(&self, dir: PathHash) -> bool {
        self.0.contains(&dir.number())
    }
}
