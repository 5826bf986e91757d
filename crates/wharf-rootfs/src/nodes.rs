//! The entries that the kernel knows by number, and the record of what was asked about each.
//!
//! A record belongs to an *inode*, as the kernel's caches do: who reads a file under one of its names has read it under
//! all that were looked up, before or after (`hl2` after `hl1` gives a look-up and no read).

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use wharf_tree::{
    Entry, Tree, TreePath,
    readset::{Asked, Kind, PathSet, Place},
};

use crate::inodes::ROOT;

/// One inode.
#[derive(Debug)]
pub(crate) struct Node {
    /// The name by which it was first looked up; a directory has no other.
    pub(crate) path: TreePath,
    /// The tree's entry.
    pub(crate) entry: Entry,
    record: Mutex<Record>,
}

#[derive(Debug, Default)]
struct Record {
    asked: Asked,
    other_names: BTreeSet<TreePath>,
}

impl Node {
    fn new(path: TreePath, entry: Entry) -> Self {
        Self {
            path,
            entry,
            record: Mutex::default(),
        }
    }

    /// Writes down a question.
    pub(crate) fn ask(&self, kind: Kind) {
        self.record().asked.add(kind);
    }

    fn looked_up_as(&self, path: &TreePath) {
        if *path != self.path {
            self.record().other_names.insert(path.clone());
        }
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All nodes of a session, and the names that were not found. The kernel's FORGETs are not heeded: a record may not be
/// forgotten.
#[derive(Debug)]
pub(crate) struct Nodes {
    by_number: RwLock<HashMap<u64, Arc<Node>>>,
    missed: Mutex<BTreeSet<TreePath>>,
}

impl Nodes {
    /// Knows the root, and has recorded what every step sees of it without asking: the overlay's own root answers.
    pub(crate) fn new(root: Entry) -> Self {
        let root = Node::new(TreePath::root(), root);
        root.ask(Kind::Present);
        root.ask(Kind::Xattrs);
        Self {
            by_number: RwLock::new(HashMap::from([(ROOT, Arc::new(root))])),
            missed: Mutex::default(),
        }
    }

    /// The node of a number that the kernel was told.
    pub(crate) fn get(&self, number: u64) -> Option<Arc<Node>> {
        let nodes = self.by_number.read().unwrap_or_else(PoisonError::into_inner);
        nodes.get(&number).cloned()
    }

    /// Writes down a look-up that found `entry`.
    pub(crate) fn found(&self, number: u64, path: &TreePath, entry: &Entry) -> Arc<Node> {
        let node = self.get(number).unwrap_or_else(|| {
            let mut nodes = self.by_number.write().unwrap_or_else(PoisonError::into_inner);
            let node = nodes.entry(number);
            node.or_insert_with(|| Arc::new(Node::new(path.clone(), entry.clone())))
                .clone()
        });
        node.looked_up_as(path);
        node.ask(Kind::Present);
        node
    }

    /// Writes down a look-up that found nothing.
    pub(crate) fn missed(&self, path: TreePath) {
        let mut missed = self.missed.lock().unwrap_or_else(PoisonError::into_inner);
        missed.insert(path);
    }

    /// All that was asked so far of `tree`, which is root number `root`. A mount point that was only served was absent.
    pub(crate) fn path_set(&self, root: u16, tree: &Tree) -> PathSet {
        let mut set = PathSet::default();
        let absent = |set: &mut PathSet, path: &TreePath| {
            let path = path.clone();
            set.ask(Place { root, path }, Kind::Absent);
        };
        for path in self.missed.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            absent(&mut set, path);
        }
        for node in self
            .by_number
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
        {
            let record = node.record();
            for path in record.other_names.iter().chain([&node.path]) {
                if tree.root.below(path).is_none() {
                    absent(&mut set, path);
                    continue;
                }
                let path = path.clone();
                set.ask_all(Place { root, path }, &record.asked);
            }
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use wharf_tree::{Attrs, Mtime, TreeBuilder};

    use super::*;

    #[test]
    fn a_question_counts_for_every_name_that_was_looked_up() {
        let path = |text: &str| TreePath::new(text).unwrap();
        let mut tree = TreeBuilder::new();
        let fifo = Entry {
            attrs: Attrs::root(0o644),
            mtime: Mtime::default(),
            node: wharf_tree::Node::Fifo,
        };
        tree.insert(&path("a"), fifo.clone()).unwrap();
        tree.hard_link(&path("a"), &path("b")).unwrap();
        let tree = tree.finish();

        let nodes = Nodes::new(tree.root.clone());
        nodes.found(7, &path("a"), &fifo).ask(Kind::Stat);
        nodes.found(7, &path("b"), &fifo);
        nodes.found(8, &path("mount"), &fifo).ask(Kind::Stat);
        nodes.missed(path("c"));

        let set = nodes.path_set(0, &tree);
        let asked = |text: &str| -> Vec<Kind> {
            let place = Place {
                root: 0,
                path: path(text),
            };
            set.get(&place).unwrap().kinds().collect()
        };
        assert_eq!(asked("a"), [Kind::Present, Kind::Stat]);
        assert_eq!(asked("b"), [Kind::Present, Kind::Stat]);
        assert_eq!(asked("c"), [Kind::Absent]);
        assert_eq!(asked("mount"), [Kind::Absent]);
        assert_eq!(asked(""), [Kind::Present, Kind::Xattrs]);
    }
}
