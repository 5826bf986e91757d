//! A running server: from an open `/dev/fuse` to the read set of the step.

use std::{
    io,
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
};

use fuser::{Filesystem, SessionACL};
use wharf_oci::Digest;
use wharf_tree::{Tree, TreePath, readset::PathSet};

use crate::{
    aside::Aside,
    beside::LargeFs,
    blobs::BlobOpen,
    contents::Contents,
    follow::{Connection, Follow},
    health::Health,
    line::Line,
    memory,
    mounts::{MountError, MountPoint, with_mount_points},
    nodes::Nodes,
    overlay::Markers,
    owners::Owners,
    served::{Served, Shared},
    server::TreeFs,
    survey::{Survey, Surveys},
};

/// What may vary about a server.
#[derive(Debug, Clone, Default)]
pub struct ServeOptions {
    /// The root's number in the read set: 0 is the step's, n the n-th bind mount.
    pub root: u16,
    /// Mount points to serve although the tree lacks them.
    pub mounts: Vec<MountPoint>,
    /// How the overlay above is mounted.
    pub markers: Markers,
    /// What owners mean where the step runs.
    pub owners: Owners,
    /// From how many bytes on files are to be in a layer of their own, with contents that the kernel reads where [`BlobOpen::place`] says.
    pub large: Option<u64>,
    /// What is known of trees that have much in common with this one.
    pub surveys: Arc<Surveys>,
}

/// A server that has no connection yet. Making it costs a walk of what is not known of the tree: do that while the sandbox starts.
pub struct Server {
    root: u16,
    shared: Arc<Shared>,
}

impl Server {
    /// Gets ready to serve `tree` with contents from `blobs`.
    pub fn new(tree: &Tree, blobs: Arc<dyn BlobOpen>, options: &ServeOptions) -> Result<Self, ServeError> {
        memory::keep_large_buffers_apart();
        let served = with_mount_points(tree, &options.mounts)?;
        let least = options.large.unwrap_or(u64::MAX);
        let survey = Survey::new(&served, &options.owners, least, &options.surveys)?;
        let apart = if survey.large.is_empty() { u64::MAX } else { least };
        let shared = Shared {
            nodes: Nodes::new(served.root),
            health: Arc::default(),
            survey,
            contents: Contents::new(blobs),
            aside: Aside::default(),
            markers: options.markers,
            owners: options.owners.clone(),
            apart: AtomicU64::new(apart),
        };
        Ok(Self {
            root: options.root,
            shared: Arc::new(shared),
        })
    }

    /// Serves on `fuse`, an open `/dev/fuse` that is mounted or being mounted; returns when the kernel's first message is
    /// answered. `processes` is a procfs of the pid namespace in which the mount was made: with it the server keeps to the processor
    /// of who asks. The server belongs outside of the mount's namespaces: inside, it would keep them alive.
    pub fn serve(self, fuse: OwnedFd, processes: Option<OwnedFd>) -> Result<Session, ServeError> {
        let follow = Arc::new(Follow::new(processes));
        let served = Arc::new(Served::new(self.shared));
        let server = run(TreeFs::new(served.clone(), follow.clone()), fuse)?;
        Ok(Session {
            root: self.root,
            served,
            follow: NoRest(follow),
            servers: vec![server],
        })
    }
}

/// What answers on one connection.
struct Serves {
    thread: JoinHandle<io::Result<()>>,
    line: Arc<Line>,
}

/// Answers on a connection, in threads of its own.
fn run(fs: impl Filesystem, fuse: OwnedFd) -> Result<Serves, ServeError> {
    let line = Line::new(&fuse).map_err(ServeError::Handshake)?;
    let mut config = fuser::Config::default();
    config.n_threads = Some(Connection::THREADS as usize);
    // The default access list refuses, in user space, whoever is not the server's own user.
    let fuse = fuser::Session::from_fd(fs, fuse, SessionACL::All, config).map_err(ServeError::Handshake)?;
    let serving = line.serving();
    let thread = thread::Builder::new().name("rootfs".into()).spawn(|| {
        let _serving = serving;
        fuse.run()
    });
    Ok(Serves {
        thread: thread.map_err(ServeError::Handshake)?,
        line,
    })
}

/// A server at work. It ends by itself when the last process that can see the mount is gone.
pub struct Session {
    root: u16,
    served: Arc<Served>,
    follow: NoRest,
    servers: Vec<Serves>,
}

/// Lets no thread rest once it is dropped: a connection's end wakes only those that wait for requests.
struct NoRest(Arc<Follow>);

impl Drop for NoRest {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Session {
    fn shared(&self) -> &Shared {
        self.served.now()
    }

    /// Serves what `server` would from now on, in mounts that were made and not yet looked into. Gives it back where they do not suit it.
    pub fn serve_instead(&self, server: Server) -> Result<(), Server> {
        let root = server.root;
        if root != self.root {
            return Err(server);
        }
        self.served
            .change_to(server.shared)
            .map_err(|shared| Server { root, shared })
    }

    /// Whether large files are not in what is served, but in a layer of their own, which has to be there before anybody looks for one:
    /// [`Self::serve_large`], or [`Self::serve_all`].
    pub fn lacks_large(&self) -> bool {
        self.shared().apart.load(Ordering::Relaxed) < u64::MAX && self.servers.len() == 1
    }

    /// Serves large files on `fuse`, another open `/dev/fuse`: the lower layer [`TREE`](crate::beside::TREE), and
    /// [`DATA`](crate::beside::DATA), the lower layer of an overlay over the contents' directory that is the root's data-only layer.
    pub fn serve_large(&mut self, fuse: OwnedFd) -> Result<(), ServeError> {
        let server = run(LargeFs::new(self.served.clone(), self.follow.0.clone()), fuse)?;
        self.servers.push(server);
        Ok(())
    }

    /// Serves large files like all others, because the kernel refused the layers: before anything was looked up.
    pub fn serve_all(&self) {
        self.shared().apart.store(u64::MAX, Ordering::Relaxed);
    }

    /// What was asked, as [`finish`](Self::finish) says it, without waiting for anything: to be called once, when the last process of the step is
    /// gone and its mounts are not. None when that does not suffice to know that every request was answered as the tree says.
    pub fn asked(&self) -> Result<Option<PathSet>, ServeError> {
        let holds = self.servers.iter().all(|server| server.line.holds());
        let quiet = self.follow.0.is_quiet() && self.shared().aside.is_quiet();
        self.shared().health.verdict()?;
        Ok((holds && quiet).then(|| self.shared().nodes.take_path_set(self.root)))
    }

    /// Waits for the end of the connection and gives what was asked: to be recorded ([`PathSet::record`]) with the tree itself and not with
    /// what was served, for a mount point that the tree lacks was absent. Call it after the last process of the step is gone.
    /// An error means that some request was not answered as the tree says: the step's result must not be kept. After an
    /// abort this waits for contents that are still being fetched, so for as long as [`BlobOpen::open`] may take.
    pub fn finish(self) -> Result<PathSet, ServeError> {
        let shared = self.served.now().clone();
        drop(self.follow);
        let panicked = || io::Error::other("the server panicked");
        let mut ended = Ok(());
        for server in self.servers {
            ended = ended.and(server.thread.join().unwrap_or_else(|_| Err(panicked())));
        }
        if !shared.aside.finish() {
            ended = ended.and(Err(panicked()));
        }
        shared.health.verdict()?;
        ended.map_err(ServeError::Connection)?;
        Ok(shared.nodes.take_path_set(self.root))
    }

    /// A handle that ends the session from elsewhere.
    pub fn abort_handle(&self) -> Abort {
        Abort(self.shared().health.clone())
    }
}

/// Makes a session answer every request, waiting ones too, with an error, so that a killed process can die.
#[derive(Debug, Clone)]
pub struct Abort(Arc<Health>);

impl Abort {
    /// Does so. [`Session::finish`] then fails with [`ServeError::Aborted`].
    pub fn abort(&self) {
        self.0.abort();
    }
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
    /// The kernel asked about an inode that it was never told of.
    #[error("the kernel asked for inode {0}, which was never served")]
    UnknownNode(u64),
    /// Somebody called [`Abort::abort`].
    #[error("the root filesystem was taken away while the step ran")]
    Aborted,
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs::File};

    use wharf_tree::{
        Attrs, Dir, Entry, Mtime,
        readset::{Kind, Place},
    };

    use super::*;
    use crate::mounts::MountKind;

    struct NoBlobs;

    impl BlobOpen for NoBlobs {
        fn open(&self, _: &Digest) -> io::Result<File> {
            Err(io::ErrorKind::NotFound.into())
        }
    }

    fn server(attrs: Attrs, mtime: i64, file: &str) -> Server {
        let mtime = Mtime {
            secs: mtime,
            nanos: 0,
        };
        let tree = Tree {
            root: Entry::dir(attrs, mtime, Dir::default()),
            ..Tree::empty()
        };
        let options = ServeOptions {
            mounts: vec![MountPoint {
                path: TreePath::new(file).unwrap(),
                kind: MountKind::File,
            }],
            ..ServeOptions::default()
        };
        Server::new(&tree, Arc::new(NoBlobs), &options).unwrap()
    }

    #[test]
    fn another_tree_takes_the_place_of_one_whose_root_was_like_its_own() {
        let root = || Attrs::root(0o755);
        let served = Served::new(server(root(), 1, "first").shared);
        let node = |shared: &Shared| shared.nodes.get(crate::inodes::ROOT).unwrap();
        node(served.now()).ask(Kind::Stat);
        let named = BTreeMap::from([(b"user.name".to_vec(), b"value".to_vec())]);
        let with_xattr = Attrs {
            xattrs: Some(Arc::new(named)),
            ..root()
        };
        for other in [Attrs::root(0o700), with_xattr] {
            assert!(served.change_to(server(other, 1, "second").shared).is_err());
        }
        let has = |name: &str| node(served.now()).dir().unwrap().get(name.as_bytes()).is_some();
        assert!(has("first"));
        assert!(served.change_to(server(root(), 2, "second").shared).is_ok());
        assert!(has("second") && !has("first"));
        let asked = served.now().nodes.take_path_set(0);
        let top = Place {
            root: 0,
            path: TreePath::root(),
        };
        let kinds: Vec<_> = asked.get(&top).unwrap().kinds().collect();
        assert!(kinds.contains(&Kind::Stat), "{kinds:?}");
        assert!(
            served.change_to(server(root(), 2, "third").shared).is_err(),
            "once"
        );
    }

    #[test]
    fn a_tree_that_was_looked_into_stays() {
        let served = Served::new(server(Attrs::root(0o755), 1, "first").shared);
        served.now().nodes.missed(TreePath::new("gone").unwrap());
        assert!(
            served
                .change_to(server(Attrs::root(0o755), 1, "second").shared)
                .is_err()
        );
    }
}
