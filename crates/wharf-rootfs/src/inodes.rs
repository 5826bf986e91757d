//! Inode numbers: a function of the tree alone, so that programs that look at them see the same in every run.
//!
//! A number is a 63-bit hash of the path, a hard-link group's that of its first path in byte order; a number that is taken
//! moves to the next free one, in path order; the root is 1. Not the position in the tree: that shifts when an unrelated
//! file appears. Not the content: two files with equal bytes are two inodes.

use std::collections::{HashMap, HashSet};

use wharf_tree::{Dir, Name, Tree, TreePath};

use crate::nodes::Node;

/// The root's number, by FUSE's definition.
pub(crate) const ROOT: u64 = 1;

/// The numbers of one tree.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Inodes {
    /// Paths whose number is not their hash: later names of hard links, and collisions.
    exceptions: HashMap<TreePath, u64>,
    /// Link counts other than 1.
    nlinks: HashMap<u64, u32>,
}

impl Inodes {
    /// Numbers the entries of `tree`. `distinct`: every path below the root has a [`PathHash::number`] of its own, and none has a lower one
    /// than 2.
    pub(crate) fn new(tree: &Tree, distinct: bool) -> Self {
        let exceptions = if distinct { linked(tree) } else { probed(tree) };
        let mut inodes = Self {
            exceptions,
            nlinks: HashMap::new(),
        };
        for group in &tree.links.0 {
            let number = inodes.number(&group[0]);
            inodes.nlinks.insert(number, group.len() as u32);
        }
        inodes
    }

    /// The number of the entry at `path`.
    pub(crate) fn number(&self, path: &TreePath) -> u64 {
        if path.is_root() {
            return ROOT;
        }
        let exception = self.exceptions.get(path);
        exception.copied().unwrap_or_else(|| PathHash::of(path).number())
    }

    /// The number of `name` in the directory `parent`.
    pub(crate) fn number_below(&self, parent: &Node, name: &Name) -> u64 {
        if self.exceptions.is_empty() {
            return parent.hash().join(name.as_bytes()).number();
        }
        self.number(&parent.path().join(name))
    }

    /// The number of a directory that was looked up.
    pub(crate) fn number_of(&self, dir: &Node) -> u64 {
        self.number(&dir.path())
    }

    /// How many names the inode has; 1 for directories, whatever is in them.
    pub(crate) fn nlink(&self, number: u64) -> u32 {
        self.nlinks.get(&number).copied().unwrap_or(1)
    }
}

fn linked(tree: &Tree) -> HashMap<TreePath, u64> {
    let groups = tree.links.0.iter();
    let later = groups.flat_map(|group| group[1..].iter().map(|path| (path, &group[0])));
    later
        .map(|(path, first)| (path.clone(), PathHash::of(first).number()))
        .collect()
}

/// Numbers everything one by one, in path order. Two paths in some ten billion trees of 10,000 files come here.
fn probed(tree: &Tree) -> HashMap<TreePath, u64> {
    let mut firsts: HashMap<&TreePath, &TreePath> = HashMap::new();
    for group in &tree.links.0 {
        firsts.extend(group.iter().map(|path| (path, &group[0])));
    }
    let mut paths = Vec::new();
    collect(tree.dir(), &TreePath::root(), &mut paths);
    paths.sort_unstable();

    let mut taken = HashSet::from([0, ROOT]);
    let mut numbers: HashMap<TreePath, u64> = HashMap::new();
    for path in paths {
        // The first name of a group sorts before the others, so it has its number by now.
        let shared = firsts.get(&path).and_then(|first| numbers.get(*first).copied());
        let number = shared.unwrap_or_else(|| next_free(PathHash::of(&path).number(), &taken));
        taken.insert(number);
        numbers.insert(path, number);
    }
    numbers.retain(|path, number| PathHash::of(path).number() != *number);
    numbers
}

fn next_free(mut number: u64, taken: &HashSet<u64>) -> u64 {
    while taken.contains(&number) {
        number = (number + 1) & MASK;
    }
    number
}

fn collect(dir: &Dir, path: &TreePath, paths: &mut Vec<TreePath>) {
    for (name, entry) in dir.entries() {
        let path = path.join(name);
        if let Some(dir) = entry.node.as_dir() {
            collect(dir, &path, paths);
        }
        paths.push(path);
    }
}

/// 63 bits: `ino_t` is unsigned, but not every program knows that.
const MASK: u64 = u64::MAX >> 1;

/// FNV-1a of a path, component by component. Part of what steps can see: never to be changed without a new trace version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct PathHash(u64);

impl PathHash {
    /// Of the root.
    pub(crate) const ROOT: Self = Self(0xcbf2_9ce4_8422_2325);

    /// Of a path.
    pub(crate) fn of(path: &TreePath) -> Self {
        path.components().fold(Self::ROOT, Self::join)
    }

    /// Of a name below this path.
    pub(crate) fn join(self, name: &[u8]) -> Self {
        let bytes = std::iter::once(&b'/').chain(name);
        Self(bytes.fold(self.0, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        }))
    }

    /// The inode number, if no other path has it: the hash with its bits mixed (the finaliser of `MurmurHash3`), since
    /// FNV's high bits know little of the last letters.
    pub(crate) const fn number(self) -> u64 {
        let mut hash = self.0;
        hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        (hash ^ (hash >> 33)) & MASK
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use wharf_tree::HardLinks;

    use super::*;
    use crate::mounts::{MountKind, MountPoint, with_mount_points};

    fn path(text: &str) -> TreePath {
        TreePath::new(text).unwrap()
    }

    fn tree(files: &[&str], links: &[&[&str]]) -> Tree {
        let points: Vec<_> = files
            .iter()
            .map(|file| MountPoint {
                path: path(file),
                kind: MountKind::File,
            })
            .collect();
        let groups = links
            .iter()
            .map(|group| group.iter().map(|name| path(name)).collect());
        Tree {
            links: Arc::new(HardLinks(groups.collect())),
            ..with_mount_points(&Tree::empty(), &points).unwrap()
        }
    }

    #[test]
    fn a_number_is_its_paths_alone() {
        let small = Inodes::new(&tree(&["a/b"], &[]), true);
        let big = Inodes::new(&tree(&["a/a", "a/b", "z"], &[]), true);
        assert_eq!(small.number(&path("a/b")), big.number(&path("a/b")));
        assert_eq!(
            small.number(&path("a/b")),
            4_091_444_596_693_710_278,
            "the numbers of old results"
        );
        assert_eq!(small.number(&TreePath::root()), ROOT);
    }

    #[test]
    fn hard_links_share_the_first_names_number() {
        let inodes = Inodes::new(&tree(&["a", "b", "c"], &[&["a", "c"]]), true);
        assert_eq!(inodes.number(&path("a")), inodes.number(&path("c")));
        assert_ne!(inodes.number(&path("a")), inodes.number(&path("b")));
        assert_eq!(inodes.nlink(inodes.number(&path("c"))), 2);
        assert_eq!(inodes.nlink(inodes.number(&path("b"))), 1);
    }

    #[test]
    fn collisions_move_on_in_path_order() {
        let tree = tree(&["a", "b", "c"], &[&["a", "c"]]);
        // Told that two hashes are equal, it numbers one by one; with no real collision nothing moves.
        let probed = Inodes::new(&tree, false);
        let plain = Inodes::new(&tree, true);
        assert_eq!(probed.exceptions, plain.exceptions);
        assert_eq!(next_free(5, &HashSet::from([5, 6])), 7);
        assert_eq!(next_free(MASK, &HashSet::from([MASK, 0, 1])), 2);
    }
}
