//! What is served: a tree with all that is known of it, and with what was asked. A root may be mounted before it is known which tree that is.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use fuser::{Errno, InitFlags, KernelConfig, ReplyData, ReplyLseek};
use rustix::fs::SeekFrom;
use wharf_oci::Digest;
use wharf_tree::{Entry, Name, Node as TreeNode, TreePath, readset::Kind};

use crate::{
    aside::Aside,
    attributes::attributes,
    contents::Contents,
    health::{Health, Waiting},
    inodes::ROOT,
    nodes::{Node, Nodes},
    overlay::Markers,
    owners::Owners,
    session::ServeError,
    survey::Survey,
};

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
    pub(crate) fn is_layered(&self, dir: &Node) -> bool {
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
    pub(crate) fn send_fetched(
        &self,
        node: &Node,
        digest: &Digest,
        offset: u64,
        length: usize,
        reply: ReplyData,
    ) {
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
    pub(crate) fn seek_fetched(&self, node: &Node, digest: &Digest, target: SeekFrom, reply: ReplyLseek) {
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

/// Says where data or a hole begins: copy-up asks, to keep sparse files sparse.
pub(crate) fn seek(file: &File, target: SeekFrom, reply: ReplyLseek) {
    match rustix::fs::seek(file, target) {
        Ok(position) => reply.offset(position as i64),
        Err(errno) => reply.error(Errno::from_i32(errno.raw_os_error())),
    }
}

/// What is served: one tree, or one until another one takes its place.
pub(crate) struct Served {
    first: Arc<Shared>,
    then: OnceLock<Arc<Shared>>,
}

impl Served {
    pub(crate) const fn new(first: Arc<Shared>) -> Self {
        Self {
            first,
            then: OnceLock::new(),
        }
    }

    pub(crate) fn now(&self) -> &Arc<Shared> {
        self.then.get().unwrap_or(&self.first)
    }

    /// Serves `then` from now on, of which all holds that the kernel has asked of the first: no more than mounting asks. Gives it back
    /// where that is not so.
    pub(crate) fn change_to(&self, then: Arc<Shared>) -> Result<(), Arc<Shared>> {
        let first = &self.first;
        let root = |shared: &Shared| shared.nodes.get(ROOT).map(|node| node.entry().attrs.clone());
        let told = |shared: &Shared| {
            let survey = &shared.survey;
            (
                survey.xattrs,
                survey.acls,
                survey.large.is_empty(),
                shared.markers,
            )
        };
        let alike = root(first) == root(&then)
            && told(first) == told(&then)
            && first.owners == then.owners
            && first.nodes.are_root_alone();
        if !alike || first.health.verdict().is_err() {
            return Err(then);
        }
        then.apart
            .store(first.apart.load(Ordering::Relaxed), Ordering::Relaxed);
        then.nodes.root_was_asked(&first.nodes);
        self.then.set(then)
    }
}
