//! Ports outside that lead to ports inside, and sockets inside that lead to sockets outside.
//!
//! A connection that comes in needs a socket of the namespace: pid 1 makes it there and hands it out, so that no thread of the
//! program ever changes its namespace.

use std::{
    io::{self, IoSliceMut},
    mem::MaybeUninit,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::{UnixListener, UnixStream},
    },
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use rustix::{
    io::{Errno, write},
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, Shutdown, SocketFlags,
        SocketType, connect, recvmsg, shutdown, socketpair,
    },
};

use super::pump::{join, spawn};
use crate::{Network, SandboxError};

/// What is listened on for a process. Dropped, nothing new comes in.
#[derive(Debug)]
pub(crate) struct Links {
    published: Vec<SocketAddr>,
    ports: Vec<(Arc<OwnedFd>, u16)>,
    agents: Vec<Arc<OwnedFd>>,
    door: Option<Arc<Door>>,
}

impl Links {
    /// Listens on the published ports; gives the inner end of the relay.
    pub(crate) fn lay(network: &Network) -> Result<(Self, Option<OwnedFd>), SandboxError> {
        let publish = match network {
            Network::Private(private) => private.publish.as_slice(),
            Network::Host | Network::None => &[],
        };
        let mut links = Self {
            published: Vec::new(),
            ports: Vec::new(),
            agents: Vec::new(),
            door: None,
        };
        for port in publish {
            let failed = |source| SandboxError::Publish {
                address: port.host,
                source,
            };
            let listener = TcpListener::bind(port.host).map_err(failed)?;
            links.published.push(listener.local_addr().map_err(failed)?);
            links.ports.push((Arc::new(listener.into()), port.container));
        }
        if publish.is_empty() {
            return Ok((links, None));
        }
        let (door, inner) = Door::pair().map_err(SandboxError::Channel)?;
        links.door = Some(Arc::new(door));
        Ok((links, Some(inner)))
    }

    pub(crate) fn published(&self) -> &[SocketAddr] {
        &self.published
    }

    /// Lets connections in, and those of `agents` (listening sockets inside, and where they lead) out.
    pub(crate) fn open(&mut self, agents: impl Iterator<Item = (OwnedFd, PathBuf)>) {
        if let Some(door) = &self.door {
            for (listener, port) in &self.ports {
                let (door, port) = (Arc::clone(door), *port);
                serve(Arc::clone(listener), move || door.connect(port), accept_tcp);
            }
        }
        for (listener, path) in agents {
            let listener = Arc::new(listener);
            self.agents.push(Arc::clone(&listener));
            serve(
                listener,
                move || UnixStream::connect(&path).map(Into::into),
                accept_unix,
            );
        }
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        for listener in self
            .ports
            .iter()
            .map(|(listener, _)| listener)
            .chain(&self.agents)
        {
            // Wakes the thread that waits there; an error means that there is none.
            let _ = shutdown(listener, Shutdown::Both);
        }
    }
}

/// Joins each connection that `accept` finds to a new one of `open`, until the listener is shut down.
fn serve(
    listener: Arc<OwnedFd>,
    open: impl Fn() -> io::Result<OwnedFd> + Send + 'static,
    accept: fn(&OwnedFd) -> io::Result<OwnedFd>,
) {
    let work = move || {
        while let Ok(outer) = accept(&listener) {
            // Nobody listens on the other side, or no thread can be had: the connection is closed again.
            let _ = open().and_then(|inner| join(outer, inner));
        }
    };
    // Without a thread nothing is let in, as if the port were closed.
    let _ = spawn("links", work);
}

fn accept_tcp(listener: &OwnedFd) -> io::Result<OwnedFd> {
    let (stream, _) = TcpListener::from(listener.try_clone()?).accept()?;
    stream.set_nodelay(true)?;
    Ok(stream.into())
}

fn accept_unix(listener: &OwnedFd) -> io::Result<OwnedFd> {
    let (stream, _) = UnixListener::from(listener.try_clone()?).accept()?;
    Ok(stream.into())
}

/// Where sockets of the namespace come from: one at a time.
#[derive(Debug)]
struct Door(Mutex<OwnedFd>);

impl Door {
    fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        Ok((Self(Mutex::new(ours)), theirs))
    }

    /// A connection to a port of the namespace's loopback device.
    fn connect(&self, port: u16) -> io::Result<OwnedFd> {
        let four = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let six = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
        let attempt = |version, address: SocketAddr| {
            let socket = self.socket(version)?;
            connect(&socket, &address)?;
            rustix::net::sockopt::set_tcp_nodelay(&socket, true)?;
            Ok(socket)
        };
        attempt(*b"4", four).or_else(|error| attempt(*b"6", six).map_err(|_: io::Error| error))
    }

    fn socket(&self, version: [u8; 1]) -> io::Result<OwnedFd> {
        let door = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        write(door.as_fd(), &version)?;
        let mut answer = [0];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        recvmsg(
            &*door,
            &mut [IoSliceMut::new(&mut answer)],
            &mut control,
            RecvFlags::CMSG_CLOEXEC,
        )?;
        let socket = control.drain().find_map(|part| match part {
            RecvAncillaryMessage::ScmRights(mut files) => files.next(),
            _ => None,
        });
        socket.ok_or_else(|| Errno::CONNREFUSED.into())
    }
}
