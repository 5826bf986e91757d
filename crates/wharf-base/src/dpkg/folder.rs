//! A directory that packages are unpacked into: who owns what, and where links lead.

use std::{collections::BTreeMap, sync::Arc};

use wharf_tree::{Attrs, Dir, DirRole, Entry, Mtime, Name, Node, TreePath};

/// A directory.
#[derive(Default)]
pub(super) struct Folder {
    attrs: Option<(Attrs, Mtime)>,
    pub(super) items: BTreeMap<Name, Item>,
}

/// What is in one.
pub(super) enum Item {
    /// A directory.
    Folder(Folder),
    /// Anything else, and the package whose it is; the links of a merged `/usr` are nobody's.
    Leaf { entry: Entry, owner: Option<usize> },
}

/// A component of a path as a name.
pub(super) fn component(name: &[u8]) -> Name {
    Name::new(name).expect("a component of a path is a name")
}

impl Folder {
    /// Takes a directory's attributes, if the package says any, unless it has some.
    pub(super) fn adopt(&mut self, entry: &Entry) {
        if !matches!(entry.node, Node::Dir(_, DirRole::Structural)) {
            self.attrs
                .get_or_insert_with(|| (entry.attrs.clone(), entry.mtime));
        }
    }

    /// The directory at `path`, made where it is missing. Only directories lie on the way.
    pub(super) fn descend(&mut self, path: &TreePath) -> &mut Self {
        path.components()
            .fold(self, |folder, name| folder.descend_to(&component(name)))
    }

    /// The directory `name` in this one, made if it is missing.
    pub(super) fn descend_to(&mut self, name: &Name) -> &mut Self {
        let item = self
            .items
            .entry(name.clone())
            .or_insert_with(|| Item::Folder(Self::default()));
        match item {
            Item::Folder(folder) => folder,
            Item::Leaf { .. } => unreachable!("paths are resolved before they are entered"),
        }
    }

    fn item(&self, path: &TreePath) -> Option<&Item> {
        let (last, parents) = path.components().next_back().zip(path.parent())?;
        let folder = parents
            .components()
            .try_fold(self, |folder, name| match folder.items.get(name)? {
                Item::Folder(folder) => Some(folder),
                Item::Leaf { .. } => None,
            })?;
        folder.items.get(last)
    }

    /// The package whose file is at `path`.
    pub(super) fn owner(&self, path: &TreePath) -> Option<usize> {
        match self.item(path)? {
            Item::Leaf { owner, .. } => *owner,
            Item::Folder(_) => None,
        }
    }

    /// Where a path leads when links are followed; what is missing on the way is taken for a directory to be made.
    pub(super) fn resolve(&self, path: &TreePath, limit: usize) -> Option<TreePath> {
        let mut done = TreePath::root();
        let components: Vec<_> = path.components().collect();
        for (position, name) in components.iter().enumerate() {
            let here = done.join(&component(name));
            match self.item(&here) {
                Some(Item::Leaf {
                    entry:
                        Entry {
                            node: Node::Symlink(target),
                            ..
                        },
                    ..
                }) => {
                    let rest = components[position + 1..].join(&b'/');
                    let base: &[u8] = if target.starts_with(b"/") {
                        b""
                    } else {
                        done.as_bytes()
                    };
                    let next = TreePath::new([base, b"/", target, b"/", &rest].concat()).ok()?;
                    return self.resolve(&next, limit.checked_sub(1)?);
                }
                Some(Item::Leaf { .. }) => return None,
                Some(Item::Folder(_)) | None => done = here,
            }
        }
        Some(done)
    }

    /// The finished directory.
    pub(super) fn into_entry(self) -> Entry {
        let (attrs, mtime) = self.attrs.unwrap_or((Attrs::root(0o755), Mtime::default()));
        let entries = self.items.into_iter().map(|(name, item)| match item {
            Item::Folder(folder) => (name, folder.into_entry()),
            Item::Leaf { entry, .. } => (name, entry),
        });
        let node = Node::Dir(Arc::new(Dir::new(entries.collect())), DirRole::Full);
        Entry { attrs, mtime, node }
    }
}
