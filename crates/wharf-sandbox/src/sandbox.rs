//! Starting processes: the program starts itself again as each one's first.

use std::path::PathBuf;

use crate::{Io, Running, SandboxError, Spec, identity::Identity};

/// What may vary between machines and tests.
#[derive(Debug, Clone)]
pub struct Options {
    /// The program whose `main` begins with [`init_if_asked`](crate::init_if_asked).
    pub program: PathBuf,
    /// Where `newuidmap`, `newgidmap` and `pasta` are searched.
    pub tools: Vec<PathBuf>,
    /// Where `passwd`, `subuid` and `subgid` lie.
    pub etc: PathBuf,
    /// Whether subordinate ids are used where there are some.
    pub subordinate_ids: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            program: "/proc/self/exe".into(),
            tools: ["/usr/local/bin", "/usr/bin", "/bin"].map(PathBuf::from).to_vec(),
            etc: "/etc".into(),
            subordinate_ids: true,
        }
    }
}

/// Starts processes. One value serves a whole program, from any thread: it keeps the user namespace that its processes share.
#[derive(Debug)]
pub struct Sandbox {
    identity: Identity,
}

impl Sandbox {
    /// Looks at who the caller is; makes nothing yet.
    pub fn new(_options: Options) -> Self {
        Self {
            identity: Identity::Root,
        }
    }

    /// How ids inside relate to ids outside.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether overlays keep their marks in `user.overlay.*` and not in `trusted.overlay.*`.
    pub fn user_xattrs(&self) -> bool {
        false
    }

    /// Starts a process. It runs as soon as its root stands: for a FUSE root, [`Running::fuse_fd`] comes first.
    pub fn start(&self, _spec: &Spec, _io: Io) -> Result<Running, SandboxError> {
        Err(SandboxError::OutOfOrder("a start"))
    }
}
