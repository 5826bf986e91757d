//! The FUSE requests of a read-only tree: each answered from memory, contents from the store, each written down.
//!
//! What the kernel asks for and what that means was measured with overlayfs above; the settings that make the record
//! precise are here: look-ups without a time-to-live for attributes (so that GETATTR tells "was stat'ed or opened" from "was walked
//! through"; the mount's `default_permissions` make the kernel ask before it opens), misses as remembered entries, no READDIRPLUS, no OPEN, and GETXATTR refused for good on trees without
//! extended attributes.

use std::{
    cell::RefCell,
    ffi::OsStr,
    io,
    os::unix::{ffi::OsStrExt, fs::FileExt},
    sync::Arc,
    time::Duration,
};

use fuser::{
    AccessFlags, Errno, FileHandle, Filesystem, Generation, INodeNo, IoctlFlags, KernelConfig, LockOwner,
    OpenFlags, ReplyAttr, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyIoctl, ReplyLseek,
    ReplyOpen, ReplyStatfs, ReplyXattr, Request,
};
use rustix::fs::SeekFrom;
use wharf_oci::Digest;
use wharf_tree::{Name, Node as TreeNode, readset::Kind};

use crate::{
    attributes::{nothing, whiteout},
    follow::{Asked, Connection, Follow, GivesWay},
    listing::Listings,
    nodes::Node,
    overlay::Markers,
    served::{Served, Shared, seek},
    session::ServeError,
};

/// For as long as the mount lives: the tree does not change. Not more seconds than any kernel's arithmetic takes.
pub(crate) const FOREVER: Duration = Duration::from_secs(1 << 31);

/// What is found under a name.
enum Look {
    Here(u64, Arc<Node>),
    /// Nothing in this layer.
    NotHere,
    /// Nothing in the layer of large files either: a whiteout keeps the overlay from looking there.
    NoLayer,
}

/// The number of whiteouts, which the overlay shows to nobody: the tree's have 63 bits.
const WHITEOUT: u64 = 1 << 63;

/// A tree as a file system.
pub(crate) struct TreeFs {
    served: Arc<Served>,
    pub(crate) listings: Listings,
    pub(crate) follow: Arc<Follow>,
    connection: Connection,
}

/// A request that is answered at once, giving way; the thread rests after that, if at all.
pub(crate) struct AtOnce<'a> {
    _gives: GivesWay,
    _asked: Asked<'a>,
}

impl TreeFs {
    /// All of a tree, or what is not in the layer of large files.
    pub(crate) fn new(served: Arc<Served>, follow: Arc<Follow>) -> Self {
        Self {
            served,
            listings: Listings::new(),
            follow,
            connection: Connection::new(),
        }
    }

    /// What is served.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        self.served.now()
    }

    /// For every request, before it is answered.
    pub(crate) fn asked(&self, request: &Request) -> Asked<'_> {
        self.follow.asked_by(request.pid(), &self.connection)
    }

    /// For a request that is answered at once.
    pub(crate) fn at_once(&self, request: &Request) -> AtOnce<'_> {
        let asked = self.asked(request);
        AtOnce {
            _gives: self.follow.give_way(),
            _asked: asked,
        }
    }

    /// The node of a request, or the error to answer it with.
    pub(crate) fn node(&self, number: INodeNo) -> Result<Arc<Node>, Errno> {
        if self.shared().health.aborted() {
            return Err(Errno::EIO);
        }
        self.shared().nodes.get(number.0).ok_or_else(|| {
            self.shared().health.fail(ServeError::UnknownNode(number.0));
            Errno::ESTALE
        })
    }

    fn look(&self, parent: &Arc<Node>, name: &OsStr) -> Result<Look, Errno> {
        let dir = parent.dir().ok_or(Errno::ENOTDIR)?;
        let Some((name, entry)) = dir.entries().get_key_value(name.as_bytes()) else {
            let name = Name::new(name.as_bytes()).or(Err(Errno::EINVAL))?;
            self.shared().nodes.missed(parent.path().join(&name));
            return Ok(if self.shared().is_layered(parent) {
                Look::NoLayer
            } else {
                Look::NotHere
            });
        };
        if self.shared().is_apart(parent, name, entry) {
            return Ok(Look::NotHere);
        }
        let (number, node) = self.shared().found(parent, name, entry);
        Ok(Look::Here(number, node))
    }

    /// Sends `length` bytes of a file's content from `offset` on: all of them or none.
    fn send(&self, node: &Arc<Node>, digest: &Digest, offset: u64, length: usize, reply: ReplyData) {
        let at_hand = BUFFER.with_borrow_mut(|buffer| {
            buffer.resize(length.max(buffer.len()), 0);
            let bytes = &mut buffer[..length];
            // What fails here fails aside too, and is told there.
            let file = self.shared().contents.open_at_hand(digest).ok().flatten();
            if file.is_some_and(|file| file.read_exact_at(bytes, offset).is_ok()) {
                let _gives = self.follow.give_way();
                reply.data(bytes);
                None
            } else {
                Some(reply)
            }
        });
        if let Some(reply) = at_hand {
            let (shared, node, digest) = (self.shared().clone(), node.clone(), *digest);
            let send = move || shared.send_fetched(&node, &digest, offset, length, reply);
            self.shared().aside.run(&self.follow, send);
        }
    }

    /// The value of an attribute as the overlay above asks for it; `None` for what is not there.
    pub(crate) fn xattr(&self, node: &Node, name: &[u8]) -> Option<Vec<u8>> {
        let visible = self.shared().markers.unescape(name)?;
        let value = node
            .entry()
            .attrs
            .xattrs
            .as_ref()
            .and_then(|xattrs| xattrs.get(&visible).cloned());
        node.ask(Kind::Xattr(visible));
        value
    }

    /// All names, each with a final NUL. Without `trusted.*` in a user namespace, where nobody could read their values and
    /// every copy-up would fail on them.
    fn xattr_names(&self, node: &Node) -> Vec<u8> {
        let xattrs = node.entry().attrs.xattrs.iter().flat_map(|xattrs| xattrs.keys());
        let readable =
            xattrs.filter(|name| self.shared().markers == Markers::Trusted || !name.starts_with(b"trusted."));
        let mut names = Vec::new();
        for name in readable {
            names.extend(self.shared().markers.escape(name));
            names.push(0);
        }
        names
    }
}

thread_local! {
    /// A server thread's read buffer, as large as the largest request so far.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Answers an extended attribute request in its two forms: how long, and what.
pub(crate) fn send_xattr(value: &[u8], size: u32, reply: ReplyXattr) {
    match size as usize {
        0 => reply.size(value.len() as u32),
        size if size < value.len() => reply.error(Errno::ERANGE),
        _ => reply.data(value),
    }
}

impl Filesystem for TreeFs {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> io::Result<()> {
        self.shared().agree(config);
        Ok(())
    }

    fn lookup(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let _at_once = self.at_once(request);
        let look = self.node(parent).and_then(|parent| self.look(&parent, name));
        let (attributes, known) = match look {
            // A directory has no size or names of its own: who knows that there is one knows its status.
            Ok(Look::Here(number, node)) if node.dir().is_some() => {
                (self.shared().attributes(&node, number), FOREVER)
            }
            Ok(Look::Here(number, node)) => (self.shared().attributes(&node, number), Duration::ZERO),
            Ok(Look::NotHere) => (nothing(), Duration::ZERO),
            Ok(Look::NoLayer) => (whiteout(WHITEOUT), FOREVER),
            Err(errno) => return reply.error(errno),
        };
        reply.entry_with_ttls(&known, &FOREVER, &attributes, Generation(0));
    }

    fn getattr(&self, request: &Request, number: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        let _at_once = self.at_once(request);
        match self.node(number) {
            Ok(node) => {
                node.ask(Kind::Stat);
                reply.attr(&FOREVER, &self.shared().attributes(&node, number.0));
            }
            Err(errno) => reply.error(errno),
        }
    }

    fn readlink(&self, request: &Request, number: INodeNo, reply: ReplyData) {
        let _at_once = self.at_once(request);
        match self.node(number) {
            Ok(node) => {
                node.ask(Kind::Target);
                match &node.entry().node {
                    TreeNode::Symlink(target) => reply.data(target),
                    _ => reply.error(Errno::EINVAL),
                }
            }
            Err(errno) => reply.error(errno),
        }
    }

    fn open(&self, request: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let _at_once = self.at_once(request);
        reply.error(Errno::ENOSYS);
    }

    fn read(
        &self,
        request: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let _asked = self.asked(request);
        let node = match self.node(number) {
            Ok(node) => node,
            Err(errno) => return reply.error(errno),
        };
        node.ask(Kind::Content);
        let TreeNode::File { digest, size: end } = &node.entry().node else {
            return reply.error(Errno::EINVAL);
        };
        match end.saturating_sub(offset).min(size.into()) {
            0 => reply.data(&[]),
            length => self.send(&node, digest, offset, length as usize, reply),
        }
    }

    /// Nobody looks for who asks here: execve(2) closes files while it holds the lock that reading `/proc/PID/stat` waits for.
    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        let _gives = self.follow.give_way();
        reply.error(Errno::ENOSYS);
    }

    fn opendir(&self, request: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let _at_once = self.at_once(request);
        reply.error(Errno::ENOSYS);
    }

    fn readdir(
        &self,
        request: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let _at_once = self.at_once(request);
        let node = match self.node(number) {
            Ok(node) => node,
            Err(errno) => return reply.error(errno),
        };
        node.ask(Kind::Listing);
        let listing = self.listings.get(&node, number.0, &self.shared().survey.inodes);
        for (index, listed) in listing.iter().enumerate().skip(offset as usize) {
            let name = OsStr::from_bytes(listed.bytes(index));
            if reply.add(INodeNo(listed.number), index as u64 + 1, listed.file_type, name) {
                break;
            }
        }
        reply.ok();
    }

    fn statfs(&self, request: &Request, _: INodeNo, reply: ReplyStatfs) {
        let _at_once = self.at_once(request);
        reply.statfs(0, 0, 0, 0, 0, 4096, 255, 4096);
    }

    fn getxattr(&self, request: &Request, number: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        let _at_once = self.at_once(request);
        if !self.shared().survey.xattrs {
            return reply.error(Errno::ENOSYS);
        }
        match self.node(number) {
            Ok(node) => match self.xattr(&node, name.as_bytes()) {
                Some(value) => send_xattr(&value, size, reply),
                None => reply.error(Errno::NO_XATTR),
            },
            Err(errno) => reply.error(errno),
        }
    }

    fn listxattr(&self, request: &Request, number: INodeNo, size: u32, reply: ReplyXattr) {
        let _at_once = self.at_once(request);
        if !self.shared().survey.xattrs {
            return reply.error(Errno::ENOSYS);
        }
        match self.node(number) {
            Ok(node) => {
                node.ask(Kind::Xattrs);
                send_xattr(&self.xattr_names(&node), size, reply);
            }
            Err(errno) => reply.error(errno),
        }
    }

    fn access(&self, request: &Request, _: INodeNo, _: AccessFlags, reply: ReplyEmpty) {
        let _at_once = self.at_once(request);
        reply.error(Errno::ENOSYS);
    }

    /// Copy-up asks for inode flags; a tree has none.
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
        let _at_once = self.at_once(request);
        reply.error(Errno::ENOTTY);
    }

    fn lseek(
        &self,
        request: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: i64,
        whence: i32,
        reply: ReplyLseek,
    ) {
        const SEEK_DATA: i32 = 3;
        const SEEK_HOLE: i32 = 4;
        let _asked = self.asked(request);
        let node = match self.node(number) {
            Ok(node) => node,
            Err(errno) => return reply.error(errno),
        };
        node.ask(Kind::Content);
        let target = match (u64::try_from(offset), whence) {
            (Ok(offset), SEEK_DATA) => SeekFrom::Data(offset),
            (Ok(offset), SEEK_HOLE) => SeekFrom::Hole(offset),
            _ => return reply.error(Errno::EINVAL),
        };
        let TreeNode::File { digest, .. } = node.entry().node else {
            return reply.error(Errno::EINVAL);
        };
        match self.shared().contents.open_at_hand(&digest) {
            Ok(Some(file)) => seek(&file, target, reply),
            _ => {
                let shared = self.shared().clone();
                let work = move || shared.seek_fetched(&node, &digest, target, reply);
                self.shared().aside.run(&self.follow, work);
            }
        }
    }
}
