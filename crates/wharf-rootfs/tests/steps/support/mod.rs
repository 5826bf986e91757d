//! A step as small as can be: a tree of a few files and a static busybox, served by FUSE under an overlay, a script in it.

#![allow(unreachable_pub, dead_code)]

mod mounts;
mod show;
mod trees;

use std::{
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::Output,
    sync::{Arc, mpsc},
    thread,
};

use wharf_oci::Digest;
use wharf_rootfs::{
    Abort, Commit, CommitOptions, Found, Markers, MountPoint, Owners, ServeError, ServeOptions, Server,
    commit, prepare_upper,
};
use wharf_testkit::Scratch;
use wharf_tree::{
    Tree,
    readset::{PathSet, ReadSet},
};

pub use mounts::privileged;
pub use show::layer;
pub use trees::{Blobs, Item, TIME, path, tree};

/// Runs `script` over `items` and compares the layer and the read set with their texts, which may be indented.
#[track_caller]
pub fn check(items: &[(&str, Item<'_>)], script: &str, layer: &str, reads: &str) {
    check_step(&Step::new(items), script, layer, reads);
}

/// [`check`] in special surroundings.
#[track_caller]
pub fn check_step(step: &Step, script: &str, layer: &str, reads: &str) {
    let outcome = step.run(script);
    let stderr = String::from_utf8_lossy(&outcome.output.stderr);
    let both = format!("{}\n\n{}", outcome.layer(), outcome.reads());
    assert_eq!(
        both,
        format!("{}\n\n{}", plain(layer), plain(reads)),
        "{script}\n{stderr}"
    );
}

fn plain(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns from a test that needs mounts where none can be made, saying so.
#[macro_export]
macro_rules! needs_mounts {
    () => {
        if let Err(lacks) = $crate::support::privileged() {
            return wharf_testkit::skip(&lacks);
        }
    };
}

/// A step's surroundings.
pub struct Step {
    pub tree: Arc<Tree>,
    pub markers: Markers,
    pub mounts: Vec<MountPoint>,
    pub blobs: Arc<Blobs>,
    pub scratch: Scratch,
}

/// What came of a step.
pub struct Outcome {
    pub output: Output,
    pub tree: Arc<Tree>,
    pub read: Result<PathSet, ServeError>,
    pub commit: Commit,
}

impl Outcome {
    /// The layer, as text.
    pub fn layer(&self) -> String {
        show::layer(&self.commit.layer)
    }

    /// What was read and presumed, as text.
    pub fn reads(&self) -> String {
        show::reads(&self.all())
    }

    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    /// What was read and presumed.
    pub fn all(&self) -> ReadSet {
        let read = self.read.as_ref().expect("the session was sound");
        let mut all = read.clone().record(&[&self.tree]);
        all.merge(&self.commit.writes.clone().record(&[&self.tree]));
        all
    }
}

impl Step {
    /// A root with busybox and these entries.
    pub fn new(items: &[(&str, Item<'_>)]) -> Self {
        let scratch = Scratch::new();
        let blobs = Arc::new(Blobs::new(&scratch.join("blobs")));
        Self {
            tree: Arc::new(tree(items, &blobs)),
            markers: Markers::Trusted,
            mounts: Vec::new(),
            blobs,
            scratch,
        }
    }

    /// Runs `script` with busybox's shell and commits what it left.
    pub fn run(&self, script: &str) -> Outcome {
        self.run_with(script, |_| {})
    }

    /// Like [`Step::run`]; `meanwhile` gets the session's abort handle while the script runs.
    pub fn run_with(&self, script: &str, meanwhile: impl FnOnce(Abort)) -> Outcome {
        for used in ["upper", "lower", "root", "work"] {
            let _ = std::fs::remove_dir_all(self.scratch.join(used));
        }
        let upper = self.upper();
        prepare_upper(&upper, &self.tree, self.markers, &Owners::Same).expect("an upper directory");
        let (send, fuse) = mpsc::channel();
        let (served, ready) = mpsc::channel();
        let (output, read) = thread::scope(|scope| {
            let place = self.place();
            let step = scope.spawn(move || mounts::run(&place, script, &send, &ready));
            let (read, session) = self.serve(fuse.recv().expect("a mounted /dev/fuse"));
            served.send(()).expect("the step waits");
            meanwhile(session);
            let output = step.join().expect("the step's thread");
            (output, read.join().expect("the server's thread"))
        });
        let commit = self.commit(&upper);
        Outcome {
            output,
            tree: Arc::clone(&self.tree),
            read,
            commit,
        }
    }

    fn place(&self) -> mounts::Place {
        mounts::Place {
            scratch: self.scratch.path().to_owned(),
            markers: self.markers,
        }
    }

    fn serve(&self, fuse: OwnedFd) -> (thread::JoinHandle<Result<PathSet, ServeError>>, Abort) {
        let options = ServeOptions {
            markers: self.markers,
            mounts: self.mounts.clone(),
            ..ServeOptions::default()
        };
        let server =
            Server::new(&self.tree, self.blobs.clone(), &options).expect("a tree that can be served");
        let session = server.serve(fuse).expect("a handshake");
        let abort = session.abort_handle();
        (thread::spawn(|| session.finish()), abort)
    }

    pub fn commit(&self, upper: &Path) -> Commit {
        let options = CommitOptions {
            found: Found::Upper(self.markers),
            mounts: self.mounts.clone(),
            ..CommitOptions::default()
        };
        commit(upper, &self.tree, &*self.blobs, &options).expect("a layer")
    }

    /// Makes a content wait: whoever asks for it sends a handle, and gets the content when that is dropped.
    pub fn hold_back(&mut self, digest: Digest, asked: mpsc::Sender<mpsc::Sender<()>>) {
        let blobs = Arc::get_mut(&mut self.blobs).expect("nobody has them yet");
        blobs.hold_back(digest, asked);
    }

    pub fn upper(&self) -> PathBuf {
        self.scratch.join("upper")
    }
}
