//! What the program and a sandbox's first processes say to each other.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    os::fd::OwnedFd,
    path::PathBuf,
};

use rustix::fs::{MemfdFlags, memfd_create};
use serde::{Deserialize, Serialize};

use crate::{Exit, SetupError, Spec, spec::raw};

/// What a started process is to be: the content of the file that comes with [`Command::Begin`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) users: Users,
    pub(crate) role: Role,
}

impl Order {
    /// A file that stands at the order's beginning; before it lie large contents.
    pub(crate) fn into_file(mut self) -> io::Result<OwnedFd> {
        let mut file = memory_file()?;
        if let Role::Run(run) = &mut self.role {
            run.spec.lay_contents_beside(&mut file)?;
        }
        let begin = file.stream_position()?;
        let text = postcard::to_stdvec(&self).map_err(io::Error::other)?;
        file.write_all(&text)?;
        file.seek(SeekFrom::Start(begin))?;
        Ok(file.into())
    }

    /// The order in such a file.
    pub(crate) fn from_file(file: &mut File) -> io::Result<Self> {
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        postcard::from_bytes(&text).map_err(io::Error::other)
    }
}

/// A file in memory.
pub(crate) fn memory_file() -> io::Result<File> {
    Ok(memfd_create("wharf", MemfdFlags::CLOEXEC)?.into())
}

/// Which user namespace it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Users {
    /// The caller's.
    Same,
    /// A new one, mapped by the caller while it waits.
    New,
    /// The one whose descriptor comes along.
    Join,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Role {
    /// Run a process.
    Run(Box<Run>),
    /// Call a part of the program.
    Inside { entry: String },
    /// Try what the machine allows.
    Probe {
        #[serde(with = "raw")]
        scratch: PathBuf,
    },
}

/// A process to run, and what the caller found out for it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) spec: Spec,
    /// Whether a procfs of its own may be mounted; if not, the caller's is bound and its pid namespace shared.
    pub(crate) own_processes: bool,
    /// Whether it is in a user namespace that is not the machine's first.
    pub(crate) user_xattrs: bool,
    /// Ids from 0 to below this one exist inside.
    pub(crate) ids: u64,
    /// The program that lays a way out of the network, where one is wanted and there is one.
    #[serde(with = "raw::option")]
    pub(crate) pasta: Option<PathBuf>,
    /// Filters, in the order of their installation.
    #[serde(with = "raw::list")]
    pub(crate) filters: Vec<Vec<u8>>,
    /// Whether this is for the surroundings alone, and what runs in them comes with [`Command::Order`].
    pub(crate) ahead: bool,
    /// For each mount, which of the directories it is that were made with the surroundings.
    pub(crate) made: Vec<Option<usize>>,
}

/// From the program.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Command {
    /// With the order's file, the three streams, the user namespace to be joined if any, the relay's socket if any.
    Begin,
    /// What is to be run in surroundings that were made ahead: with the order's file and the three streams.
    Order,
    /// The user namespace is mapped.
    Mapped,
    /// The first FUSE connection is served, and with `large` the second one too.
    Served { large: bool },
    /// For the process.
    Signal(i32),
}

/// To the program.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    /// The user namespace wants its map.
    Unmapped,
    /// Its own procfs is refused; the sandbox is gone.
    ProcfsRefused,
    /// The namespaces are made.
    Begun,
    /// With the FUSE connections, one or two, and the procfs of the sandbox, if it has its own.
    Fuse,
    /// The kernel does not layer large files: the first connection has to serve them.
    LayersRefused,
    /// The root is mounted, and what is to be run in it is waited for.
    Mounted,
    /// With the terminal if it has one, then the listening sockets of the agents.
    Ready {
        terminal: bool,
        /// What was wanted and could not be had.
        notes: Vec<String>,
    },
    /// The process ended, and nothing runs that it left.
    Ended(Exit),
    /// The set-up failed; the sandbox is gone.
    Failed(SetupError),
    /// What [`Role::Probe`] found.
    Probed(Vec<crate::host::Trial>),
}
