//! The way out of a network namespace: `pasta`, where it works. It is a child of the supervisor and ends with it.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, set_parent_process_death_signal};

/// A running `pasta`. Dropped, it is ended.
#[derive(Debug)]
pub(super) struct Egress(Child);

/// Why there is no way out.
#[derive(Debug, thiserror::Error)]
pub(super) enum EgressError {
    /// It did not start.
    #[error("`pasta` cannot be started: {0}")]
    Start(#[from] io::Error),
    /// It ended at once.
    #[error("`pasta` refused: {0}")]
    Refused(String),
}

/// Only the way out: no port is forwarded either way, and the caller's own loopback device cannot be reached. It stays who it is:
/// root of the user namespace that the network belongs to.
const OPTIONS: &[&str] = &[
    "--config-net",
    "--foreground",
    "--quiet",
    "--no-map-gw",
    "--tcp-ports=none",
    "--udp-ports=none",
    "--tcp-ns=none",
    "--udp-ns=none",
    "--runas=0:0",
    "--netns-only",
    "--no-netns-quit",
];

impl Egress {
    /// Connects the network namespace of the process `pid` to the outside; returns when it is connected.
    pub(super) fn lay(program: &Path, pid: Pid) -> Result<Self, EgressError> {
        let namespace = File::open(format!("/proc/{}/ns/net", pid.as_raw_nonzero()))?;
        let mut child = command(program, namespace).spawn()?;
        // It writes its number there when it is done with the set-up; if it ends before, there is nothing to read.
        let mut number = [0; 1];
        let ready = child
            .stdout
            .take()
            .is_some_and(|mut out| out.read(&mut number).is_ok_and(|length| length > 0));
        let egress = Self(child);
        if ready {
            Ok(egress)
        } else {
            Err(egress.complaint())
        }
    }

    fn complaint(mut self) -> EgressError {
        let mut text = String::new();
        if let Some(mut stderr) = self.0.stderr.take() {
            // What cannot be read is not told.
            let _ = stderr.read_to_string(&mut text);
        }
        let last = text
            .lines()
            .rfind(|line| !line.starts_with("Failed to send"))
            .unwrap_or("no reason given");
        EgressError::Refused(last.trim().to_owned())
    }
}

/// The namespace comes as standard input: of another process's it may not open any, having dropped its privileges by then.
#[allow(unsafe_code)]
fn command(program: &Path, namespace: File) -> Command {
    let mut command = Command::new(program);
    command
        .args(OPTIONS)
        .args(["--pid", "/proc/self/fd/1", "--netns", "/proc/self/fd/0"]);
    command
        .env_clear()
        .stdin(namespace)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // SAFETY: the closure makes one system call and touches no memory.
    unsafe {
        command.pre_exec(|| set_parent_process_death_signal(Some(Signal::KILL)).map_err(Into::into));
    }
    command
}

impl Drop for Egress {
    fn drop(&mut self) {
        // It may have ended with the namespace.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
