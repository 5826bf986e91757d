//! What can go wrong before a process runs; how it ended is no error.

use std::{fmt, io, path::PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{cgroup::CgroupError, seccomp::ProfileError, spec::raw};

/// Why a process could not be started or watched.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// The program could not start itself again.
    #[error("cannot start the sandbox's first process")]
    Spawn(#[source] io::Error),
    /// The channel to the sandbox broke.
    #[error("lost the channel to the sandbox")]
    Channel(#[source] io::Error),
    /// The sandbox ended without saying how the process did: it was killed from outside, or ran out of memory.
    #[error("the sandbox was ended from outside")]
    Lost,
    /// The ids of the user namespace could not be mapped.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The seccomp profile is not usable.
    #[error("the seccomp profile cannot be used")]
    Profile(#[from] ProfileError),
    /// A published port could not be listened on.
    #[error("cannot listen on {address}")]
    Publish {
        /// The address outside.
        address: std::net::SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The process's surroundings could not be made.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The process could not be put into its cgroup.
    #[error("cannot limit the process")]
    Limits(#[from] CgroupError),
    /// A request came at the wrong time: a mistake of the caller's.
    #[error("{0} was asked for at the wrong time")]
    OutOfOrder(&'static str),
}

/// Why the ids of a user namespace could not be mapped.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// `newuidmap` or `newgidmap` refused.
    #[error("{tool} refused to map the subordinate ids: {message}")]
    Refused {
        /// The program.
        tool: PathBuf,
        /// What it said.
        message: String,
    },
    /// A program could not be started, or a file of the namespace could not be written.
    #[error("cannot use {tool}")]
    Run {
        /// The program or file.
        tool: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A step of the set-up that the kernel refused.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
#[error("cannot {action}{}: {}", At(path), Errno(*errno))]
pub struct SetupError {
    /// What was tried, in words.
    pub action: String,
    /// On what, where there is a path.
    #[serde(with = "raw")]
    pub path: PathBuf,
    /// The kernel's answer (errno(3)); 0: there was none.
    pub errno: i32,
}

impl SetupError {
    pub(crate) fn new(
        action: impl Into<String>,
        path: impl Into<PathBuf>,
        errno: impl Into<io::Error>,
    ) -> Self {
        Self {
            action: action.into(),
            path: path.into(),
            errno: errno.into().raw_os_error().unwrap_or(0),
        }
    }
}

struct At<'a>(&'a PathBuf);

impl fmt::Display for At<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.as_os_str().is_empty() {
            return Ok(());
        }
        write!(out, " {}", self.0.display())
    }
}

struct Errno(i32);

impl fmt::Display for Errno {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return out.write_str("unexpected end");
        }
        write!(out, "{}", io::Error::from_raw_os_error(self.0))
    }
}

/// Says of a result what was tried, and on what.
pub(crate) trait Doing<T> {
    fn doing(self, action: &str, path: impl Into<PathBuf>) -> Result<T, SetupError>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, action: &str, path: impl Into<PathBuf>) -> Result<T, SetupError> {
        self.map_err(|errno| SetupError::new(action, path, errno))
    }
}
