//! What a tree answers: pure look-ups, one per question.

use std::{collections::HashMap, sync::Arc};

use wharf_oci::Digest;

use super::{
    Asked, Kind, Place, Seen,
    encode::{self, Writer},
};
use crate::{Device, Dir, Entry, Name, Node, Tree, TreePath, Xattrs};

/// The type of a file, as `d_type` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileType {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link.
    Symlink,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
}

impl FileType {
    /// The type of a node; a whiteout has none.
    pub const fn of(node: &Node) -> Option<Self> {
        match node {
            Node::File { .. } => Some(Self::File),
            Node::Dir(..) => Some(Self::Dir),
            Node::Symlink(_) => Some(Self::Symlink),
            Node::CharDevice(_) => Some(Self::CharDevice),
            Node::BlockDevice(_) => Some(Self::BlockDevice),
            Node::Fifo => Some(Self::Fifo),
            Node::Socket => Some(Self::Socket),
            Node::Whiteout => None,
        }
    }
}

/// What a look-up tells: all that permission checks need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    /// Its type.
    pub file_type: FileType,
    /// The low twelve bits of the mode.
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Of a device.
    pub device: Option<Device>,
    /// Whether it is a regular file without content: nobody has to read one to know that.
    pub empty: bool,
}

/// What `stat` tells beyond a look-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// Bytes of a regular file or of a link's target; 0 for everything else.
    pub size: u64,
    /// All names of its hard-link group, sorted; empty when it has but one.
    pub links: Vec<TreePath>,
}

/// Names and their types, sorted.
pub type Listing = Vec<(Name, FileType)>;

/// The answer to one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To any question about what is not there.
    Absent,
    /// To a question that does not fit: the target of a file, the listing of a link.
    Unfit,
    /// To [`Kind::Absent`] and [`Kind::Present`].
    Present(Presence),
    /// To [`Kind::Xattrs`]; `None` when there is none, which is nearly always.
    Xattrs(Option<Arc<Xattrs>>),
    /// To [`Kind::Xattr`].
    Xattr(Option<Vec<u8>>),
    /// To [`Kind::Stat`].
    Stat(Stat),
    /// To [`Kind::Target`].
    Target(Arc<[u8]>),
    /// To [`Kind::Listing`].
    Listing(Listing),
    /// To [`Kind::Content`].
    Content(Digest),
}

/// What a result remembers beside its answers: of regular files that were opened or stat'ed.
fn remembered(entry: &Entry, asked: &Asked) -> Option<Seen> {
    let read = asked.has(&Kind::Content);
    match entry.node {
        Node::File { digest, .. } if read || asked.has(&Kind::Stat) => Some(Seen {
            mtime: entry.mtime,
            unread: (!read).then_some(digest),
        }),
        _ => None,
    }
}

/// Answers questions in the order of their places; neighbours share the walk to their directory.
pub(super) struct Answerer<'a> {
    trees: &'a [&'a Tree],
    links: Vec<HashMap<&'a TreePath, &'a [TreePath]>>,
    root: u16,
    parent: Vec<u8>,
    /// The directory at `parent` of that root.
    dir: Option<&'a Arc<Dir>>,
}

impl<'a> Answerer<'a> {
    pub(super) fn new(trees: &'a [&'a Tree]) -> Self {
        let links = trees.iter().map(|tree| {
            let groups = tree.links.0.iter();
            groups
                .flat_map(|group| group.iter().map(move |path| (path, &group[..])))
                .collect()
        });
        Self {
            trees,
            links: links.collect(),
            root: 0,
            parent: Vec::new(),
            dir: trees.first().map(|tree| tree.dir()),
        }
    }

    /// The entry at a place.
    pub(super) fn find(&mut self, place: &Place) -> Option<&'a Entry> {
        let tree: &'a Tree = self.trees.get(usize::from(place.root))?;
        let path = place.path.as_bytes();
        let Some(name) = place.path.file_name() else {
            return Some(&tree.root);
        };
        let parent = &path[..path.len().saturating_sub(name.len() + 1)];
        if self.root != place.root || self.parent != parent {
            self.root = place.root;
            self.parent.clear();
            self.parent.extend_from_slice(parent);
            self.dir = walk(tree, parent);
        }
        self.dir?.get(name)
    }

    /// Questions and answers about the entry that [`Self::find`] found at `place`.
    pub(super) fn write(&self, writer: &mut Writer, place: &Place, entry: Option<&Entry>, asked: &Asked) {
        writer.questions(place, asked);
        for kind in asked.kinds() {
            self.write_answer(writer.bytes(), place, entry, &kind);
        }
        writer.seen(entry.and_then(|entry| remembered(entry, asked)));
    }

    /// One answer, as [`encode::answer`] writes it.
    pub(super) fn write_answer(
        &self,
        bytes: &mut Vec<u8>,
        place: &Place,
        entry: Option<&Entry>,
        kind: &Kind,
    ) {
        match (kind, entry.map(|entry| &entry.node)) {
            // No name is copied.
            (Kind::Listing, Some(Node::Dir(dir, _))) => {
                let names = typed(dir).map(|(name, file_type)| (name.as_bytes(), file_type));
                encode::listing(bytes, typed(dir).count(), names);
            }
            _ => encode::answer(bytes, &self.answer(place, entry, kind)),
        }
    }

    fn answer(&self, place: &Place, entry: Option<&Entry>, kind: &Kind) -> Answer {
        let Some((entry, file_type)) = entry.and_then(|entry| Some((entry, FileType::of(&entry.node)?)))
        else {
            return Answer::Absent;
        };
        match (kind, &entry.node) {
            (Kind::Absent | Kind::Present, _) => Answer::Present(presence(entry, file_type)),
            (Kind::Xattrs, _) => {
                let some = entry.attrs.xattrs.clone();
                Answer::Xattrs(some.filter(|xattrs| !xattrs.is_empty()))
            }
            (Kind::Xattr(name), _) => {
                let xattrs = entry.attrs.xattrs.as_ref();
                Answer::Xattr(xattrs.and_then(|xattrs| xattrs.get(name).cloned()))
            }
            (Kind::Stat, node) => Answer::Stat(Stat {
                size: size(node),
                links: self.links(place),
            }),
            (Kind::Target, Node::Symlink(target)) => Answer::Target(target.clone()),
            (Kind::Content, Node::File { digest, .. }) => Answer::Content(*digest),
            (Kind::Target | Kind::Listing | Kind::Content, _) => Answer::Unfit,
        }
    }

    fn links(&self, place: &Place) -> Vec<TreePath> {
        let groups = self.links.get(usize::from(place.root));
        let group = groups.and_then(|groups| groups.get(&place.path));
        group.map(|group| group.to_vec()).unwrap_or_default()
    }
}

/// The directory at `path`, through no symbolic link.
fn walk<'t>(tree: &'t Tree, path: &[u8]) -> Option<&'t Arc<Dir>> {
    let mut dir = tree.dir();
    for name in path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
        dir = dir.get(name)?.node.as_dir()?;
    }
    Some(dir)
}

fn presence(entry: &Entry, file_type: FileType) -> Presence {
    let device = match entry.node {
        Node::CharDevice(device) | Node::BlockDevice(device) => Some(device),
        _ => None,
    };
    Presence {
        file_type,
        mode: entry.attrs.mode,
        uid: entry.attrs.uid,
        gid: entry.attrs.gid,
        device,
        empty: matches!(entry.node, Node::File { size: 0, .. }),
    }
}

fn size(node: &Node) -> u64 {
    match node {
        Node::File { size, .. } => *size,
        Node::Symlink(target) => target.len() as u64,
        _ => 0,
    }
}

/// The names of a directory and their types.
fn typed(dir: &Dir) -> impl Iterator<Item = (&Name, FileType)> {
    let entries = dir.entries().iter();
    entries.filter_map(|(name, entry)| Some((name, FileType::of(&entry.node)?)))
}
