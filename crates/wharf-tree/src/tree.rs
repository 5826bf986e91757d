//! Whole trees and layers: a root directory and the hard links below it.

use std::{collections::BTreeMap, fmt, sync::Arc};

use wharf_oci::Digest;

use crate::{
    dir::{Dir, DirRole},
    entry::{Attrs, Entry, Mtime, Node},
    links::HardLinks,
};

/// A root filesystem, a context, or any directory taken for itself: complete, without whiteouts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// The root: always a [`Node::Dir`] with [`DirRole::Full`], all the way down.
    pub root: Entry,
    /// Which names are one file.
    pub links: Arc<HardLinks>,
}

/// What a step adds to its parent: a tree with whiteouts, opaque and structural directories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// The root: always a [`Node::Dir`]; structural when the step left the root directory itself alone.
    pub root: Entry,
    /// Which of the layer's names are one file. Groups never span layers.
    pub links: Arc<HardLinks>,
}

impl Tree {
    /// `scratch`: an empty root of mode 0755.
    pub fn empty() -> Self {
        let root = Entry::dir(Attrs::root(0o755), Mtime::default(), Dir::default());
        Self {
            root,
            links: Arc::default(),
        }
    }

    /// The root directory.
    pub fn dir(&self) -> &Arc<Dir> {
        self.root.node.as_dir().expect("a tree's root is a directory")
    }
}

impl Layer {
    /// A layer that changes nothing.
    pub fn empty() -> Self {
        let node = Node::Dir(Arc::new(Dir::new(BTreeMap::new())), DirRole::Structural);
        Self {
            root: Entry {
                attrs: Attrs::default(),
                mtime: Mtime::default(),
                node,
            },
            links: Arc::default(),
        }
    }

    /// The root directory.
    pub fn dir(&self) -> &Arc<Dir> {
        self.root.node.as_dir().expect("a layer's root is a directory")
    }
}

macro_rules! digest_newtype {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Digest);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

digest_newtype! {
    /// Names a [`Tree`] or a [`Layer`] by its canonical encoding, mtimes excluded.
    TreeDigest
}
digest_newtype! {
    /// Names the times object that lies beside a tree or layer.
    TimesDigest
}
