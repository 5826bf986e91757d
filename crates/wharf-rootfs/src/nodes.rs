//! The entries that the kernel knows by number, and the record of what was asked about each.
//!
//! A record belongs to an *inode*, as the kernel's caches do: who reads a file under one of its names has read it under
//! all that were looked up, before or after (`hl2` after `hl1` gives a look-up and no read).

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use wharf_tree::{
    Entry, TreePath,
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

    /// All that was asked of root number `root`.
    pub(crate) fn into_path_set(self, root: u16) -> PathSet {
        let place = |path| Place { root, path };
        let missed = self.missed.into_inner().unwrap_or_else(PoisonError::into_inner);
        let absent = Asked::from_iter([Kind::Absent]);
        let missed = missed.into_iter().map(|path| (place(path), absent.clone()));
        let nodes = self
            .by_number
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let nodes = nodes.into_values().flat_map(|node| {
            let Record { asked, other_names } = std::mem::take(&mut *node.record());
            let others = other_names.into_iter().map(|path| (place(path), asked.clone()));
            let others: Vec<_> = others.collect();
            others.into_iter().chain([(place(node.path.clone()), asked)])
        });
        missed.chain(nodes).collect()
    }
}

#[cfg(test)]
mod tests {
    use wharf_tree::{Attrs, Mtime, Tree};

    use super::*;

    #[test]
    fn a_question_counts_for_every_name_that_was_looked_up() {
        let path = |text: &str| TreePath::new(text).unwrap();
        let fifo = Entry {
            attrs: Attrs::root(0o644),
            mtime: Mtime::default(),
            node: wharf_tree::Node::Fifo,
        };
        let nodes = Nodes::new(Tree::empty().root);
        nodes.found(7, &path("a"), &fifo).ask(Kind::Stat);
        nodes.found(7, &path("b"), &fifo);
        nodes.missed(path("c"));

        let set = nodes.into_path_set(0);
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
        assert_eq!(asked(""), [Kind::Present, Kind::Xattrs]);
    }
}
