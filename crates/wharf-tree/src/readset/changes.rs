//! What differs between two trees, as far as questions can tell: where nothing that was asked about differs, the answers are the
//! same, and nobody has to look them up.

use std::{collections::BTreeSet, sync::Arc};

use super::{Kind, Place, ReadSetError, decode};
use crate::{Dir, Entry, Node, Tree, TreePath, readset::FileType};

/// Where two trees differ, times of files included.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// What is there in both, of the same type, and differs in itself: attributes, content, target, time.
    entries: BTreeSet<TreePath>,
    /// Directories of both that differ in their names or these names' types.
    listings: BTreeSet<TreePath>,
    /// What is in one of them only, or of another type: all below differs too.
    replaced: BTreeSet<TreePath>,
}

/// With more of them, to look everything up again is as good.
const MOST: usize = 200;

impl Changes {
    /// `None` when there are too many to be worth knowing, or when hard links differ, which any name may have to do with.
    pub fn between(one: &Tree, other: &Tree) -> Option<Self> {
        let mut changes = Self::default();
        if !Arc::ptr_eq(&one.links, &other.links) && one.links != other.links {
            return None;
        }
        let mut path = TreePath::root();
        changes
            .entry(&one.root, &other.root, &mut path)
            .then_some(changes)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    fn count(&self) -> usize {
        self.entries.len() + self.listings.len() + self.replaced.len()
    }

    /// Adds what differs in two entries of the same type; whether that was not too much.
    fn entry(&mut self, one: &Entry, other: &Entry, path: &mut TreePath) -> bool {
        let (Node::Dir(dir, role), Node::Dir(other_dir, other_role)) = (&one.node, &other.node) else {
            if one != other {
                self.entries.insert(path.clone());
            }
            return self.count() <= MOST;
        };
        // No question tells a directory's time.
        if one.attrs != other.attrs || role != other_role {
            self.entries.insert(path.clone());
        }
        dir.is(other_dir) || self.dir(dir, other_dir, path)
    }

    fn dir(&mut self, one: &Dir, other: &Dir, path: &mut TreePath) -> bool {
        let (mut these, mut others) = (one.entries().iter().peekable(), other.entries().iter().peekable());
        loop {
            let name = match (these.peek(), others.peek()) {
                (None, None) => return self.count() <= MOST,
                (Some((name, _)), None) | (None, Some((name, _))) => *name,
                (Some((name, _)), Some((other, _))) => (*name).min(*other),
            };
            let this = these.next_if(|(next, _)| *next == name).map(|(_, entry)| entry);
            let that = others.next_if(|(next, _)| *next == name).map(|(_, entry)| entry);
            path.push(name);
            let few = match (this, that) {
                (Some(this), Some(that)) if FileType::of(&this.node) == FileType::of(&that.node) => {
                    self.entry(this, that, path)
                }
                _ => {
                    self.replaced.insert(path.clone());
                    self.listings.extend(path.parent());
                    self.count() <= MOST
                }
            };
            path.pop();
            if !few {
                return false;
            }
        }
    }

    /// Whether the answers about `path` may differ, or the time that is remembered of it. `listed` says whether its names were asked
    /// for.
    fn touch(&self, path: &TreePath, listed: bool) -> bool {
        self.entries.contains(path)
            || (listed && self.listings.contains(path))
            || self.replaced.iter().any(|replaced| path.starts_with(replaced))
    }
}

/// Whether the trees that differ so, `changes[n]` being those of root n, may answer otherwise to a path set, of which these are the
/// bytes, or remember other times.
pub fn touched(questions: &[u8], changes: &[Changes]) -> Result<bool, ReadSetError> {
    let mut touched = false;
    decode::path_set_items_as_they_are(questions, &mut |Place { root, path }, asked| {
        let changes = changes.get(usize::from(*root));
        touched |= changes.is_none_or(|changes| changes.touch(path, asked.has(&Kind::Listing)));
    })?;
    Ok(touched)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tree;

    fn shown(one: &[&str], other: &[&str]) -> String {
        let Some(changes) = Changes::between(&tree(one), &tree(other)) else {
            return "too many".to_owned();
        };
        let mut text = String::new();
        for (what, paths) in [
            ("entry", &changes.entries),
            ("listing", &changes.listings),
            ("replaced", &changes.replaced),
        ] {
            for path in paths {
                text.push_str(&format!("{what} {path}\n"));
            }
        }
        text
    }

    #[test]
    fn each_kind_of_change() {
        let one = [
            "a/x file 1",
            "a/y file 2",
            "b/ dir",
            "c -> a",
            "d/in/deep file 1",
            "e file 1",
        ];
        let other = [
            "a/x file 2",
            "a/z file 2",
            "b/ dir @700",
            "c -> b",
            "d file 1",
            "e file 1",
        ];
        insta::assert_snapshot!(shown(&one, &other), @"
        entry /a/x
        entry /b
        entry /c
        listing /
        listing /a
        replaced /a/y
        replaced /a/z
        replaced /d
        ");
    }

    #[test]
    fn hard_links_are_not_told_apart() {
        assert_eq!(
            shown(&["a file 1", "b = a"], &["a file 1", "b file 1"]),
            "too many"
        );
    }

    #[test]
    fn too_many_are_none() {
        let many: Vec<String> = (0..=MOST).map(|number| format!("f{number} file x")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(shown(&[], &many), "too many");
        assert!(Changes::between(&tree(&many), &tree(&many)).unwrap().is_empty());
    }
}
