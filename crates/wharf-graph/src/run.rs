//! RUN: a process, what it sees and what is mounted into its root.

use std::sync::Arc;

use crate::step::Input;

/// A process on a root.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RunOp {
    /// Program and arguments, the shell already before a shell form. A program without `/` is searched in the step's PATH.
    pub args: Vec<String>,
    /// The environment, in order: what the image sets, ENV, and ARG values. Proxy variables are in [`RunOp::proxy`].
    pub env: Arc<[(String, String)]>,
    /// Proxy variables of `--build-arg`, set unless `env` has them; never part of a key, nor of the image.
    pub proxy: Arc<[(String, String)]>,
    /// Absolute and normalised. A missing one is made, as runc makes it.
    pub cwd: String,
    /// `user[:group]`, names or numbers, to be looked up in the root's `/etc/passwd` and `/etc/group`; empty is root.
    pub user: String,
    /// In the order in which they are made: directories and files by their targets, so that one inside another comes after it
    /// and of two at one target the later lies on top; then secrets and agents in the order written.
    pub mounts: Vec<Mount>,
    /// Which network it sees.
    pub network: NetworkMode,
    /// What it may do.
    pub security: SecurityMode,
    /// The host name; `None` is the builder's constant one.
    pub hostname: Option<String>,
    /// More lines of `/etc/hosts`.
    pub extra_hosts: Vec<HostAlias>,
    /// Bytes of `/dev/shm`; `None` is Docker's default, 64 MiB.
    pub shm_size: Option<u64>,
    /// Resource limits.
    pub ulimits: Vec<Ulimit>,
}

/// `RUN --network`, `--network`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum NetworkMode {
    /// The builder's way to the world.
    #[default]
    Default,
    /// Loopback only.
    None,
    /// The host's own network.
    Host,
}

/// `RUN --security`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum SecurityMode {
    /// Docker's capabilities and seccomp profile.
    #[default]
    Sandbox,
    /// All capabilities, no profile; needs the user's leave.
    Insecure,
}

/// A name for `/etc/hosts`: `--add-host`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostAlias {
    /// The name.
    pub host: String,
    /// Its address.
    pub address: std::net::IpAddr,
}

/// A resource limit: `--ulimit NAME=SOFT[:HARD]`; -1 is no limit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ulimit {
    /// As `setrlimit` names it, without `RLIMIT_`, in lower case: `nofile`.
    pub name: String,
    /// What the process starts with.
    pub soft: i64,
    /// What it may raise it to.
    pub hard: i64,
}

/// Something in the root that is not the root's. None of it reaches the layer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Mount {
    /// A directory or file of another input.
    Bind(BindMount),
    /// A directory that outlives builds.
    Cache(CacheMount),
    /// An empty directory in memory.
    Tmpfs(TmpfsMount),
    /// A secret, as a file, a variable, or both.
    Secret(SecretMount),
    /// The user's SSH agent.
    Ssh(SshMount),
    /// A read-only directory that holds one file: a heredoc with a shebang.
    Script(ScriptMount),
}

/// `--mount=type=bind`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BindMount {
    /// Absolute and normalised, never `/`.
    pub target: String,
    /// Where the files come from.
    pub input: Input,
    /// What of it is mounted: absolute and normalised.
    pub source: String,
    /// Otherwise writes work and are thrown away.
    pub read_only: bool,
}

/// `--mount=type=cache`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CacheMount {
    /// Absolute and normalised, never `/`.
    pub target: String,
    /// Which cache; the normalised target when nothing else was said.
    pub id: String,
    /// Who else may use it meanwhile.
    pub sharing: Sharing,
    /// What a new cache starts with: a path (absolute and normalised) of another input.
    pub seed: Option<(Input, String)>,
    /// Whether writes are refused.
    pub read_only: bool,
    /// Of a new cache's directory; `None` is root's and 0755, or as it is in the seed.
    pub owner: Option<FileOwner>,
}

/// Who may use a cache mount at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Sharing {
    /// Everybody.
    #[default]
    Shared,
    /// One step at a time; others get a cache of their own.
    Private,
    /// One step at a time; others wait.
    Locked,
}

/// Owner and permission bits of a file that the builder makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileOwner {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Permission bits.
    pub mode: u32,
}

/// `--mount=type=tmpfs`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TmpfsMount {
    /// Absolute and normalised, never `/`.
    pub target: String,
    /// In bytes; `None` is the kernel's default.
    pub size: Option<u64>,
    /// Whether writes are refused.
    pub read_only: bool,
}

/// `--mount=type=secret`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SecretMount {
    /// Which secret of the user's.
    pub id: String,
    /// The file that holds it, absolute; `None` when it is a variable only.
    pub target: Option<String>,
    /// The variable that holds it.
    pub env: Option<String>,
    /// Whether the step fails without it; else it is left out.
    pub required: bool,
    /// Of the file.
    pub owner: FileOwner,
}

/// `--mount=type=ssh`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SshMount {
    /// Which agent of the user's: `default` when nothing was said.
    pub id: String,
    /// The socket, absolute; `None` is `/run/buildkit/ssh_agent.<number of the mount among the step's ssh mounts>`.
    /// `SSH_AUTH_SOCK` names the first one.
    pub target: Option<String>,
    /// Whether the step fails without it; else it is left out.
    pub required: bool,
    /// Of the socket.
    pub owner: FileOwner,
}

/// A heredoc that is run as a file of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ScriptMount {
    /// The directory: absolute, never `/`.
    pub target: String,
    /// The file's name in it.
    pub name: String,
    /// The file's content; its mode is 0755.
    pub content: String,
}

impl Mount {
    /// Where it appears in the root; `None` for a secret that is a variable only and for an SSH agent at its default place.
    pub fn target(&self) -> Option<&str> {
        match self {
            Self::Bind(BindMount { target, .. })
            | Self::Cache(CacheMount { target, .. })
            | Self::Tmpfs(TmpfsMount { target, .. })
            | Self::Script(ScriptMount { target, .. }) => Some(target),
            Self::Secret(secret) => secret.target.as_deref(),
            Self::Ssh(ssh) => ssh.target.as_deref(),
        }
    }

    /// The input whose files it shows.
    pub const fn input(&self) -> Option<Input> {
        match self {
            Self::Bind(bind) => Some(bind.input),
            Self::Cache(CacheMount {
                seed: Some((input, _)),
                ..
            }) => Some(*input),
            _ => None,
        }
    }
}
