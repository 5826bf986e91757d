//! The way out of a network namespace: `pasta`, where it works.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::identity::find;

/// A running `pasta`. Dropped, it is ended.
#[derive(Debug)]
pub(crate) struct Egress(Child);

/// Why there is no way out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EgressError {
    /// Not installed.
    #[error("`pasta` is not installed (package passt)")]
    Missing,
    /// It did not start.
    #[error("`pasta` cannot be started: {0}")]
    Start(#[from] io::Error),
    /// It ended at once.
    #[error("`pasta` refused: {0}")]
    Refused(String),
}

/// Only the way out: no port is forwarded either way, and the caller's own loopback device cannot be reached.
const OPTIONS: &[&str] = &[
    "--config-net",
    "--foreground",
    "--quiet",
    "--no-map-gw",
    "--tcp-ports=none",
    "--udp-ports=none",
    "--tcp-ns=none",
    "--udp-ns=none",
];

impl Egress {
    /// Connects the network namespace of the process `pid` to the outside; returns when it is connected.
    pub(crate) fn lay(tools: &[PathBuf], pid: i32) -> Result<Self, EgressError> {
        let program = find(tools, "pasta").ok_or(EgressError::Missing)?;
        let mut child = command(&program, pid).spawn()?;
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
        let last = text.lines().last().unwrap_or("no reason given");
        EgressError::Refused(last.trim().to_owned())
    }
}

fn command(program: &Path, pid: i32) -> Command {
    let mut command = Command::new(program);
    command
        .args(OPTIONS)
        .args(["--pid", "/proc/self/fd/1"])
        .arg(pid.to_string());
    command
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

impl Drop for Egress {
    fn drop(&mut self) {
        // It may have ended with the namespace.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
