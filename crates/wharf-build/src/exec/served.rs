//! Starting a process whose root this program serves.

use std::{panic::resume_unwind, sync::Arc, thread};

use wharf_rootfs::{LARGE, ServeOptions, Server, Session, beside};
use wharf_sandbox::{Io, Large, Root as SandboxRoot, Running, Sandbox, Spec};
use wharf_store::Store;
use wharf_tree::Tree;

use super::process::{Process, ProcessError, Processes, Scratch};

impl Scratch {
    /// A root that is served.
    pub(super) fn fuse_root(&self, sandbox: &Sandbox, spec: &Spec, store: &Store) -> SandboxRoot {
        let large = sandbox.layers_large(spec).then(|| Large {
            layer: beside::TREE.to_owned(),
            data: beside::DATA.to_owned(),
            contents: store.blobs(),
        });
        SandboxRoot::FuseOverlay {
            upper: self.upper.clone(),
            work: self.overlay.clone(),
            large,
        }
    }
}

impl Processes {
    /// A root that [`Self::start_served`] serves.
    pub(super) fn fuse_root(&self, process: &Process<'_>, scratch: &Scratch) -> SandboxRoot {
        scratch.fuse_root(&self.sandbox, &process.spec, &self.store)
    }

    /// How a process's root is served.
    pub(super) fn serve_options(&self, process: &Process<'_>) -> ServeOptions {
        ServeOptions {
            mounts: process.mounts.points().to_vec(),
            markers: self.markers(process),
            owners: self.owners(),
            large: self.sandbox.layers_large(&process.spec).then_some(LARGE),
            surveys: self.surveys.clone(),
            ..ServeOptions::default()
        }
    }

    /// Starts `process` on FUSE and serves `served` to it.
    pub(super) fn start_served(
        &self,
        process: &Process<'_>,
        served: &Tree,
        root: SandboxRoot,
        io: Io,
    ) -> Result<(Running, Session), ProcessError> {
        let options = self.serve_options(process);
        // The walk over the tree takes as long as the namespaces.
        let (server, started) = thread::scope(|scope| {
            let server = scope.spawn(|| Server::new(served, Arc::new(self.store.clone()), &options));
            let started = self.start(process, root, io);
            (server.join(), started)
        });
        let server = server.unwrap_or_else(|panic| resume_unwind(panic));
        let (mut running, server) = (started?, server?);
        let session = serve(&mut running, server)?;
        Ok((running, session))
    }
}

/// Serves the root of what was started.
pub(super) fn serve(running: &mut Running, server: Server) -> Result<Session, ProcessError> {
    let fuse = running.fuse()?;
    let mut session = server.serve(fuse.connection, fuse.processes)?;
    if let Some(large) = fuse.large.filter(|_| session.lacks_large()) {
        session.serve_large(large)?;
        running.served_in_layers(|| session.serve_all())?;
    } else {
        session.serve_all();
        running.served()?;
    }
    Ok(session)
}
