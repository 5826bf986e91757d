//! What is on disk against the tree that was below: what changed, and what that presumes.
//!
//! Overlayfs copies up more than a step changes (a file opened for writing, every parent of a new file), so nothing counts
//! for being there: an entry equal to the tree's, modification time included, is dropped. A directory's time alone never
//! counts: it moves with every name made or removed in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use wharf_tree::{
    Attrs, Dir, DirRole, Entry, HardLinks, Layer, Mtime, Name, Node, Tree, TreePath,
    readset::{Kind, PathSet, Place},
};

use super::{
    CommitOptions, Found,
    contents::Contents,
    scan::{NodeOnDisk, OnDisk, Scanned},
};
use crate::{owners::Owners, xattr};

/// A layer and the questions whose answers it presumes.
pub(super) struct Compared {
    pub(super) layer: Layer,
    pub(super) presumed: PathSet,
}

/// Compares a scanned directory with `lower`, of which the step saw `served`: the same with mount points.
pub(super) fn compare(
    scanned: &Scanned,
    contents: &Contents,
    lower: &Tree,
    served: &Tree,
    options: &CommitOptions,
) -> Compared {
    let groups = HardLinks::new(scanned.names.values().cloned());
    let mut compare = Compare {
        contents,
        options,
        relinked: relinked(&groups, lower),
        presumed: PathSet::default(),
        kept: BTreeSet::new(),
    };
    let below = Below {
        lower: Some(&lower.root),
        served: Some(&served.root),
    };
    loop {
        let root = compare.entry(&TreePath::root(), &scanned.root, Some(below));
        let torn = torn(&groups, &compare.kept);
        if torn.is_empty() {
            let links = groups.retain(|path| compare.kept.contains(path));
            return Compared {
                layer: Layer {
                    root: root.unwrap_or_else(|| Layer::empty().root),
                    links: Arc::new(links),
                },
                presumed: compare.presumed,
            };
        }
        compare.relinked.extend(torn);
    }
}

/// Names that cannot be dropped, however equal they are: the step made links that the tree has not.
fn relinked(groups: &HardLinks, lower: &Tree) -> BTreeSet<TreePath> {
    let known: BTreeSet<&Vec<TreePath>> = lower.links.0.iter().collect();
    let new = groups.0.iter().filter(|group| !known.contains(group));
    new.flatten().cloned().collect()
}

/// Groups of which one name stays in the layer and another would be dropped: a removed directory that was made again can
/// do that. They have to stay as a whole.
fn torn(groups: &HardLinks, kept: &BTreeSet<TreePath>) -> Vec<TreePath> {
    let torn = groups.0.iter().filter(|group| {
        let stay = group.iter().filter(|path| kept.contains(*path)).count();
        (1..group.len()).contains(&stay)
    });
    torn.flatten().cloned().collect()
}

/// What was at a path before the step.
#[derive(Clone, Copy)]
struct Below<'a> {
    /// In the parent tree.
    lower: Option<&'a Entry>,
    /// As served: a mount point is only here.
    served: Option<&'a Entry>,
}

impl<'a> Below<'a> {
    fn child(self, name: &Name) -> Self {
        let child = |entry: Option<&'a Entry>| entry?.node.as_dir()?.get(name.as_bytes());
        Self {
            lower: child(self.lower),
            served: child(self.served),
        }
    }

    fn served_dir(self) -> Option<(&'a Entry, &'a Dir)> {
        let entry = self.served?;
        Some((entry, entry.node.as_dir()?))
    }
}

struct Compare<'a> {
    contents: &'a Contents,
    options: &'a CommitOptions,
    relinked: BTreeSet<TreePath>,
    presumed: PathSet,
    kept: BTreeSet<TreePath>,
}

/// In all of these, `below` is `None` under a directory that is new or hides the one below: nothing shines through there,
/// so nothing is presumed.
impl Compare<'_> {
    /// The layer's entry for what is on disk at `path`, if there has to be one.
    fn entry(&mut self, path: &TreePath, disk: &OnDisk, below: Option<Below<'_>>) -> Option<Entry> {
        let was_there = below.is_some_and(|below| below.lower.is_some());
        if below.is_some() {
            self.presume(path, if was_there { Kind::Present } else { Kind::Absent });
        }
        match &disk.node {
            NodeOnDisk::Whiteout => was_there.then(Entry::whiteout),
            NodeOnDisk::Dir { entries, opaque } => self.dir(path, disk, entries, *opaque, below),
            node => {
                let entry = Entry {
                    attrs: disk.attrs.clone(),
                    mtime: disk.mtime,
                    node: self.leaf(node),
                };
                self.other(path, entry, below)
            }
        }
    }

    fn dir(
        &mut self,
        path: &TreePath,
        disk: &OnDisk,
        entries: &BTreeMap<Name, OnDisk>,
        opaque: bool,
        below: Option<Below<'_>>,
    ) -> Option<Entry> {
        let Some((was, dir)) = below.and_then(Below::served_dir) else {
            let children = self.children(path, entries, None);
            return Some(full(disk, children, DirRole::Full));
        };
        if opaque && !dir.entries().is_empty() {
            let children = self.children(path, entries, None);
            return Some(full(disk, children, DirRole::Opaque));
        }
        if opaque {
            // Hides nothing, provided that the next parent's directory is as empty.
            self.presume(path, Kind::Listing);
        }
        self.presume(path, Kind::Xattrs);
        let children = self.children(path, entries, below);
        let unchanged = self.same_attrs(&disk.attrs, &was.attrs);
        let mount_point = below.is_some_and(|below| below.lower.is_none());
        match (unchanged, mount_point) {
            (true, _) if children.is_empty() => None,
            (true, false) => Some(structural(children)),
            _ => Some(full(disk, children, DirRole::Full)),
        }
    }

    fn children(
        &mut self,
        path: &TreePath,
        entries: &BTreeMap<Name, OnDisk>,
        below: Option<Below<'_>>,
    ) -> BTreeMap<Name, Entry> {
        let mut children = match self.options.found {
            Found::Whole => self.missing(path, entries, below),
            Found::Upper(_) => BTreeMap::new(),
        };
        for (name, disk) in entries {
            let below = below.map(|below| below.child(name));
            if let Some(entry) = self.entry(&path.join(name), disk, below) {
                children.insert(name.clone(), entry);
            }
        }
        children
    }

    /// Whiteouts for what a whole root lacks.
    fn missing(
        &mut self,
        path: &TreePath,
        entries: &BTreeMap<Name, OnDisk>,
        below: Option<Below<'_>>,
    ) -> BTreeMap<Name, Entry> {
        let dir = below.and_then(|below| below.lower?.node.as_dir());
        let before = dir.into_iter().flat_map(|dir| dir.entries());
        let gone = before.filter(|(name, was)| !entries.contains_key(*name) && self.can_be_made(&was.node));
        let gone: Vec<&Name> = gone.map(|(name, _)| name).collect();
        gone.into_iter()
            .map(|name| {
                self.presume(&path.join(name), Kind::Present);
                (name.clone(), Entry::whiteout())
            })
            .collect()
    }

    /// Devices are missing from a copy that was not made by real root.
    fn can_be_made(&self, node: &Node) -> bool {
        let device = matches!(node, Node::CharDevice(_) | Node::BlockDevice(_));
        !device || self.options.owners == Owners::Same
    }

    /// Anything but a directory.
    fn other(&mut self, path: &TreePath, entry: Entry, below: Option<Below<'_>>) -> Option<Entry> {
        let was = below.and_then(|below| below.served);
        if let Some(was) = was.filter(|was| self.same(&entry, was)) {
            // Equal, but perhaps for the time. Copied up or written anew, that is so for this parent only.
            self.presume(path, Kind::Xattrs);
            match entry.node {
                Node::File { .. } => self.presume(path, Kind::Content),
                Node::Symlink(_) => self.presume(path, Kind::Target),
                _ => {}
            }
            if entry.mtime == was.mtime && !self.relinked.contains(path) {
                return None;
            }
        }
        self.kept.insert(path.clone());
        Some(entry)
    }

    fn leaf(&self, node: &NodeOnDisk) -> Node {
        match node {
            NodeOnDisk::File(inode) => {
                let content = self.contents[inode];
                Node::File {
                    digest: content.digest,
                    size: content.size,
                }
            }
            NodeOnDisk::Symlink(target) => Node::Symlink(target.as_slice().into()),
            NodeOnDisk::CharDevice(device) => Node::CharDevice(*device),
            NodeOnDisk::BlockDevice(device) => Node::BlockDevice(*device),
            NodeOnDisk::Fifo => Node::Fifo,
            NodeOnDisk::Socket => Node::Socket,
            NodeOnDisk::Dir { .. } | NodeOnDisk::Whiteout => unreachable!("matched before"),
        }
    }

    fn same(&self, ours: &Entry, trees: &Entry) -> bool {
        ours.node == trees.node && self.same_attrs(&ours.attrs, &trees.attrs)
    }

    fn same_attrs(&self, ours: &Attrs, trees: &Attrs) -> bool {
        let markers = self.options.found.markers();
        ours.mode == trees.mode
            && (ours.uid, ours.gid) == self.options.owners.seen(trees.uid, trees.gid)
            && xattr::equal(ours.xattrs.as_deref(), trees.xattrs.as_deref(), markers)
    }

    fn presume(&mut self, path: &TreePath, kind: Kind) {
        let root = self.options.root;
        let path = path.clone();
        self.presumed.ask(Place { root, path }, kind);
    }
}

/// A directory with attributes of its own.
fn full(disk: &OnDisk, children: BTreeMap<Name, Entry>, role: DirRole) -> Entry {
    Entry {
        attrs: disk.attrs.clone(),
        mtime: disk.mtime,
        node: Node::Dir(Arc::new(Dir::new(children)), role),
    }
}

/// A directory that is only on the way.
fn structural(children: BTreeMap<Name, Entry>) -> Entry {
    Entry {
        attrs: Attrs::default(),
        mtime: Mtime::default(),
        node: Node::Dir(Arc::new(Dir::new(children)), DirRole::Structural),
    }
}
