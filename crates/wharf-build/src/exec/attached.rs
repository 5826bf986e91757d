//! A process whose streams are the caller's: `wharf run`. What it writes is thrown away with it.

use std::sync::Arc;

use wharf_rootfs::{LARGE, ServeOptions, Server, Session, beside};
use wharf_sandbox::{Exit, Io, Large, Root as SandboxRoot, Running, host::Rung};

use super::process::{Process, ProcessError, Processes, Scratch, complete};

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
        let mut running = self.sandbox.start(&complete(process, root), io)?;
        let session = if rung == Rung::Fuse {
            Some(self.serve(process, &served, &mut running)?)
        } else {
            None
        };
        Ok(Attached {
            running,
            session,
            scratch,
        })
    }

    /// Serves `served` to a process that has just been started on FUSE.
    pub(super) fn serve(
        &self,
        process: &Process<'_>,
        served: &wharf_tree::Tree,
        running: &mut Running,
    ) -> Result<Session, ProcessError> {
        let options = ServeOptions {
            mounts: process.mounts.points().to_vec(),
            markers: self.markers(process),
            owners: self.owners(),
            large: self.sandbox.layers_large(&process.spec).then_some(LARGE),
            ..ServeOptions::default()
        };
        let server = Server::new(served, Arc::new(self.store.clone()), &options)?;
        let fuse = running.fuse()?;
        let mut session = server.serve(fuse.connection, fuse.processes)?;
        if session.lacks_large() {
            session.serve_large(running.large_fd()?)?;
            if !running.layered()? {
                session.serve_all();
            }
        }
        running.served()?;
        Ok(session)
    }

    /// A root that [`Self::serve`] serves.
    pub(super) fn fuse_root(&self, process: &Process<'_>, scratch: &Scratch) -> SandboxRoot {
        let large = self.sandbox.layers_large(&process.spec).then(|| Large {
            layer: beside::TREE.to_owned(),
            data: beside::DATA.to_owned(),
            contents: self.store.blobs(),
        });
        SandboxRoot::FuseOverlay {
            upper: scratch.upper.clone(),
            work: scratch.overlay.clone(),
            large,
        }
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
