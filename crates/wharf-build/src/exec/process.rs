//! One process on a tree: root filesystem, sandbox, output, and what it left behind as a layer.
//!
//! RUN steps, the configuration of bases and `wharf run` all come through here.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use wharf_graph::event::Stream;
use wharf_rootfs::{
    CommitError, Found, IdRange, Markers, MountError, Owners, ServeError, Session, Surveys, UpperError,
    mounts::with_mount_points,
};
use wharf_sandbox::{
    Exit, Identity, Io, Root as SandboxRoot, Running, Sandbox, SandboxError, Spec, host::Rung,
};
use wharf_solver::Cancel;
use wharf_store::{Store, StoreError, WorkDir};
use wharf_tree::{Layer, Tree, TreeDigest, merge, readset::PathSet};

use super::{
    ahead::Ahead,
    checkout::{CheckoutJob, CheckoutJobError},
    commit::{CommitJob, CommitJobError},
    mounts::StepMounts,
    rung::{RungChoice, RungError},
    undertaker::{Remains, Undertaker},
};

/// What every process of a build shares.
#[derive(Debug)]
pub struct Processes {
    /// Where contents come from and go to.
    pub store: Store,
    /// Starts them.
    pub sandbox: Arc<Sandbox>,
    /// How roots are made.
    pub rung: Arc<RungChoice>,
    /// What is known of their trees.
    pub surveys: Arc<Surveys>,
    /// Threads for one commit.
    pub threads: usize,
    /// How many processes of steps run at once on the store, those of other programs among them.
    pub slots: usize,
    /// Takes away what is left of them.
    pub undertaker: Undertaker,
    /// The next one's root.
    pub ahead: Ahead,
}

/// A process to be run.
#[derive(Debug)]
pub struct Process<'a> {
    /// The root filesystem below the process's own writes.
    pub tree: &'a Arc<Tree>,
    /// What runs; its root and mounts are filled in here.
    pub spec: Spec,
    /// What is mounted into it.
    pub mounts: &'a StepMounts,
}

/// A process that ended.
#[derive(Debug)]
pub struct Finished {
    /// How.
    pub exit: Exit,
    /// What it changed.
    pub layer: Layer,
    /// What it asked of its roots, and what its writes presume of them; `None` where nobody watched.
    pub asked: Option<PathSet>,
}

/// A process could not be run, or its changes not be kept.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// No scratch directory.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No way to isolate it.
    #[error(transparent)]
    NoRung(#[from] RungError),
    /// A scratch directory cannot be used.
    #[error("cannot prepare {path}")]
    Scratch {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The upper directory cannot be made.
    #[error(transparent)]
    Upper(#[from] UpperError),
    /// The tree cannot be written out.
    #[error(transparent)]
    Checkout(#[from] CheckoutJobError),
    /// A mount point cannot be.
    #[error(transparent)]
    Mount(#[from] MountError),
    /// The tree cannot be served, or was not served faithfully.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The sandbox cannot be made.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The changes cannot be read.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The changes cannot be read by the process that does it inside the user namespace.
    #[error(transparent)]
    CommitJob(#[from] CommitJobError),
    /// The build was stopped.
    #[error("interrupted")]
    Interrupted,
    /// There is no such way of making roots.
    #[error(
        "steps are not run in a mere chroot, which would isolate neither processes nor mounts: `wharf host` says what this machine \
         lacks for the others"
    )]
    Chroot,
}

/// Receives what a process writes.
pub type LogSink<'a> = &'a (dyn Fn(Stream, &[u8]) + Sync);

impl Processes {
    /// Runs `process` to its end and commits what it changed. A process that fails leaves no layer worth keeping: the
    /// caller looks at the exit first.
    pub fn run(
        &self,
        process: &Process<'_>,
        log: LogSink<'_>,
        cancel: &Cancel,
    ) -> Result<Finished, ProcessError> {
        let _slot = self.slot(log, cancel)?;
        let served = Arc::new(process.mounts.graft_onto(process.tree));
        let rung = self.rung.get(&self.sandbox, &self.store)?;
        let ended = match rung {
            Rung::Fuse => self.on_fuse(process, &served, log, cancel)?,
            Rung::Overlay => self.on_checkout(process, &served, log, cancel)?,
            Rung::Copy => self.on_copy(process, &served, log, cancel)?,
            Rung::Chroot => return Err(ProcessError::Chroot),
        };
        if cancel.is_cancelled() {
            return Err(ProcessError::Interrupted);
        }
        // On an error they go in the opposite order.
        let Ended {
            scratch,
            session,
            running,
            reads,
            exit,
        } = ended;
        let (layer, asked) = if exit.success() {
            let (layer, writes) = self.commit(process, &scratch, rung)?;
            let asked = reads.map(|reads| process.mounts.by_root(reads, writes));
            (process.mounts.without_mounted(layer), asked)
        } else {
            (Layer::empty(), None)
        };
        self.undertaker.bury(Remains {
            running,
            session,
            scratch,
        });
        Ok(Finished { exit, layer, asked })
    }

    /// Whose files are whose, as the root filesystem has to know it.
    pub fn owners(&self) -> Owners {
        let ranges = |ranges: &[wharf_sandbox::IdRange]| {
            let convert = |range: &wharf_sandbox::IdRange| IdRange {
                inside: range.inside,
                outside: range.outside,
                count: range.count,
            };
            ranges.iter().map(convert).collect()
        };
        match self.sandbox.identity() {
            Identity::Root => Owners::Same,
            Identity::Subordinate(map) => Owners::Mapped {
                uids: ranges(&map.uids),
                gids: ranges(&map.gids),
            },
            Identity::OneId(_) => Owners::Single,
        }
    }

    pub(super) fn markers(&self, process: &Process<'_>) -> Markers {
        if self.sandbox.user_xattrs(&process.spec) {
            Markers::User
        } else {
            Markers::Trusted
        }
    }

    fn on_fuse(
        &self,
        process: &Process<'_>,
        served: &Arc<Tree>,
        log: LogSink<'_>,
        cancel: &Cancel,
    ) -> Result<Ended, ProcessError> {
        let (output, io) = Output::new()?;
        let (scratch, session, mut running) = match self.start_in_ahead(process, served, io)? {
            Ok(started) => started,
            Err(io) => {
                let scratch = Scratch::new(&self.store)?;
                wharf_rootfs::prepare_upper(&scratch.upper, served, self.markers(process), &self.owners())?;
                let root = self.fuse_root(process, &scratch);
                let (running, session) = self.start_served(process, served, root, io)?;
                (scratch, session, running)
            }
        };
        self.make_ahead(process, served);
        let exit = attend(&mut running, output, log, cancel, Some(&session))?;
        if cancel.is_cancelled() {
            return Err(ProcessError::Interrupted);
        }
        let (reads, running, session) = match session.asked()? {
            Some(reads) => (reads, Some(running), Some(session)),
            None => {
                running.wait()?;
                (session.finish()?, None, None)
            }
        };
        Ok(Ended {
            exit,
            reads: Some(reads),
            running,
            session,
            scratch,
        })
    }

    fn on_checkout(
        &self,
        process: &Process<'_>,
        served: &Tree,
        log: LogSink<'_>,
        cancel: &Cancel,
    ) -> Result<Ended, ProcessError> {
        let scratch = Scratch::new(&self.store)?;
        wharf_rootfs::prepare_upper(&scratch.upper, served, self.markers(process), &self.owners())?;
        let lower = scratch.lower();
        self.write_out(process, served, &lower, Some(self.markers(process)))?;
        let root = SandboxRoot::Overlay {
            lower,
            upper: scratch.upper.clone(),
            work: scratch.overlay.clone(),
        };
        self.unwatched(process, scratch, root, log, cancel)
    }

    fn on_copy(
        &self,
        process: &Process<'_>,
        served: &Tree,
        log: LogSink<'_>,
        cancel: &Cancel,
    ) -> Result<Ended, ProcessError> {
        let scratch = Scratch::new(&self.store)?;
        self.write_out(process, served, &scratch.upper, None)?;
        let root = SandboxRoot::Plain {
            dir: scratch.upper.clone(),
        };
        self.unwatched(process, scratch, root, log, cancel)
    }

    fn unwatched(
        &self,
        process: &Process<'_>,
        scratch: Scratch,
        root: SandboxRoot,
        log: LogSink<'_>,
        cancel: &Cancel,
    ) -> Result<Ended, ProcessError> {
        let (output, io) = Output::new()?;
        let mut running = self.start(process, root, io)?;
        let exit = attend(&mut running, output, log, cancel, None)?;
        Ok(Ended {
            exit,
            reads: None,
            running: Some(running),
            session: None,
            scratch,
        })
    }

    /// The tree and its mount points as plain files in `dir`.
    pub(super) fn write_out(
        &self,
        process: &Process<'_>,
        served: &Tree,
        dir: &Path,
        markers: Option<Markers>,
    ) -> Result<(), ProcessError> {
        let tree = with_mount_points(served, process.mounts.points())?;
        let job = CheckoutJob {
            tree: &tree,
            dir,
            markers,
            owners: self.owners(),
            threads: self.threads,
        };
        Ok(job.run(&self.sandbox, &self.store)?)
    }

    pub(super) fn start(
        &self,
        process: &Process<'_>,
        root: SandboxRoot,
        io: Io,
    ) -> Result<Running, ProcessError> {
        Ok(self.sandbox.start(&complete(process, root), io)?)
    }

    fn commit(
        &self,
        process: &Process<'_>,
        scratch: &Scratch,
        rung: Rung,
    ) -> Result<(Layer, PathSet), ProcessError> {
        let job = CommitJob {
            dir: &scratch.upper,
            lower: process.tree,
            mounts: process.mounts.points(),
            found: if rung == Rung::Copy {
                Found::Whole
            } else {
                Found::Upper(self.markers(process))
            },
            owners: self.owners(),
            threads: self.threads,
        };
        let committed = match self.sandbox.identity() {
            Identity::Subordinate(_) => job.run_inside(&self.sandbox, &self.store, scratch.dir.path())?,
            Identity::Root | Identity::OneId(_) => job.run_here(&self.store)?,
        };
        Ok(committed)
    }
}

/// A process of which nothing runs any more.
struct Ended {
    exit: Exit,
    /// What it asked, if anybody watched.
    reads: Option<PathSet>,
    /// What is mounted for it.
    running: Option<Running>,
    session: Option<Session>,
    scratch: Scratch,
}

/// The process's specification with its root and mounts.
pub(super) fn complete(process: &Process<'_>, root: SandboxRoot) -> Spec {
    let mut spec = process.spec.clone();
    spec.root = root;
    spec.mounts
        .extend(process.mounts.sandbox_mounts().iter().cloned());
    spec
}

/// Passes on what the process writes until nothing of it runs, and ends it when the build is stopped.
fn attend(
    running: &mut Running,
    output: Output,
    log: LogSink<'_>,
    cancel: &Cancel,
    session: Option<&Session>,
) -> Result<Exit, ProcessError> {
    let killer = running.killer();
    let abort = session.map(Session::abort_handle);
    let _guard = cancel.on_cancel(move || {
        killer.kill();
        if let Some(abort) = &abort {
            abort.abort();
        }
    });
    thread::scope(|scope| {
        scope.spawn(|| forward(Stream::Stdout, output.stdout, log));
        scope.spawn(|| forward(Stream::Stderr, output.stderr, log));
        Ok(running.ended()?)
    })
}

fn forward(stream: Stream, from: OwnedFd, log: LogSink<'_>) {
    let mut from = File::from(from);
    let mut buffer = vec![0; 32 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        log(stream, &buffer[..length]);
    }
}

/// The reading ends of a process's output.
struct Output {
    stdout: OwnedFd,
    stderr: OwnedFd,
}

impl Output {
    fn new() -> Result<(Self, Io), ProcessError> {
        let make = || {
            let (stdout, write_stdout) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
            let (stderr, write_stderr) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
            let io = Io {
                stdin: Io::null()?.stdin,
                stdout: write_stdout,
                stderr: write_stderr,
            };
            Ok((Self { stdout, stderr }, io))
        };
        make().map_err(|source| ProcessError::Scratch {
            path: "/dev/null".into(),
            source,
        })
    }
}

/// A scratch directory with what overlayfs wants in it.
#[derive(Debug)]
pub(super) struct Scratch {
    dir: WorkDir,
    pub(super) upper: PathBuf,
    pub(super) overlay: PathBuf,
}

impl Scratch {
    /// Where a checkout goes.
    pub(super) fn lower(&self) -> PathBuf {
        self.dir.path().join("lower")
    }

    pub(super) fn new(store: &Store) -> Result<Self, ProcessError> {
        let dir = store.work_dir()?;
        let (upper, overlay) = (dir.path().join("upper"), dir.path().join("overlay"));
        fs::create_dir(&overlay).map_err(|source| ProcessError::Scratch {
            path: overlay.clone(),
            source,
        })?;
        Ok(Self { dir, upper, overlay })
    }
}

/// A layer that leaves `tree` as it is but for `step`, which was made on `prepared` instead.
pub(super) fn relative_to(tree: &Tree, prepared: &Tree, step: &Layer) -> Layer {
    if TreeDigest::eq(&tree.digest(), &prepared.digest()) {
        return step.clone();
    }
    wharf_tree::diff(tree, &merge(prepared, step))
}
