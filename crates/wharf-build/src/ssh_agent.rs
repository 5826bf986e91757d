//! An SSH agent for the keys of `--ssh ID=KEY`: it lives as long as the build and only signs.
//!
//! The keys stay in this process: a step reaches the agent through a socket and can have data signed, as it can with a forwarded
//! agent, but can neither read, add nor remove a key.

mod key;
mod protocol;
mod short_number;

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    os::{
        fd::AsRawFd as _,
        unix::net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use rustix::net::{Shutdown, shutdown};
use wharf_store::{Store, StoreError, WorkDir};

use key::Key;
pub use key::SshKeyError;

/// OpenSSH's own limit of a message (`AGENT_MAX_LEN`).
const MAX_MESSAGE: usize = 256 * 1024;

/// A running agent. Dropped, it is gone.
#[derive(Debug)]
pub struct KeyAgent {
    listener: Arc<UnixListener>,
    socket: PathBuf,
    // Keeps the path of the socket alive.
    _directory: File,
    _place: WorkDir,
}

/// An agent could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SshAgentError {
    /// A key cannot be used.
    #[error(transparent)]
    Key(#[from] SshKeyError),
    /// No place for its socket.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its socket cannot be made.
    #[error("cannot listen for ssh agent {id}")]
    Listen {
        /// The agent.
        id: String,
        /// Why.
        source: io::Error,
    },
}

impl SshAgentError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Key(error) => error.hint(),
            Self::Store(_) | Self::Listen { .. } => None,
        }
    }
}

impl KeyAgent {
    /// Reads the keys and serves them. Every key must be readable and without a passphrase.
    pub fn start(id: &str, paths: &[PathBuf], store: &Store) -> Result<Self, SshAgentError> {
        let keys = paths
            .iter()
            .map(|path| Key::read(path))
            .collect::<Result<Vec<_>, _>>()?;
        let place = store.work_dir()?;
        let (directory, socket, listener) = listen(place.path()).map_err(|source| SshAgentError::Listen {
            id: id.to_owned(),
            source,
        })?;
        let listener = Arc::new(listener);
        accept_all(Arc::clone(&listener), keys.into());
        Ok(Self {
            listener,
            socket,
            _directory: directory,
            _place: place,
        })
    }

    /// Where it listens; the path means something in this process only.
    pub fn socket(&self) -> &Path {
        &self.socket
    }
}

impl Drop for KeyAgent {
    fn drop(&mut self) {
        // Wakes the thread that waits there.
        let _ = shutdown(&*self.listener, Shutdown::Both);
    }
}

/// A socket's path may have 107 bytes and a store lie deeper than that, so it is named by way of its open directory. Scratch
/// directories are for their owner only.
fn listen(place: &Path) -> io::Result<(File, PathBuf, UnixListener)> {
    let directory = File::open(place)?;
    let socket = PathBuf::from(format!("/proc/self/fd/{}/agent", directory.as_raw_fd()));
    let listener = UnixListener::bind(&socket)?;
    Ok((directory, socket, listener))
}

fn accept_all(listener: Arc<UnixListener>, keys: Arc<[Key]>) {
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let keys = Arc::clone(&keys);
            // A connection ends when its other side goes or does not keep to the protocol.
            thread::spawn(move || converse(&stream, &keys));
        }
    });
}

fn converse(mut stream: &UnixStream, keys: &[Key]) -> io::Result<()> {
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length) as usize;
        if length > MAX_MESSAGE {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut message = vec![0; length];
        stream.read_exact(&mut message)?;
        let answer = protocol::answer(keys, &message);
        let length = (answer.len() as u32).to_be_bytes();
        stream.write_all(&[&length[..], &answer].concat())?;
    }
}
