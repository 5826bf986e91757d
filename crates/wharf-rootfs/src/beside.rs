//! The second lower layer of a step's root: large files and the directories that lead to them, with contents that the overlay above reads
//! in the store itself ([`crate::large`]).
//!
//! Its file system has two directories. `tree` is the layer: each file in it says where its content is (`metacopy`, `redirect`). `data`
//! is the lower layer of a second overlay, the first one's data-only layer, whose own data-only layer is the store: the kernel looks a file up
//! there when it is opened and at no other time, so that this look-up *is* the question for the content. A name that neither layer has is a
//! whiteout of the first one, and this one is not asked. Paths below `data` are those of
//! the tree, for the kernel shows them in `/proc/PID/maps`.

use std::{
    ffi::OsStr,
    fs::File,
    io,
    os::unix::ffi::{OsStrExt, OsStringExt},
    sync::Arc,
    time::Duration,
};

use fuser::{
    AccessFlags, Errno, FileAttr, FileHandle, Filesystem, Generation, INodeNo, IoctlFlags, KernelConfig,
    LockOwner, OpenFlags, ReplyAttr, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyIoctl,
    ReplyLseek, ReplyOpen, ReplyStatfs, ReplyXattr, Request,
};
use wharf_tree::{Entry, Name, Node as TreeNode, readset::Kind};

use crate::{
    attributes::nothing,
    follow::Follow,
    health::Waiting,
    inodes::ROOT,
    nodes::Node,
    served::{Served, Shared},
    server::{FOREVER, TreeFs, send_xattr},
};

/// The directory that is the layer.
pub const TREE: &str = "tree";

/// The directory whose files are looked up when they are opened.
pub const DATA: &str = "data";

/// Set in the numbers of `data`: the tree's have 63 bits.
const OPENED: u64 = 1 << 63;

/// The number of `tree` itself: the tree's root has that of this file system's.
const LAYER: u64 = OPENED;

/// What a number of this file system means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// What has `tree` and `data` in it.
    Top,
    /// The tree's inode of that number, in the layer.
    Layer(u64),
    /// The same below `data`.
    Data(u64),
}

impl Place {
    fn of(number: INodeNo) -> Self {
        match number.0 {
            ROOT => Self::Top,
            LAYER => Self::Layer(ROOT),
            number if number & OPENED != 0 => Self::Data(number & !OPENED),
            number => Self::Layer(number),
        }
    }

    const fn number(self) -> u64 {
        match self {
            Self::Top => ROOT,
            Self::Layer(ROOT) => LAYER,
            Self::Layer(number) => number,
            Self::Data(number) => number | OPENED,
        }
    }
}

/// The large files of a tree.
pub(crate) struct LargeFs {
    /// Answers what does not depend on where a file is.
    tree: TreeFs,
}

impl LargeFs {
    pub(crate) fn new(served: Arc<Served>, follow: Arc<Follow>) -> Self {
        Self {
            tree: TreeFs::new(served, follow),
        }
    }

    fn shared(&self) -> &Shared {
        self.tree.shared()
    }

    /// The inode, which both layers have as the same one.
    fn node(&self, place: Place) -> Result<Arc<Node>, Errno> {
        match place {
            Place::Top => self.tree.node(INodeNo(ROOT)),
            Place::Layer(number) | Place::Data(number) => self.tree.node(INodeNo(number)),
        }
    }

    fn attributes(&self, place: Place, node: &Node) -> FileAttr {
        let (Place::Layer(number) | Place::Data(number)) = place else {
            return self.attributes(Place::Layer(ROOT), node);
        };
        FileAttr {
            ino: INodeNo(place.number()),
            ..self.shared().attributes(node, number)
        }
    }

    /// What this layer has in a directory; nothing is written down of what it has not, for the first layer has answered that.
    fn entry<'n>(&self, dir: &'n Node, name: &OsStr) -> Option<(&'n Name, &'n Entry)> {
        let (name, entry) = dir.dir()?.entries().get_key_value(name.as_bytes())?;
        let here = entry.node.as_dir().is_some() || self.shared().is_apart(dir, name, entry);
        here.then_some((name, entry))
    }

    /// A name in the layer: a large file is asked for nowhere else.
    fn in_layer(&self, dir: &Arc<Node>, name: &OsStr) -> Option<(Place, Arc<Node>)> {
        let (name, entry) = self.entry(dir, name)?;
        let (number, node) = self.shared().found(dir, name, entry);
        let leads = node.dir().is_none() || self.shared().survey.large.is_below(&node);
        leads.then_some((Place::Layer(number), node))
    }

    /// A name below `data`, which was looked up in the layer before.
    fn in_data(&self, dir: &Node, name: &OsStr) -> Option<(Place, Arc<Node>)> {
        let (name, _) = self.entry(dir, name)?;
        let number = self.shared().survey.inodes.number_below(dir, name);
        let node = self.shared().nodes.get(number)?;
        Some((Place::Data(number), node))
    }

    fn find(&self, parent: INodeNo, name: &OsStr) -> Result<Option<(Place, Arc<Node>)>, Errno> {
        let parent = Place::of(parent);
        let dir = self.node(parent)?;
        Ok(match parent {
            Place::Top if name == TREE => Some((Place::Layer(ROOT), dir)),
            Place::Top if name == DATA => Some((Place::Data(ROOT), dir)),
            Place::Top => None,
            Place::Layer(_) => self.in_layer(&dir, name),
            Place::Data(_) => self.in_data(&dir, name),
        })
    }

    /// Sees to it that the content is in the store and whole, and says so: from then on the kernel reads it without asking. Gives the reply
    /// back if that takes no time.
    fn open_content(&self, node: &Arc<Node>, attributes: FileAttr, reply: ReplyEntry) -> Option<ReplyEntry> {
        let TreeNode::File { digest, size } = node.entry().node else {
            return Some(reply);
        };
        node.ask(Kind::Content);
        let at_hand = self.shared().contents.open_at_hand(&digest);
        // What fails here fails aside too, and is told there.
        if at_hand.is_ok_and(|file| file.is_some_and(|file| check(&file, size).is_ok())) {
            return Some(reply);
        }
        let (shared, node) = (self.tree.shared().clone(), node.clone());
        let work = move || {
            let parked = shared.health.park(Waiting::Entry(reply));
            let opened = shared.contents.open(&digest);
            let checked = opened.and_then(|file| check(&file, size));
            let failed = checked.map_err(|source| shared.blob_failed(&node.path(), &digest, source));
            match (parked.take(), failed) {
                (Some(Waiting::Entry(reply)), Ok(())) => there(reply, &FOREVER, &attributes),
                (reply, _) => reply.into_iter().for_each(|reply| reply.error(Errno::EIO)),
            }
        };
        self.shared().aside.run(&self.tree.follow, work);
        None
    }

    /// The overlay's own marks of a file: that its content is elsewhere, and where.
    fn mark(&self, place: Place, node: &Node, name: &[u8]) -> Option<Vec<u8>> {
        let TreeNode::File { digest, .. } = &node.entry().node else {
            return None;
        };
        match name.strip_prefix(self.shared().markers.prefix())? {
            b"metacopy" => Some(Vec::new()),
            b"redirect" => {
                let path = match place {
                    Place::Data(_) => self.shared().contents.place(digest)?.into_os_string().into_vec(),
                    _ => node.path().components().collect::<Vec<_>>().join(&b'/'),
                };
                Some([b"/".as_slice(), &path].concat())
            }
            _ => None,
        }
    }
}

/// A content is as long as the tree says.
fn check(file: &File, size: u64) -> io::Result<()> {
    let found = file.metadata()?.len();
    if found == size {
        Ok(())
    } else {
        Err(io::Error::other(format!(
            "it has {found} bytes instead of {size}"
        )))
    }
}

/// Says that a name is there, and its status, as far as the kernel may believe that it knows it.
fn there(reply: ReplyEntry, known: &Duration, attributes: &FileAttr) {
    reply.entry_with_ttls(known, &FOREVER, attributes, Generation(0));
}

impl Filesystem for LargeFs {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> io::Result<()> {
        self.shared().agree(config);
        Ok(())
    }

    fn lookup(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let _asked = self.tree.asked(request);
        let (place, node) = match self.find(parent, name) {
            Ok(Some(found)) => found,
            Ok(None) => {
                let _gives = self.tree.follow.give_way();
                return reply.entry_with_ttls(&Duration::ZERO, &FOREVER, &nothing(), Generation(0));
            }
            Err(errno) => return reply.error(errno),
        };
        let in_layer = matches!(place, Place::Layer(_));
        let attributes = self.attributes(place, &node);
        let reply = if in_layer {
            Some(reply)
        } else {
            self.open_content(&node, attributes, reply)
        };
        // Of a file in the layer the kernel shall ask when it wants to know more than that it is there.
        let known = if in_layer && node.dir().is_none() {
            Duration::ZERO
        } else {
            FOREVER
        };
        if let Some(reply) = reply {
            let _gives = self.tree.follow.give_way();
            there(reply, &known, &attributes);
        }
    }

    fn getattr(&self, request: &Request, number: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        let _at_once = self.tree.at_once(request);
        let place = Place::of(number);
        match self.node(place) {
            Ok(node) => {
                if matches!(place, Place::Layer(_)) && node.dir().is_none() {
                    node.ask(Kind::Stat);
                }
                reply.attr(&FOREVER, &self.attributes(place, &node));
            }
            Err(errno) => reply.error(errno),
        }
    }

    fn open(&self, request: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let _at_once = self.tree.at_once(request);
        reply.error(Errno::ENOSYS);
    }

    fn flush(
        &self,
        request: &Request,
        number: INodeNo,
        file: FileHandle,
        owner: LockOwner,
        reply: ReplyEmpty,
    ) {
        self.tree.flush(request, number, file, owner, reply);
    }

    fn opendir(&self, request: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let _at_once = self.tree.at_once(request);
        reply.error(Errno::ENOSYS);
    }

    fn readdir(
        &self,
        request: &Request,
        number: INodeNo,
        handle: FileHandle,
        offset: u64,
        reply: ReplyDirectory,
    ) {
        match Place::of(number) {
            Place::Layer(number) => self.tree.readdir(request, INodeNo(number), handle, offset, reply),
            _ => reply.ok(),
        }
    }

    fn statfs(&self, request: &Request, number: INodeNo, reply: ReplyStatfs) {
        self.tree.statfs(request, number, reply);
    }

    fn getxattr(&self, request: &Request, number: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        let _at_once = self.tree.at_once(request);
        let place = Place::of(number);
        let node = match self.node(place) {
            Ok(node) => node,
            Err(errno) => return reply.error(errno),
        };
        let value = self.mark(place, &node, name.as_bytes()).or_else(|| {
            let own = matches!(place, Place::Layer(_)) && self.shared().survey.xattrs;
            own.then(|| self.tree.xattr(&node, name.as_bytes())).flatten()
        });
        match value {
            Some(value) => send_xattr(&value, size, reply),
            None => reply.error(Errno::NO_XATTR),
        }
    }

    fn listxattr(&self, request: &Request, number: INodeNo, size: u32, reply: ReplyXattr) {
        match Place::of(number) {
            Place::Layer(number) => self.tree.listxattr(request, INodeNo(number), size, reply),
            _ => reply.error(Errno::NO_XATTR),
        }
    }

    fn access(&self, request: &Request, _: INodeNo, _: AccessFlags, reply: ReplyEmpty) {
        let _at_once = self.tree.at_once(request);
        reply.error(Errno::ENOSYS);
    }

    fn ioctl(
        &self,
        request: &Request,
        _: INodeNo,
        _: FileHandle,
        _: IoctlFlags,
        _: u32,
        _: &[u8],
        _: u32,
        reply: ReplyIoctl,
    ) {
        let _at_once = self.tree.at_once(request);
        reply.error(Errno::ENOTTY);
    }

    /// Contents are read in the store; should a kernel ask here all the same, the answer is the same.
    fn read(
        &self,
        request: &Request,
        number: INodeNo,
        handle: FileHandle,
        offset: u64,
        size: u32,
        flags: OpenFlags,
        owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match Place::of(number) {
            Place::Layer(number) | Place::Data(number) => {
                self.tree.read(
                    request,
                    INodeNo(number),
                    handle,
                    offset,
                    size,
                    flags,
                    owner,
                    reply,
                );
            }
            Place::Top => reply.error(Errno::EISDIR),
        }
    }

    fn lseek(
        &self,
        request: &Request,
        number: INodeNo,
        handle: FileHandle,
        offset: i64,
        whence: i32,
        reply: ReplyLseek,
    ) {
        match Place::of(number) {
            Place::Layer(number) | Place::Data(number) => {
                self.tree
                    .lseek(request, INodeNo(number), handle, offset, whence, reply);
            }
            Place::Top => reply.error(Errno::EISDIR),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_has_a_number_of_its_own() {
        let places = [
            (Place::Top, 1),
            (Place::Layer(ROOT), 1 << 63),
            (Place::Layer(7), 7),
            (Place::Data(ROOT), 1 << 63 | 1),
            (Place::Data(7), 1 << 63 | 7),
        ];
        for (place, number) in places {
            assert_eq!(place.number(), number);
            assert_eq!(Place::of(INodeNo(number)), place);
        }
    }
}
