//! Between the supervisor and pid 1: the one learns of the other's end, and pid 1 asks for a way out of its network.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    process::exit,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, Signal, set_parent_process_death_signal},
};

use super::{FAILED, egress::Egress};
use crate::{SetupError, error::Doing};

/// Pid 1's end.
pub(super) struct Leash(UnixStream);

/// The supervisor's end.
pub(super) struct Holder(UnixStream);

/// Both ends.
pub(super) fn pair() -> Result<(Holder, Leash), SetupError> {
    let (ours, theirs) = UnixStream::pair().doing("make a socket", "")?;
    Ok((Holder(ours), Leash(theirs)))
}

impl Leash {
    /// Ends this process with its parent, also if that ended before it could be asked for.
    pub(super) fn tie(&self) -> Result<(), SetupError> {
        set_parent_process_death_signal(Some(Signal::KILL)).doing("watch the supervisor", "")?;
        let mut other = [PollFd::new(&self.0, PollFlags::IN)];
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        poll(&mut other, Some(&now)).doing("watch the supervisor", "")?;
        if other[0].revents().is_empty() {
            Ok(())
        } else {
            exit(FAILED)
        }
    }

    /// Asks for a way out of this process's network; gives why there is none.
    pub(super) fn ask_for_egress(&mut self) -> Result<Option<String>, SetupError> {
        let mut answer = [0; 512];
        let asked = self.0.write_all(b"?").and_then(|()| self.0.read(&mut answer));
        match asked.doing("ask for a way out", "")? {
            0 => exit(FAILED),
            1 => Ok(None),
            length => Ok(Some(String::from_utf8_lossy(&answer[1..length]).into_owned())),
        }
    }
}

impl Holder {
    /// Waits until pid 1 asks for a way out, and lays it.
    pub(super) fn lay_egress(&mut self, program: &Path, first: Pid) -> Option<Egress> {
        let mut question = [0];
        // It ended before it asked.
        self.0.read_exact(&mut question).ok()?;
        let (egress, mut answer) = match Egress::lay(program, first) {
            Ok(egress) => (Some(egress), ".".to_owned()),
            Err(error) => (None, format!(".no way out of the network: {error}")),
        };
        answer.truncate(answer.floor_char_boundary(512));
        // If this is lost, so is pid 1.
        let _ = self.0.write_all(answer.as_bytes());
        egress
    }
}
