//! Hard links: which paths of a tree or layer are one file.

use std::collections::BTreeMap;

use crate::{
    entry::{Entry, Node},
    path::TreePath,
};

/// Groups of paths that are one inode: each group has two or more paths, sorted; groups are sorted by their first path.
/// No path is in two groups. Every member is a non-directory, and the entries of a group are equal in everything.
///
/// They lie beside the tree and not in its entries, so that a directory's bytes do not depend on where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HardLinks(pub Vec<Vec<TreePath>>);

impl HardLinks {
    /// Sorts groups, and leaves out those that have lost all members but one.
    pub fn new(groups: impl IntoIterator<Item = Vec<TreePath>>) -> Self {
        let mut groups: Vec<_> = groups.into_iter().filter(|group| group.len() > 1).collect();
        for group in &mut groups {
            group.sort_unstable();
        }
        groups.sort_unstable();
        Self(groups)
    }

    /// Whether no file has two names.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The group of every path that is in one, as an index into the groups.
    pub fn index(&self) -> BTreeMap<&TreePath, usize> {
        let groups = self.0.iter().enumerate();
        groups
            .flat_map(|(index, group)| group.iter().map(move |path| (path, index)))
            .collect()
    }

    /// These groups without the members that `keep` rejects.
    #[must_use]
    pub fn retain(&self, keep: impl Fn(&TreePath) -> bool) -> Self {
        Self::new(
            self.0
                .iter()
                .map(|group| group.iter().filter(|path| keep(path)).cloned().collect()),
        )
    }
}

/// Whether a file of this kind can have a second name.
pub(crate) const fn linkable(entry: &Entry) -> bool {
    !matches!(entry.node, Node::Dir(..) | Node::Whiteout)
}
