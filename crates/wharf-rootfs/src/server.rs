//! The FUSE requests of a read-only tree: each answered from memory, contents from the store, each written down.
//!
//! What the kernel asks for and what that means was measured with overlayfs above; the settings that make the record
//! precise are here: look-ups without a time-to-live for attributes (so that GETATTR tells "was stat'ed or opened" from "was walked
//! through"; the mount's `default_permissions` make the kernel ask before it opens), misses as remembered entries, no READDIRPLUS, no OPEN, and GETXATTR refused for good on trees without
//! extended attributes.

use std::{
    cell::RefCell,
    ffi::OsStr,
    fs::File,
    io,
    os::unix::{ffi::OsStrExt, fs::FileExt},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use fuser::{
    AccessFlags, Errno, FileHandle, Filesystem, Generation, INodeNo, InitFlags, IoctlFlags, KernelConfig,
    LockOwner, OpenFlags, ReplyAttr, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyIoctl,
    ReplyLseek, ReplyOpen, ReplyStatfs, ReplyXattr, Request,
};
use rustix::fs::SeekFrom;
use wharf_oci::Digest;
use wharf_tree::{Entry, Name, Node as TreeNode, TreePath, readset::Kind};

use crate::{
    aside::Aside,
    attributes::{attributes, nothing, whiteout},
    contents::Contents,
    follow::{Asked, Connection, Follow, GivesWay},
    health::{Health, Waiting},
    listing::Listings,
    nodes::{Node, Nodes},
    overlay::Markers,
    owners::Owners,
    served::Served,
    session::ServeError,
    survey::Survey,
};

/// For as long as the mount lives: the tree does not change. Not more seconds than any kernel's arithmetic takes.
pub(crate) const FOREVER: Duration = Duration::from_secs(1 << 31);

/// Linux's, with the final NUL.
const PATH_MAX: usize = 4096;

/// What the servers' threads share with the session that waits for their end.
pub(crate) struct Shared {
    pub(crate) nodes: Nodes,
    pub(crate) health: Arc<Health>,
    pub(crate) survey: Survey,
    pub(crate) contents: Contents,
    pub(crate) aside: Aside,
    pub(crate) markers: Markers,
    pub(crate) owners: Owners,
    /// From how many bytes on files are in a layer of their own.
    pub(crate) apart: AtomicU64,
}

impl Shared {
    /// Whether an entry of a directory is in the layer of large files. The kernel resolves its path there, which has to be short enough.
    pub(crate) fn is_apart(&self, dir: &Node, name: &Name, entry: &Entry) -> bool {
        let TreeNode::File { size, .. } = entry.node else {
            return false;
        };
        size >= self.apart.load(Ordering::Relaxed)
            && dir
                .path()
                .join(name)
                .components()
                .map(|part| 1 + part.len())
                .sum::<usize>()
                < PATH_MAX
    }

    /// Whether a directory is in the layer of large files too.
    fn is_layered(&self, dir: &Node) -> bool {
        self.apart.load(Ordering::Relaxed) < u64::MAX && self.survey.large.is_below(dir)
    }

    /// Writes down a look-up that found `entry`, and gives its number.
    pub(crate) fn found(&self, parent: &Arc<Node>, name: &Name, entry: &Entry) -> (u64, Arc<Node>) {
        let number = self.survey.inodes.number_below(parent, name);
        let node = self.nodes.found(number, parent, name, entry);
        if !self.survey.xattrs {
            node.ask(Kind::Xattrs);
        }
        (number, node)
    }

    /// What a file's status is.
    pub(crate) fn attributes(&self, node: &Node, number: u64) -> fuser::FileAttr {
        let nlink = self.survey.inodes.nlink(number);
        attributes(node.entry(), number, nlink, &self.owners)
    }

    /// What is wanted of the kernel.
    pub(crate) fn agree(&self, config: &mut KernelConfig) {
        let mut wanted =
            InitFlags::FUSE_CACHE_SYMLINKS | InitFlags::FUSE_PARALLEL_DIROPS | InitFlags::FUSE_ABORT_ERROR;
        if self.survey.acls {
            wanted |= InitFlags::FUSE_POSIX_ACL;
        }
        let offered = config.capabilities();
        config
            .add_capabilities(wanted & offered)
            .expect("only what the kernel offers is asked for");
    }

    /// Sends `length` bytes of a content that may be elsewhere.
    fn send_fetched(&self, node: &Node, digest: &Digest, offset: u64, length: usize, reply: ReplyData) {
        let parked = self.health.park(Waiting::Data(reply));
        let read = || {
            let mut bytes = vec![0; length];
            self.contents.open(digest)?.read_exact_at(&mut bytes, offset)?;
            Ok(bytes)
        };
        match read() {
            Ok(bytes) => {
                if let Some(Waiting::Data(reply)) = parked.take() {
                    reply.data(&bytes);
                }
            }
            Err(source) => {
                self.blob_failed(&node.path(), digest, source);
                parked
                    .take()
                    .into_iter()
                    .for_each(|reply| reply.error(Errno::EIO));
            }
        }
    }

    /// Says where data or a hole begins in a content that may be elsewhere.
    fn seek_fetched(&self, node: &Node, digest: &Digest, target: SeekFrom, reply: ReplyLseek) {
        match self.contents.open(digest) {
            Ok(file) => seek(&file, target, reply),
            Err(source) => {
                self.blob_failed(&node.path(), digest, source);
                reply.error(Errno::EIO);
            }
        }
    }

    /// A content could not be had.
    pub(crate) fn blob_failed(&self, path: &TreePath, digest: &Digest, source: io::Error) {
        self.health.fail(ServeError::Blob {
            path: path.clone(),
            digest: *digest,
            source,
        });
    }
}

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

/// Says where data or a hole begins: copy-up asks, to keep sparse files sparse.
fn seek(file: &File, target: SeekFrom, reply: ReplyLseek) {
    match rustix::fs::seek(file, target) {
        Ok(position) => reply.offset(position as i64),
        Err(errno) => reply.error(Errno::from_i32(errno.raw_os_error())),
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
