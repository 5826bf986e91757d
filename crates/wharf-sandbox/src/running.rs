//! A process in its sandbox, seen from outside.

use std::{net::SocketAddr, os::fd::OwnedFd};

use crate::{Exit, SandboxError};

/// A process that was started. The order of calls: [`fuse_fd`](Self::fuse_fd) and [`served`](Self::served) when its root is a FUSE
/// one, then [`ready`](Self::ready) if wanted, then [`wait`](Self::wait). Dropped before its end, it is killed.
#[derive(Debug)]
pub struct Running {}

/// What is known when the surroundings stand and the program is about to be executed.
#[derive(Debug)]
pub struct Ready {
    /// The controlling side of the process's terminal, when it has one.
    pub terminal: Option<OwnedFd>,
    /// What was wanted and could not be had (limits, a way out of the network), one line each.
    pub notes: Vec<String>,
}

/// Ends a process from another thread.
#[derive(Debug, Clone)]
pub struct Killer {}

impl Running {
    /// The connection of the FUSE file system that lies below the root: to be served *before* [`served`](Self::served) is called.
    ///
    /// # Errors
    /// When the set-up failed, or the root is no FUSE one.
    pub fn fuse_fd(&mut self) -> Result<OwnedFd, SandboxError> {
        Err(SandboxError::OutOfOrder("the FUSE connection"))
    }

    /// Says that requests on the FUSE connection are answered: the overlay is mounted and the process goes on.
    pub fn served(&mut self) -> Result<(), SandboxError> {
        Err(SandboxError::OutOfOrder("the FUSE connection"))
    }

    /// Waits until the surroundings stand.
    pub fn ready(&mut self) -> Result<Ready, SandboxError> {
        Err(SandboxError::OutOfOrder("readiness"))
    }

    /// Where the published ports listen, in the order of the specification.
    pub fn published(&self) -> &[SocketAddr] {
        &[]
    }

    /// Sends a signal to the process.
    pub fn signal(&self, _signal: i32) -> Result<(), SandboxError> {
        Err(SandboxError::OutOfOrder("a signal"))
    }

    /// What ends the process from another thread.
    pub fn killer(&self) -> Killer {
        Killer {}
    }

    /// Waits until the process *and everything that it left running* is gone and nothing of it is mounted any more.
    pub fn wait(self) -> Result<Exit, SandboxError> {
        Err(SandboxError::OutOfOrder("the end"))
    }
}

impl Killer {
    /// Ends the process and everything it started, at once. Its end is reported as [`Exit::Signal`] 9.
    pub fn kill(&self) {}
}
