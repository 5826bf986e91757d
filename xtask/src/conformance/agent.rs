//! An SSH agent with one key, for steps that ask one.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use crate::stage;

/// A running agent, ended when dropped.
pub(crate) struct Agent {
    process: Child,
    pub(crate) socket: PathBuf,
}

impl Agent {
    /// Starts one whose socket and key are in `scratch`.
    pub(crate) fn start(scratch: &Path) -> Result<Self, String> {
        let socket = scratch.join("agent");
        let key = scratch.join("key");
        let process = Command::new("ssh-agent")
            .args(["-D", "-a"])
            .arg(&socket)
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("ssh-agent: {error}"))?;
        let agent = Self { process, socket };
        let mut keygen = Command::new("ssh-keygen");
        stage::run(
            keygen
                .args(["-q", "-t", "ed25519", "-N", "", "-C", "a bird", "-f"])
                .arg(&key),
        )?;
        // The key took longer to make than the agent to start; if not, it is waited for.
        for _ in 0..100 {
            if agent.socket.exists() {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let mut add = Command::new("ssh-add");
        stage::run(add.arg("-q").arg(&key).env("SSH_AUTH_SOCK", &agent.socket))?;
        Ok(agent)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
