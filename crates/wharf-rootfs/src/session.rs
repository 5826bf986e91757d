//! A running server: from an open `/dev/fuse` to the read set of the step.

use std::{io, os::fd::OwnedFd, sync::Arc};

use wharf_oci::Digest;
use wharf_tree::{Tree, TreePath, readset::ReadSet};

use crate::{
    blobs::BlobOpen,
    mounts::{MountError, MountPoint},
    overlay::Markers,
    owners::Owners,
};

/// What may vary about a server.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// The root's number in the read set: 0 is the step's, n the n-th bind mount.
    pub root: u16,
    /// Mount points to serve although the tree lacks them.
    pub mounts: Vec<MountPoint>,
    /// How the overlay above is mounted.
    pub markers: Markers,
    /// What owners mean where the step runs.
    pub owners: Owners,
    /// How many threads answer; at least one. Two keep one slow fetch from stalling all.
    pub threads: usize,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            root: 0,
            mounts: Vec::new(),
            markers: Markers::default(),
            owners: Owners::default(),
            threads: 2,
        }
    }
}

/// A server that has no connection yet. Making it costs a walk of the tree: do that while the sandbox starts.
pub struct Server {
    tree: Arc<Tree>,
}

impl Server {
    /// Gets ready to serve `tree` with contents from `blobs`.
    pub fn new(
        tree: Arc<Tree>,
        _blobs: Arc<dyn BlobOpen>,
        _options: &ServeOptions,
    ) -> Result<Self, ServeError> {
        Ok(Self { tree })
    }

    /// Serves on `fuse`, an open `/dev/fuse` that is mounted or about to be; returns when the kernel's first message is
    /// answered.
    pub fn serve(self, _fuse: OwnedFd) -> Result<Session, ServeError> {
        let _ = self.tree;
        Err(ServeError::Handshake(io::ErrorKind::Unsupported.into()))
    }
}

/// A server at work. It ends by itself when the last process that can see the mount is gone.
pub struct Session {
    abort: Abort,
}

impl Session {
    /// Waits for the end of the connection and gives what was read. Call it after the last process of the step is gone.
    /// An error means that some request was not answered as the tree says: the step's result must not be kept.
    pub fn finish(self) -> Result<ReadSet, ServeError> {
        Err(ServeError::Aborted)
    }

    /// A handle that ends the session from elsewhere.
    pub fn abort_handle(&self) -> Abort {
        self.abort.clone()
    }
}

/// Makes a session answer every request, waiting ones too, with an error, so that a killed process can die.
#[derive(Debug, Clone)]
pub struct Abort;

impl Abort {
    /// Does so. [`Session::finish`] then fails with [`ServeError::Aborted`].
    pub fn abort(&self) {}
}

/// Why a root could not be served faithfully.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A mount point cannot be served.
    #[error(transparent)]
    Mount(#[from] MountError),
    /// A file of the tree belongs to somebody whom the user namespace does not know.
    #[error("{path} belongs to {uid}:{gid}, which the user namespace's id ranges do not cover")]
    UnmappedOwner {
        /// The file.
        path: TreePath,
        /// Its owner.
        uid: u32,
        /// Its group.
        gid: u32,
    },
    /// The kernel did not say hello: the mount was gone first, or the descriptor is not a FUSE device.
    #[error("the FUSE connection could not be set up")]
    Handshake(#[source] io::Error),
    /// The connection broke off while the step ran.
    #[error("the FUSE connection ended with an error")]
    Connection(#[source] io::Error),
    /// A file's content could not be had.
    #[error("cannot read the content of {path} ({digest})")]
    Blob {
        /// The file.
        path: TreePath,
        /// Its content.
        digest: Digest,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Somebody called [`Abort::abort`].
    #[error("the root filesystem was taken away while the step ran")]
    Aborted,
}
