//! A root that is made while the process before runs: namespaces and mounts take a short step a fifth of its time, and what they are
//! does not depend on the tree that is seen there.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
};

use wharf_rootfs::{Background, Markers, ServeOptions, Server, Session};
use wharf_sandbox::{Ahead as SandboxAhead, Io, Root as SandboxRoot, Running, Sandbox, Spec};
use wharf_store::Store;
use wharf_tree::Tree;

use super::{
    process::{Process, ProcessError, Processes, Scratch, complete},
    served::serve,
    undertaker::{Bell, Remains},
};

/// The root that was made ahead, if any.
#[derive(Debug, Default)]
pub struct Ahead {
    made: Mutex<Option<JoinHandle<Option<Made>>>>,
    /// How many processes may come.
    expected: AtomicUsize,
}

/// A root in which nothing runs yet.
struct Made {
    surroundings: SandboxAhead,
    session: Session,
    scratch: Scratch,
}

impl Ahead {
    /// So many processes may come.
    pub fn expecting(processes: usize) -> Self {
        Self {
            made: Mutex::default(),
            expected: AtomicUsize::new(processes),
        }
    }

    /// One of them comes, or is not needed.
    pub(super) fn came(&self) {
        let less = |expected: usize| expected.checked_sub(1);
        // It may come again: as a part that was lost, or to be compared.
        let _ = self
            .expected
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    fn take(&self) -> Option<Made> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner).take();
        // If it could not be made, who makes the next one is told why.
        made?.join().ok().flatten()
    }

    /// Has a thread make one, unless there is one or nobody will need it.
    fn make(&self, what: impl FnOnce() -> Result<Made, ProcessError> + Send + 'static, then: Bell) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if made.is_none() && self.expected.load(Ordering::Relaxed) > 0 {
            let make = move || {
                let _then = then;
                let _background = Background::begin();
                what().ok()
            };
            *made = thread::Builder::new().name("ahead".into()).spawn(make).ok();
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        if let Some(made) = self.take() {
            Remains::from(made).bury();
        }
    }
}

impl From<Made> for Remains {
    fn from(made: Made) -> Self {
        Self {
            running: Some(made.surroundings.into_running()),
            session: Some(made.session),
            scratch: made.scratch,
        }
    }
}

impl Processes {
    /// Makes a root for the next process, supposing that it is like this one.
    pub(super) fn make_ahead(&self, process: &Process<'_>, served: &Tree) {
        // One after the other, on the processor that the process leaves.
        let bell = self.undertaker.bell();
        if !SandboxAhead::may_be_for(&process.spec) {
            return;
        }
        let spec = Spec::new(SandboxRoot::Plain { dir: "/".into() }, Vec::new());
        let spec = Spec {
            hostname: process.spec.hostname.clone(),
            devices: process.spec.devices,
            capabilities: process.spec.capabilities,
            shm_size: process.spec.shm_size,
            mounts: process.mounts.public_directories(),
            ..spec
        };
        let plan = Plan {
            store: self.store.clone(),
            sandbox: self.sandbox.clone(),
            options: self.serve_options(process),
            markers: self.markers(process),
            tree: served.clone(),
            spec,
        };
        self.ahead.make(move || plan.make(), bell);
    }

    /// Starts a process in the root that was made ahead; gives the streams back where there is none for it.
    pub(super) fn start_in_ahead(
        &self,
        process: &Process<'_>,
        served: &Tree,
        io: Io,
    ) -> Result<Result<(Scratch, Session, Running), Io>, ProcessError> {
        let Some(made) = self.ahead.take() else {
            return Ok(Err(io));
        };
        let spec = complete(process, self.fuse_root(process, &made.scratch));
        if !made.surroundings.fits(&spec) {
            self.undertaker.bury(made.into());
            return Ok(Err(io));
        }
        let server = Server::new(served, Arc::new(self.store.clone()), &self.serve_options(process))?;
        if made.session.serve_instead(server).is_err()
            || wharf_rootfs::date_upper(&made.scratch.upper, served).is_err()
        {
            self.undertaker.bury(made.into());
            return Ok(Err(io));
        }
        let running = self.sandbox.start_in(made.surroundings, &spec, io)?;
        Ok(Ok((made.scratch, made.session, running)))
    }
}

/// What is needed to make one.
struct Plan {
    store: Store,
    sandbox: Arc<Sandbox>,
    options: ServeOptions,
    markers: Markers,
    /// What it is served with until it is known what is seen there.
    tree: Tree,
    spec: Spec,
}

impl Plan {
    fn make(mut self) -> Result<Made, ProcessError> {
        let scratch = Scratch::new(&self.store)?;
        wharf_rootfs::prepare_upper(&scratch.upper, &self.tree, self.markers, &self.options.owners)?;
        self.spec.root = scratch.fuse_root(&self.sandbox, &self.spec, &self.store);
        let server = Server::new(&self.tree, Arc::new(self.store.clone()), &self.options)?;
        let mut surroundings = self.sandbox.start_ahead(&self.spec)?;
        let session = serve(surroundings.running(), server)?;
        Ok(Made {
            surroundings,
            session,
            scratch,
        })
    }
}
