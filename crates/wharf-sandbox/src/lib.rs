//! One process in a root: namespaces, id maps, mounts, capabilities, seccomp, limits.
//!
//! A [`Spec`] says what is to run and what it sees; a [`Sandbox`] starts it and gives a [`Running`], which ends in an [`Exit`].
//! Nothing is forked in the caller's process: the program starts itself again, and [`init_if_asked`], which `main` calls first of
//! all, takes over there. What the root is made of is the caller's business (see [`Root`]).

mod ahead;
mod caps;
mod cgroup;
mod channel;
mod error;
mod exit;
pub mod host;
mod identity;
mod init;
mod inside;
mod io;
mod kernel;
mod launch;
mod message;
mod net;
mod running;
mod sandbox;
pub mod seccomp;
mod spec;

pub use ahead::Ahead;
pub use caps::Capabilities;
pub use cgroup::CgroupError;
pub use error::{IdentityError, SandboxError, SetupError};
pub use exit::{ExecError, Exit};
pub use identity::{IdMap, IdRange, Identity};
pub use init::{init_if_asked, init_if_asked_with};
pub use inside::Entry;
pub use io::Io;
pub use running::{Fuse, Killer, Ready, Running};
pub use sandbox::{Options, Sandbox};
pub use seccomp::Seccomp;
pub use spec::{
    Content, Emulator, Large, Limits, Mount, Network, Private, Publish, Resource, Root, Spec, SyntheticFile,
    TerminalSize, Ulimit,
};
