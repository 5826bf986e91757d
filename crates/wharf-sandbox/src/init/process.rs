//! The last steps of the process that becomes what was asked for.

use std::{
    io::{PipeReader, Read},
    os::fd::{AsFd, OwnedFd},
};

use rustix::{
    fs::{FileType, Gid, Mode, Uid, fchown, fstat},
    process::{chdir, ioctl_tiocsctty, setrlimit, setsid, umask},
    stdio::{dup2_stderr, dup2_stdin, dup2_stdout},
};
use serde::{Deserialize, Serialize};

use super::{credentials, exec};
use crate::{Resource, SetupError, Spec, Ulimit, error::Doing, exit::ExecError, kernel, message::Run};

/// What the process reads and writes.
pub(super) enum Streams {
    /// Standard input, output and error.
    Given([OwnedFd; 3]),
    /// One terminal for all.
    Terminal(OwnedFd),
}

/// Why it did not become what was asked for.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Failure {
    Setup(SetupError),
    Execution(ExecError),
}

impl From<SetupError> for Failure {
    fn from(error: SetupError) -> Self {
        Failure::Setup(error)
    }
}

/// What the process says through the pipe that closes when it becomes another program.
pub(super) fn failure(mut pipe: PipeReader) -> Option<Failure> {
    let mut text = Vec::new();
    pipe.read_to_end(&mut text).ok()?;
    postcard::from_bytes(&text).ok()
}

/// Becomes what was asked for; returns only the reason why not.
pub(super) fn become_it(run: &Run, streams: &Streams) -> Failure {
    match prepare(run, streams) {
        Ok(()) => Failure::Execution(exec::search_and_execute(&run.spec)),
        Err(failure) => failure.into(),
    }
}

fn prepare(run: &Run, streams: &Streams) -> Result<(), SetupError> {
    let spec = &run.spec;
    setsid().doing("start a session", "")?;
    connect(streams, spec).doing("connect the streams", "")?;
    kernel::leave_keyring();
    for limit in &spec.ulimits {
        set_limit(limit)?;
    }
    chdir(&spec.cwd).doing("change to the working directory", &spec.cwd)?;
    umask(Mode::from_raw_mode(0o022));
    kernel::reset_signals();
    kernel::close_others_on_exec().doing("close descriptors", "")?;
    credentials::take(run)
}

fn connect(streams: &Streams, spec: &Spec) -> rustix::io::Result<()> {
    let (stdin, stdout, stderr) = match streams {
        Streams::Terminal(terminal) => {
            ioctl_tiocsctty(terminal)?;
            (terminal, terminal, terminal)
        }
        Streams::Given([stdin, stdout, stderr]) => (stdin, stdout, stderr),
    };
    for stream in [stdin, stdout, stderr] {
        give_pipe(stream, spec);
    }
    dup2_stdin(stdin)?;
    dup2_stdout(stdout)?;
    dup2_stderr(stderr)
}

/// Lets the user open `/dev/stdout` again when it is a pipe, as runc does. Files and terminals of the caller stay its own.
fn give_pipe(stream: impl AsFd, spec: &Spec) {
    let is_pipe = fstat(&stream).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_fifo());
    if is_pipe && spec.uid != 0 {
        // With one id only there is nobody to give it to.
        let _ = fchown(
            &stream,
            Some(Uid::from_raw(spec.uid)),
            Some(Gid::from_raw(spec.gid)),
        );
    }
}

fn set_limit(limit: &Ulimit) -> Result<(), SetupError> {
    let rlimit = rustix::process::Rlimit {
        current: limit.soft,
        maximum: limit.hard,
    };
    let action = format!("set the limit {}", limit.resource.name());
    setrlimit(resource(limit.resource), rlimit).doing(&action, "")
}

fn resource(resource: Resource) -> rustix::process::Resource {
    use rustix::process::Resource as Kernel;
    match resource {
        Resource::Core => Kernel::Core,
        Resource::Cpu => Kernel::Cpu,
        Resource::Data => Kernel::Data,
        Resource::Fsize => Kernel::Fsize,
        Resource::Locks => Kernel::Locks,
        Resource::Memlock => Kernel::Memlock,
        Resource::Msgqueue => Kernel::Msgqueue,
        Resource::Nice => Kernel::Nice,
        Resource::Nofile => Kernel::Nofile,
        Resource::Nproc => Kernel::Nproc,
        Resource::Rss => Kernel::Rss,
        Resource::Rtprio => Kernel::Rtprio,
        Resource::Rttime => Kernel::Rttime,
        Resource::Sigpending => Kernel::Sigpending,
        Resource::Stack => Kernel::Stack,
    }
}
