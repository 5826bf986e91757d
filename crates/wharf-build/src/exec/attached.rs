//! A process whose streams are the caller's: `wharf run`. What it writes is thrown away with it.

use std::sync::Arc;

use wharf_rootfs::Session;
use wharf_sandbox::{Exit, Io, Root as SandboxRoot, Running, host::Rung};

use super::process::{Process, ProcessError, Processes, Scratch};

/// A process that runs on a tree and talks to the caller's streams.
pub struct Attached {
    running: Running,
    session: Option<Session>,
    scratch: Scratch,
}

impl Processes {
    /// Starts `process` with the streams `io`.
    pub fn attach(&self, process: &Process<'_>, io: Io) -> Result<Attached, ProcessError> {
        let scratch = Scratch::new(&self.store)?;
        let served = Arc::new(process.mounts.graft_onto(process.tree));
        let rung = self.rung.get(&self.sandbox, &self.store)?;
        let overlay = |lower| {
            let (upper, work) = (scratch.upper.clone(), scratch.overlay.clone());
            match lower {
                None => self.fuse_root(process, &scratch),
                Some(lower) => SandboxRoot::Overlay { lower, upper, work },
            }
        };
        let (root, lower) = match rung {
            Rung::Fuse => (overlay(None), None),
            Rung::Overlay => {
                let lower = scratch.lower();
                (
                    overlay(Some(lower.clone())),
                    Some((lower, Some(self.markers(process)))),
                )
            }
            Rung::Copy => (
                SandboxRoot::Plain {
                    dir: scratch.upper.clone(),
                },
                Some((scratch.upper.clone(), None)),
            ),
            Rung::Chroot => return Err(ProcessError::Chroot),
        };
        if rung != Rung::Copy {
            wharf_rootfs::prepare_upper(&scratch.upper, &served, self.markers(process), &self.owners())?;
        }
        if let Some((dir, markers)) = lower {
            self.write_out(process, &served, &dir, markers)?;
        }
        let (running, session) = if rung == Rung::Fuse {
            let (running, session) = self.start_served(process, &served, root, io)?;
            (running, Some(session))
        } else {
            (self.start(process, root, io)?, None)
        };
        Ok(Attached {
            running,
            session,
            scratch,
        })
    }
}

impl std::fmt::Debug for Attached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attached")
            .field("running", &self.running)
            .finish_non_exhaustive()
    }
}

impl Attached {
    /// The process.
    pub fn running(&mut self) -> &mut Running {
        &mut self.running
    }

    /// Waits for its end and takes everything away that it left.
    pub fn wait(self) -> Result<Exit, ProcessError> {
        let exit = self.running.wait()?;
        if let Some(session) = self.session {
            session.finish()?;
        }
        drop(self.scratch);
        Ok(exit)
    }
}
