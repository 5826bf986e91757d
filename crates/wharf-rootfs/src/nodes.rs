//! The entries that the kernel knows by number, and the record of what was asked about each.
//!
//! A record belongs to an *inode*, as the kernel's caches do: who reads a file under one of its names has read it under
//! all that were looked up, before or after (`hl2` after `hl1` gives a look-up and no read).

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use wharf_tree::{
    Dir, Entry, Name, TreePath,
    readset::{Asked, Kind, PathSet, Place},
};

use crate::inodes::{PathHash, ROOT};

/// One inode. It copies nothing of the tree but a reference to the directory that it is: there may be a million.
#[derive(Debug)]
pub(crate) struct Node {
    at: At,
    hash: PathHash,
    /// If it is a directory.
    dir: Option<Arc<Dir>>,
    record: Mutex<Record>,
}

/// The name by which a node was first looked up; a directory has no other.
#[derive(Debug)]
enum At {
    Root(Box<Entry>),
    Below(Arc<Node>, Name),
}

#[derive(Debug, Default)]
struct Record {
    asked: Asked,
    #[allow(
        clippy::box_collection,
        reason = "seldom there is one, and there may be a million nodes"
    )]
    other_names: Option<Box<BTreeSet<TreePath>>>,
}

impl Node {
    fn new(at: At, hash: PathHash, entry: &Entry) -> Self {
        Self {
            at,
            hash,
            dir: entry.node.as_dir().cloned(),
            record: Mutex::default(),
        }
    }

    /// The tree's entry.
    pub(crate) fn entry(&self) -> &Entry {
        match &self.at {
            At::Root(entry) => entry,
            At::Below(parent, name) => {
                let dir = parent.dir.as_ref().expect("it was found in a directory");
                dir.get(name.as_bytes()).expect("trees do not change")
            }
        }
    }

    /// The directory, if it is one.
    pub(crate) const fn dir(&self) -> Option<&Arc<Dir>> {
        self.dir.as_ref()
    }

    /// Where it is.
    pub(crate) fn path(&self) -> TreePath {
        match &self.at {
            At::Root(_) => TreePath::root(),
            At::Below(parent, name) => parent.path().join(name),
        }
    }

    /// The directory that it is in: the root's is itself.
    pub(crate) fn parent(&self) -> &Self {
        match &self.at {
            At::Root(_) => self,
            At::Below(parent, _) => parent,
        }
    }

    /// The hash of its path.
    pub(crate) const fn hash(&self) -> PathHash {
        self.hash
    }

    /// Writes down a question.
    pub(crate) fn ask(&self, kind: Kind) {
        self.record().asked.add(kind);
    }

    fn looked_up_as(&self, parent: &Arc<Self>, name: &Name) {
        let first = matches!(&self.at, At::Below(above, own) if Arc::ptr_eq(above, parent) && own == name);
        if !first {
            let path = parent.path().join(name);
            self.record().other_names.get_or_insert_default().insert(path);
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
        let dir = root.node.as_dir().cloned();
        let root = Node {
            at: At::Root(Box::new(root)),
            hash: PathHash::ROOT,
            dir,
            record: Mutex::default(),
        };
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

    /// Whether nothing but the root was looked up.
    pub(crate) fn are_root_alone(&self) -> bool {
        let nodes = self.by_number.read().unwrap_or_else(PoisonError::into_inner);
        let missed = self.missed.lock().unwrap_or_else(PoisonError::into_inner);
        nodes.len() == 1 && missed.is_empty()
    }

    /// Writes down for this tree's root what was asked of another one's.
    pub(crate) fn root_was_asked(&self, other: &Self) {
        if let (Some(root), Some(other)) = (self.get(ROOT), other.get(ROOT)) {
            let asked = other.record().asked.clone();
            asked.kinds().for_each(|kind| root.ask(kind));
        }
    }

    /// Writes down a look-up of `name` in `parent` that found `entry`.
    pub(crate) fn found(&self, number: u64, parent: &Arc<Node>, name: &Name, entry: &Entry) -> Arc<Node> {
        let node = self.get(number).unwrap_or_else(|| {
            let mut nodes = self.by_number.write().unwrap_or_else(PoisonError::into_inner);
            let node = nodes.entry(number);
            node.or_insert_with(|| {
                let hash = parent.hash.join(name.as_bytes());
                let at = At::Below(Arc::clone(parent), name.clone());
                Arc::new(Node::new(at, hash, entry))
            })
            .clone()
        });
        node.looked_up_as(parent, name);
        node.ask(Kind::Present);
        node
    }

    /// Writes down a look-up that found nothing.
    pub(crate) fn missed(&self, path: TreePath) {
        let mut missed = self.missed.lock().unwrap_or_else(PoisonError::into_inner);
        missed.insert(path);
    }

    /// All that was asked of root number `root`, and not taken before.
    pub(crate) fn take_path_set(&self, root: u16) -> PathSet {
        let place = |path| Place { root, path };
        let missed = std::mem::take(&mut *self.missed.lock().unwrap_or_else(PoisonError::into_inner));
        let absent = Asked::from_iter([Kind::Absent]);
        let missed = missed.into_iter().map(|path| (place(path), absent.clone()));
        let nodes = self.by_number.read().unwrap_or_else(PoisonError::into_inner);
        let nodes = nodes.values().flat_map(|node| {
            let Record { asked, other_names } = std::mem::take(&mut *node.record());
            let others = other_names.into_iter().flat_map(|names| *names);
            let others: Vec<_> = others.map(|path| (place(path), asked.clone())).collect();
            others.into_iter().chain([(place(node.path()), asked)])
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
        let name = |text: &str| Name::new(text.as_bytes()).unwrap();
        let fifo = Entry {
            attrs: Attrs::root(0o644),
            mtime: Mtime::default(),
            node: wharf_tree::Node::Fifo,
        };
        let nodes = Nodes::new(Tree::empty().root);
        let root = nodes.get(ROOT).unwrap();
        nodes.found(7, &root, &name("a"), &fifo).ask(Kind::Stat);
        nodes.found(7, &root, &name("b"), &fifo);
        nodes.missed(path("c"));

        let set = nodes.take_path_set(0);
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
