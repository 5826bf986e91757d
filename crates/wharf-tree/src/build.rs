//! Making trees and layers entry by entry.

use std::sync::Arc;

use crate::{
    dir::DirRole,
    edit::Editor,
    entry::{Attrs, Entry, Mtime, Node},
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
    /// Longer, or deeper, than Linux allows a path to be.
    #[error(
        "a path of {length} bytes, with what is below it, is longer than {}",
        crate::path::PATH_MAX
    )]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// The root directory cannot be removed or replaced.
    #[error("the root directory cannot be replaced")]
    Root,
}

/// Makes a [`Tree`]. Parents that were not inserted are root's, mode 0755, time zero. What is inserted must be complete:
/// no whiteouts, all directories [`DirRole::Full`].
#[derive(Debug, Clone)]
pub struct TreeBuilder(Editor);

impl TreeBuilder {
    /// Starts with [`Tree::empty`].
    pub fn new() -> Self {
        Self::from_tree(&Tree::empty())
    }

    /// Starts with `tree`, what is not changed stays shared.
    pub fn from_tree(tree: &Tree) -> Self {
        Self(Editor::new(&tree.root, &tree.links, DirRole::Full))
    }

    /// Sets the attributes and time of the root directory.
    pub fn root(&mut self, attrs: Attrs, mtime: Mtime) {
        (self.0.root.attrs, self.0.root.mtime) = (attrs, mtime);
    }

    /// Puts `entry` at `path`, in place of what was there, and out of its group of hard links. A directory put on a
    /// directory replaces its attributes and time and adds its children to it.
    pub fn insert(&mut self, path: &TreePath, entry: Entry) -> Result<(), BuildError> {
        self.0.insert(path, entry)
    }

    /// Makes `new` another name of the file `existing`.
    pub fn hard_link(&mut self, existing: &TreePath, new: &TreePath) -> Result<(), BuildError> {
        self.0.hard_link(existing, new)
    }

    /// Takes an entry out, with all below it. Nothing there is no error; the root stays.
    pub fn remove(&mut self, path: &TreePath) -> Option<Entry> {
        self.0.remove(path)
    }

    /// The entry at `path` so far.
    pub fn get(&self, path: &TreePath) -> Option<&Entry> {
        self.0.root.below(path)
    }

    /// The tree.
    pub fn finish(self) -> Tree {
        Tree {
            links: Arc::new(self.0.links()),
            root: self.0.root,
        }
    }
}

impl Default for TreeBuilder {
    fn default() -> Self {
        Self::new()
    }
}

/// Makes a [`Layer`]. Parents that were not inserted are structural.
#[derive(Debug, Clone)]
pub struct LayerBuilder(Editor);

impl LayerBuilder {
    /// Starts with [`Layer::empty`].
    pub fn new() -> Self {
        Self::from_layer(&Layer::empty())
    }

    /// Starts with `layer`.
    pub fn from_layer(layer: &Layer) -> Self {
        Self(Editor::new(&layer.root, &layer.links, DirRole::Structural))
    }

    /// Says that the root directory itself has these attributes.
    pub fn root(&mut self, attrs: Attrs, mtime: Mtime) {
        let full = Node::Dir(Arc::default(), DirRole::Full);
        let root = Entry {
            attrs,
            mtime,
            node: full,
        };
        self.0
            .insert(&TreePath::root(), root)
            .expect("a directory fits on the root");
    }

    /// Puts `entry` at `path`, in place of what was there, and out of its group of hard links. A directory put on a
    /// directory replaces its attributes and time, unless it is structural, and adds its children to it. A directory put
    /// on a whiteout is opaque.
    pub fn insert(&mut self, path: &TreePath, entry: Entry) -> Result<(), BuildError> {
        self.0.insert(path, entry)
    }

    /// Makes `new` another name of the file `existing`, which must be in this layer.
    pub fn hard_link(&mut self, existing: &TreePath, new: &TreePath) -> Result<(), BuildError> {
        self.0.hard_link(existing, new)
    }

    /// Says that what the parent has at `path` is gone. What this layer has there stays: a whiteout is about lower layers
    /// only, wherever it comes in the tar (OCI image specification, "Whiteouts"); a directory becomes opaque.
    pub fn whiteout(&mut self, path: &TreePath) -> Result<(), BuildError> {
        if path.is_root() {
            return Err(BuildError::Root);
        }
        match self.get(path).map(|entry| entry.node.is_dir()) {
            Some(true) => self.opaque(path),
            Some(false) => Ok(()),
            None => self.0.insert(path, Entry::whiteout()),
        }
    }

    /// Says that the directory at `path` hides the parent's children. One that was not inserted before or afterwards is
    /// root's, mode 0755.
    pub fn opaque(&mut self, path: &TreePath) -> Result<(), BuildError> {
        let entry = self.0.dir(path)?;
        if let Node::Dir(_, role) = &mut entry.node {
            if *role == DirRole::Structural {
                entry.attrs = Attrs::root(0o755);
            }
            *role = DirRole::Opaque;
        }
        Ok(())
    }

    /// The entry at `path` so far.
    pub fn get(&self, path: &TreePath) -> Option<&Entry> {
        self.0.root.below(path)
    }

    /// The layer.
    pub fn finish(self) -> Layer {
        Layer {
            links: Arc::new(self.0.links()),
            root: self.0.root,
        }
    }
}

impl Default for LayerBuilder {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{layer, show, tree};

    fn path(text: &str) -> TreePath {
        TreePath::new(text).unwrap()
    }

    #[test]
    fn directories_merge_and_all_else_replaces() {
        let tree = tree(&[
            "a/b/c file 1",
            "a/ dir @700",
            "x file 1",
            "x/ dir",
            "x/y file 2",
            "d/e file 1",
            "d file 3",
        ]);
        insta::assert_snapshot!(show(&tree.root), @"
        / dir 755
        /a dir 700
        /a/b dir 755
        /a/b/c file 644 1 6b86
        /d file 644 1 4e07
        /x dir 755
        /x/y file 644 1 d473
        ");
    }

    #[test]
    fn whiteouts_come_before_or_after_what_is_new() {
        let before = layer(&[
            "a gone",
            "a/x file 1",
            "b gone",
            "b file 2",
            "c gone",
            "c/ dir @700",
        ]);
        let after = layer(&[
            "a/x file 1",
            "a gone",
            "b file 2",
            "b gone",
            "c/ dir @700",
            "c gone",
        ]);
        assert_eq!(show(&before.root), show(&after.root));
        insta::assert_snapshot!(show(&before.root), @"
        / structural
        /a opaque 755
        /a/x file 644 1 6b86
        /b file 644 1 d473
        /c opaque 700
        ");
    }

    #[test]
    fn a_replaced_name_leaves_its_group() {
        let lines = ["a file 1", "b = a", "c = a", "d/x = a", "d/y = a"];
        let replaced = |more: &[&str]| tree(&[&lines, more].concat()).links.0.concat();
        assert_eq!(replaced(&[]).len(), 5);
        assert_eq!(replaced(&["b file 1"]), ["a", "c", "d/x", "d/y"].map(path));
        assert_eq!(replaced(&["d/ dir @700"]).len(), 5);
        assert_eq!(replaced(&["d file 1"]), ["a", "b", "c"].map(path));
        let mut builder = TreeBuilder::from_tree(&tree(&lines));
        builder.remove(&path("d"));
        builder.remove(&path("a"));
        assert_eq!(builder.finish().links.0.concat(), ["b", "c"].map(path));
    }

    #[test]
    fn what_has_no_place_is_refused() {
        let mut builder = TreeBuilder::from_tree(&tree(&["file file 1", "dir/ dir"]));
        let fifo = || Entry {
            attrs: Attrs::root(0o644),
            mtime: Mtime::default(),
            node: Node::Fifo,
        };
        let refused = builder.insert(&path("file/x/y"), fifo());
        assert_eq!(refused, Err(BuildError::NotADirectory { path: path("file") }));
        assert_eq!(builder.insert(&path("/"), fifo()), Err(BuildError::Root));
        let long = path(&"x/".repeat(2049));
        assert_eq!(
            builder.insert(&long, fifo()),
            Err(BuildError::TooLong { length: 4097 })
        );
        for target in ["dir", "none", "file/x"] {
            let refused = builder.hard_link(&path(target), &path("new"));
            assert_eq!(refused, Err(BuildError::NotLinkable { path: path(target) }));
        }
        assert_eq!(builder.hard_link(&path("file"), &path("file")), Ok(()));
    }
}
