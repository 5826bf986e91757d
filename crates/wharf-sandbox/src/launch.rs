//! The beginning of a sandbox: the program starts itself, sends the order, and maps the user namespace.

use std::{
    fs::File,
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::process::{CommandExt, ExitStatusExt},
    },
    path::Path,
    process::{Child, Stdio},
    sync::Arc,
};

use crate::{
    Exit, SandboxError,
    cgroup::Cgroup,
    channel::Channel,
    identity::{IdMap, Mapper},
    init::NAME,
    message::{Command, Order, Report, Role, Users},
};

/// What a new process is told and given.
pub(crate) struct Orders<'a> {
    pub(crate) role: Role,
    pub(crate) streams: [BorrowedFd<'a>; 3],
    /// The inner end of the relay, where there is one.
    pub(crate) relay: Option<OwnedFd>,
    /// Where it is put, with all that it starts.
    pub(crate) cgroup: Option<Cgroup>,
}

/// A started process and the way to talk with it. Dropped, it is ended.
#[derive(Debug)]
pub(crate) struct Launch {
    channel: Arc<Channel>,
    child: Child,
    /// Goes after the process.
    cgroup: Option<Cgroup>,
}

/// What came of a start.
pub(crate) enum Began {
    Running(Launch),
    /// The kernel refused a procfs; nothing is left of the attempt.
    ProcfsRefused,
}

impl Launch {
    /// Starts the program again. Nothing of the caller's environment goes along, and of its descriptors the channel only.
    pub(crate) fn start(
        program: &Path,
        orders: Orders<'_>,
        users: Users,
        namespace: Option<&OwnedFd>,
    ) -> Result<Self, SandboxError> {
        let order = Order {
            users,
            role: orders.role,
        };
        let order = order.into_file().map_err(SandboxError::Channel)?;
        let (channel, theirs) = Channel::pair().map_err(SandboxError::Channel)?;
        let child = std::process::Command::new(program)
            .arg0(NAME)
            .env_clear()
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(SandboxError::Spawn)?;
        let launch = Self {
            channel: Arc::new(channel),
            child,
            cgroup: orders.cgroup,
        };
        if let Some(cgroup) = &launch.cgroup {
            cgroup.add(launch.pid())?;
        }
        let mut files = vec![order.as_fd()];
        files.extend(orders.streams);
        files.extend(namespace.map(AsFd::as_fd));
        files.extend(orders.relay.as_ref().map(AsFd::as_fd));
        launch.say(&Command::Begin, &files)?;
        Ok(launch)
    }

    /// The process's number outside.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The end of the channel that ends the process when it is finished.
    pub(crate) fn channel(&self) -> Arc<Channel> {
        Arc::clone(&self.channel)
    }

    pub(crate) fn say(&self, command: &Command, files: &[BorrowedFd<'_>]) -> Result<(), SandboxError> {
        match self.channel.send(command, files) {
            // It is gone; why, it has said before.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            sent => sent.map_err(SandboxError::Channel),
        }
    }

    /// The next report; what failed is an error, the end of the channel is [`SandboxError::Lost`].
    pub(crate) fn hear(&self) -> Result<(Report, Vec<OwnedFd>), SandboxError> {
        match self.channel.receive().map_err(SandboxError::Channel)? {
            Some((Report::Failed(error), _)) => Err(error.into()),
            Some(report) => Ok(report),
            None => Err(SandboxError::Lost),
        }
    }

    /// Maps the new user namespace of the process; returns it for others to join.
    pub(crate) fn map_users(&mut self, map: &IdMap, mapper: Mapper<'_>) -> Result<OwnedFd, SandboxError> {
        let (Report::Unmapped, _) = self.hear()? else {
            return Err(SandboxError::OutOfOrder("a map of ids"));
        };
        mapper.write(self.pid(), map)?;
        let namespace = File::open(format!("/proc/{}/ns/user", self.pid())).map_err(SandboxError::Channel)?;
        self.say(&Command::Mapped, &[])?;
        Ok(namespace.into())
    }

    /// Waits until the namespaces are made.
    pub(crate) fn begin(self) -> Result<Began, SandboxError> {
        match self.hear()?.0 {
            Report::Begun => Ok(Began::Running(self)),
            Report::ProcfsRefused => Ok(Began::ProcfsRefused),
            _ => Err(SandboxError::OutOfOrder("a beginning")),
        }
    }

    /// Waits for the process, which is about to end by itself: how it did, unless it could say what failed.
    pub(crate) fn wait(mut self) -> Result<Exit, SandboxError> {
        let status = self.child.wait().map_err(SandboxError::Channel)?;
        match self.hear() {
            Err(error @ SandboxError::Setup(_)) => Err(error),
            _ => Ok(status.code().map_or_else(
                || Exit::Signal(status.signal().unwrap_or_default()),
                |code| Exit::Code(code as u8),
            )),
        }
    }
}

impl Drop for Launch {
    fn drop(&mut self) {
        self.channel.finish();
        // An error would mean that it was reaped already.
        let _ = self.child.wait();
    }
}
