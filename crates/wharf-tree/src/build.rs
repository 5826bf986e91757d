//! Making trees and layers entry by entry.

use crate::{
    entry::{Attrs, Entry, Mtime},
    path::TreePath,
    tree::{Layer, Tree},
};

/// An entry that has no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// A component of the path is something else than a directory.
    #[error("{path} is not a directory")]
    NotADirectory {
        /// Which.
        path: TreePath,
    },
    /// A hard link to nothing, or to a directory.
    #[error("{path} cannot be hard-linked: it is missing or a directory")]
    NotLinkable {
        /// The target.
        path: TreePath,
    },
    /// Longer than Linux allows a path to be.
    #[error("a path of {length} bytes is longer than {}", crate::path::PATH_MAX)]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
}

/// Makes a [`Tree`]. Parents that were not inserted are root's, mode 0755, time zero.
#[derive(Debug, Clone)]
pub struct TreeBuilder {
    tree: Tree,
}

/// Makes a [`Layer`]. Parents that were not inserted are structural.
#[derive(Debug, Clone)]
pub struct LayerBuilder {
    layer: Layer,
}

impl TreeBuilder {
    /// Starts with [`Tree::empty`].
    pub fn new() -> Self {
        Self { tree: Tree::empty() }
    }
    /// Starts with `tree`.
    pub fn from_tree(tree: &Tree) -> Self {
        Self { tree: tree.clone() }
    }
    /// Sets the attributes and time of the root directory.
    pub fn root(&mut self, attrs: Attrs, mtime: Mtime) {
        let _ = (attrs, mtime);
        unimplemented!()
    }
    /// Puts `entry` at `path`, in place of what was there. A directory put on a directory replaces its attributes and
    /// adds its children to it.
    pub fn insert(&mut self, path: &TreePath, entry: Entry) -> Result<(), BuildError> {
        let _ = (path, entry);
        unimplemented!()
    }
    /// Makes `new` another name of the file `existing`.
    pub fn hard_link(&mut self, existing: &TreePath, new: &TreePath) -> Result<(), BuildError> {
        let _ = (existing, new);
        unimplemented!()
    }
    /// Takes an entry out, with all below it. Nothing there is no error.
    pub fn remove(&mut self, path: &TreePath) {
        let _ = path;
        unimplemented!()
    }
    /// The tree so far.
    pub fn finish(self) -> Tree {
        self.tree
    }
}

impl Default for TreeBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl LayerBuilder {
    /// Starts with [`Layer::empty`].
    pub fn new() -> Self {
        Self { layer: Layer::empty() }
    }
    /// Says that the root directory itself has these attributes.
    pub fn root(&mut self, attrs: Attrs, mtime: Mtime) {
        let _ = (attrs, mtime);
        unimplemented!()
    }
    /// Puts `entry` at `path`, in place of what was there. A directory put on a directory replaces its attributes and
    /// adds its children to it.
    pub fn insert(&mut self, path: &TreePath, entry: Entry) -> Result<(), BuildError> {
        let _ = (path, entry);
        unimplemented!()
    }
    /// Makes `new` another name of the file `existing`, which must be in this layer.
    pub fn hard_link(&mut self, existing: &TreePath, new: &TreePath) -> Result<(), BuildError> {
        let _ = (existing, new);
        unimplemented!()
    }
    /// Says that what the parent has at `path` is gone.
    pub fn whiteout(&mut self, path: &TreePath) -> Result<(), BuildError> {
        let _ = path;
        unimplemented!()
    }
    /// Says that the directory at `path`, which must have been inserted, hides the parent's children.
    pub fn opaque(&mut self, path: &TreePath) -> Result<(), BuildError> {
        let _ = path;
        unimplemented!()
    }
    /// The layer so far.
    pub fn finish(self) -> Layer {
        self.layer
    }
}

impl Default for LayerBuilder {
    fn default() -> Self {
        Self::new()
    }
}
