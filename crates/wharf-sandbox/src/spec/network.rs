//! The network that a process sees.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// The network that a process sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// The caller's own.
    Host,
    /// A loopback device and nothing else.
    None,
    /// One of its own, with ways in and, where possible, out.
    Private(Private),
}

/// A network namespace of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Private {
    /// TCP ports that lead in.
    pub publish: Vec<Publish>,
    /// Whether a way out is wanted; what became of it says [`Ready::notes`](crate::Ready::notes).
    pub egress: bool,
}

/// A TCP port outside that leads to one inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publish {
    /// Where to listen; port 0 takes any free one ([`Running::published`](crate::Running::published) says which).
    pub host: SocketAddr,
    /// The port inside, on the loopback device.
    pub container: u16,
}
