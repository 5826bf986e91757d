//! A process whose streams are the caller's: `wharf run`. What it writes is thrown away with it.

use std::{panic::resume_unwind, sync::Arc, thread};

use wharf_rootfs::{LARGE, ServeOptions, Server, Session, beside};
use wharf_sandbox::{Exit, Io, Large, Root as SandboxRoot, Running, host::Rung};

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

    /// Starts `process` on FUSE and serves `served` to it.
    pub(super) fn start_served(
        &self,
        process: &Process<'_>,
        served: &wharf_tree::Tree,
        root: SandboxRoot,
        io: Io,
    ) -> Result<(Running, Session), ProcessError> {
        let options = ServeOptions {
            mounts: process.mounts.points().to_vec(),
            markers: self.markers(process),
            owners: self.owners(),
            large: self.sandbox.layers_large(&process.spec).then_some(LARGE),
            ..ServeOptions::default()
        };
        // The walk over the tree takes as long as the namespaces.
        let (server, started) = thread::scope(|scope| {
            let server = scope.spawn(|| Server::new(served, Arc::new(self.store.clone()), &options));
            let started = self.start(process, root, io);
            (server.join(), started)
        });
        let server = server.unwrap_or_else(|panic| resume_unwind(panic));
        let mut running = started?;
        let fuse = running.fuse()?;
        let mut session = server?.serve(fuse.connection, fuse.processes)?;
        match fuse.large {
            Some(large) if session.lacks_large() => {
                session.serve_large(large)?;
                running.served_in_layers(|| session.serve_all())?;
            }
            _ => running.served()?,
        }
        Ok((running, session))
    }

    /// A root that [`Self::start_served`] serves.
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
