//! A process in its sandbox, seen from outside.

use std::{
    net::SocketAddr,
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{
    Exit, Io, Mount, Root, SandboxError, Spec,
    channel::Channel,
    launch::Launch,
    message::{Command, Order, Report, Role, Run, Users},
    net::Links,
};

/// A process that was started. The order of calls: [`fuse`](Self::fuse) and [`served`](Self::served) when its root is a FUSE
/// one, then [`ready`](Self::ready) if wanted, then [`wait`](Self::wait). Dropped before its end, it is killed, with everything
/// that it started.
#[derive(Debug)]
pub struct Running {
    launch: Launch,
    links: Links,
    /// Unix sockets outside, in the order of the mounts that lead to them.
    agents: Vec<PathBuf>,
    /// Whether there is a second FUSE connection, for large files.
    large: bool,
    ready: Option<Ready>,
    notes: Vec<String>,
    killed: Arc<AtomicBool>,
    end: Option<Exit>,
}

/// What is known when the surroundings stand and the program is about to be executed.
#[derive(Debug)]
pub struct Ready {
    /// The controlling side of the process's terminal, when it has one.
    pub terminal: Option<OwnedFd>,
    /// What was wanted and could not be had (limits, a way out of the network), one line each.
    pub notes: Vec<String>,
}

/// The connections of a FUSE root.
#[derive(Debug)]
pub struct Fuse {
    /// What is to be served.
    pub connection: OwnedFd,
    /// The second one, for what [`Large`](crate::Large) says, if the root says something of it.
    pub large: Option<OwnedFd>,
    /// A procfs in which the ids that requests carry are those of threads, where the kernel allowed one.
    pub processes: Option<OwnedFd>,
}

/// Ends a process from another thread.
#[derive(Debug, Clone)]
pub struct Killer {
    channel: Arc<Channel>,
    killed: Arc<AtomicBool>,
}

impl Running {
    pub(crate) fn new(launch: Launch, links: Links, spec: &Spec, notes: Vec<String>) -> Self {
        Self {
            launch,
            links,
            agents: agents(spec),
            large: matches!(&spec.root, Root::FuseOverlay { large: Some(_), .. }),
            ready: None,
            notes,
            killed: Arc::default(),
            end: None,
        }
    }

    /// The connections of the FUSE file systems that lie below the root: to be served *before* [`served`](Self::served) or
    /// [`served_in_layers`](Self::served_in_layers) is called.
    ///
    /// # Errors
    /// When the set-up failed, or the root is no FUSE one.
    pub fn fuse(&mut self) -> Result<Fuse, SandboxError> {
        match self.launch.hear()? {
            (Report::Fuse, files) => {
                let mut files = files.into_iter();
                let mut next = || {
                    files
                        .next()
                        .ok_or(SandboxError::OutOfOrder("the FUSE connection"))
                };
                Ok(Fuse {
                    connection: next()?,
                    large: if self.large { Some(next()?) } else { None },
                    processes: files.next(),
                })
            }
            _ => Err(SandboxError::OutOfOrder("the FUSE connection")),
        }
    }

    /// Says that requests on the first FUSE connection are answered, by another thread: the overlay is mounted over it, and the second
    /// one, if any, goes. Returns when the surroundings stand and the program is about to be executed.
    ///
    /// # Errors
    /// When the set-up failed.
    pub fn served(&mut self) -> Result<(), SandboxError> {
        self.launch.say(&Command::Served { large: false }, &[])?;
        self.settle()
    }

    /// Says that requests on both FUSE connections are answered: the overlay has the layer of large files. Where the kernel refuses that,
    /// `refused` is called, and from then on the first connection has to answer for large files too. Returns as [`served`](Self::served) does.
    ///
    /// # Errors
    /// When the set-up failed.
    pub fn served_in_layers(&mut self, refused: impl FnOnce()) -> Result<(), SandboxError> {
        self.launch.say(&Command::Served { large: true }, &[])?;
        match self.launch.hear()? {
            (Report::LayersRefused, _) => {
                refused();
                self.served()
            }
            other => self.settled(other),
        }
    }

    /// Says what is to be run in surroundings that were made ahead.
    pub(crate) fn order(&mut self, run: Run, spec: &Spec, io: Io) -> Result<(), SandboxError> {
        let order = Order {
            users: Users::Same,
            role: Role::Run(Box::new(run)),
        };
        let order = order.into_file().map_err(SandboxError::Channel)?;
        let Io {
            stdin,
            stdout,
            stderr,
        } = io;
        let files = [order.as_fd(), stdin.as_fd(), stdout.as_fd(), stderr.as_fd()];
        self.agents = agents(spec);
        self.launch.say(&Command::Order, &files)?;
        self.settle()
    }

    /// Waits until the surroundings stand, and opens the ways into them.
    pub(crate) fn settle(&mut self) -> Result<(), SandboxError> {
        let report = self.launch.hear()?;
        self.settled(report)
    }

    fn settled(&mut self, (report, files): (Report, Vec<OwnedFd>)) -> Result<(), SandboxError> {
        let (terminal, notes) = match report {
            Report::Ready { terminal, notes } => (terminal, notes),
            // It was made ahead.
            Report::Mounted => return Ok(()),
            _ => return Err(SandboxError::OutOfOrder("readiness")),
        };
        let mut files = files.into_iter();
        let terminal = if terminal { files.next() } else { None };
        self.links.open(files.zip(self.agents.drain(..)));
        self.notes.extend(notes);
        self.ready = Some(Ready {
            terminal,
            notes: std::mem::take(&mut self.notes),
        });
        Ok(())
    }

    /// What the set-up brought: once, and for a FUSE root only after [`served`](Self::served).
    pub fn ready(&mut self) -> Result<Ready, SandboxError> {
        self.ready.take().ok_or(SandboxError::OutOfOrder("readiness"))
    }

    /// Where the published ports listen, in the order of the specification.
    pub fn published(&self) -> &[SocketAddr] {
        self.links.published()
    }

    /// Sends a signal to the process; nothing happens when it has ended.
    pub fn signal(&self, signal: i32) -> Result<(), SandboxError> {
        self.launch.say(&Command::Signal(signal), &[])
    }

    /// What sends signals to the process, and ends it, from another thread.
    pub fn killer(&self) -> Killer {
        Killer {
            channel: self.launch.channel(),
            killed: Arc::clone(&self.killed),
        }
    }

    /// Waits until the process *and everything that it left running* is gone. What is mounted for it stays until [`wait`](Self::wait) is
    /// called or this is dropped, unless it was killed.
    pub fn ended(&mut self) -> Result<Exit, SandboxError> {
        if let Some(end) = &self.end {
            return Ok(end.clone());
        }
        let end = match self.launch.hear() {
            Ok((Report::Ended(exit), _)) => exit,
            Ok(_) => return Err(SandboxError::OutOfOrder("the end")),
            Err(SandboxError::Lost) if self.killed.load(Ordering::Relaxed) => Exit::Signal(KILL),
            Err(error) => return Err(error),
        };
        Ok(self.end.insert(end).clone())
    }

    /// Waits until the process and everything that it left running is gone and nothing of it is mounted any more.
    pub fn wait(mut self) -> Result<Exit, SandboxError> {
        let end = match self.ended() {
            // It may have said what failed.
            Err(SandboxError::Lost) => Err(SandboxError::Lost),
            end => Ok(end?),
        };
        self.launch.channel().finish();
        self.launch.wait()?;
        end
    }
}

fn agents(spec: &Spec) -> Vec<PathBuf> {
    let agent = |mount: &Mount| match mount {
        Mount::Socket { source, .. } => Some(source.clone()),
        _ => None,
    };
    spec.mounts.iter().filter_map(agent).collect()
}

/// SIGKILL.
const KILL: i32 = 9;

impl Killer {
    /// Ends the process and everything it started, at once. Its end is reported as [`Exit::Signal`] 9.
    pub fn kill(&self) {
        self.killed.store(true, Ordering::Relaxed);
        self.channel.finish();
    }

    /// Sends a signal to the process; nothing happens when it has ended.
    pub fn signal(&self, signal: i32) {
        // What has ended hears nothing, which is what was to be.
        let _ = self.channel.send(&Command::Signal(signal), &[]);
    }
}
