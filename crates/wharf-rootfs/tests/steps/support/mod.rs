//! A step as small as can be: a tree of a few files and a static busybox, served by FUSE under an overlay, a script in it.

#![allow(unreachable_pub, dead_code)]

mod mounts;
mod show;
mod trees;

use std::{
    fs::File,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::Output,
    sync::{Arc, mpsc},
    thread,
};

use wharf_oci::Digest;
use wharf_rootfs::{
    Abort, Commit, CommitOptions, Found, Markers, MountPoint, Owners, ServeError, ServeOptions, Server,
    Session, commit, prepare_upper,
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
    for large in both_ways() {
        let outcome = step.run_as(large, script);
        let stderr = String::from_utf8_lossy(&outcome.output.stderr);
        let mut found = outcome.reads();
        if large.is_some() {
            found = without_what_was_only_opened(&found, reads);
        }
        assert_eq!(
            format!("{}\n\n{found}", outcome.layer()),
            format!("{}\n\n{}", plain(layer), plain(reads)),
            "{script}, large from {large:?} on\n{stderr}"
        );
    }
}

/// Without a layer for large files, and where the kernel has one, with all files in it that are not empty.
pub fn both_ways() -> impl Iterator<Item = Option<u64>> {
    let layered = mounts::layers().then_some(Some(1));
    [None].into_iter().chain(layered)
}

/// Of a file in the layer of large ones, to open it is to ask for its content.
fn without_what_was_only_opened(found: &str, reads: &str) -> String {
    let reads = plain(reads);
    let line = |found: &str| {
        let less = found.replacen(" content", "", 1);
        let known = reads.lines().any(|line| line == less);
        if known { less } else { found.to_owned() }
    };
    found.lines().map(line).collect::<Vec<_>>().join("\n")
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
    /// From how many bytes on files are in a layer of their own.
    pub large: Option<u64>,
    /// Whether the kernel is said to refuse that layer.
    pub refused: bool,
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
            large: None,
            refused: false,
        }
    }

    /// Runs `script` with busybox's shell and commits what it left.
    pub fn run(&self, script: &str) -> Outcome {
        self.run_with(script, |_| {})
    }

    fn run_as(&self, large: Option<u64>, script: &str) -> Outcome {
        self.run_so(large, script, |_| {})
    }

    /// Like [`Step::run`]; `meanwhile` gets the session's abort handle while the script runs.
    pub fn run_with(&self, script: &str, meanwhile: impl FnOnce(Abort)) -> Outcome {
        self.run_so(self.large, script, meanwhile)
    }

    fn run_so(&self, large: Option<u64>, script: &str, meanwhile: impl FnOnce(Abort)) -> Outcome {
        for used in ["upper", "lower", "large", "data", "root", "work"] {
            let _ = std::fs::remove_dir_all(self.scratch.join(used));
        }
        let upper = self.upper();
        prepare_upper(&upper, &self.tree, self.markers, &Owners::Same).expect("an upper directory");
        let (send, fuse) = mpsc::channel();
        let (served, ready) = mpsc::channel();
        let (output, read) = thread::scope(|scope| {
            let place = self.place();
            let step = scope.spawn(move || mounts::run(&place, script, &send, &ready));
            let next = || fuse.recv().expect("a mounted /dev/fuse");
            let mut session = self.serve(next(), large);
            assert_eq!(session.lacks_large(), large.is_some(), "busybox is never empty");
            served.send(session.lacks_large()).expect("the step waits");
            if session.lacks_large() {
                session.serve_large(next()).expect("a handshake");
                if self.refused {
                    session.serve_all();
                }
                served.send(!self.refused).expect("the step waits");
            }
            let abort = session.abort_handle();
            let read = thread::spawn(|| session.finish());
            meanwhile(abort);
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

    fn serve(&self, fuse: OwnedFd, large: Option<u64>) -> Session {
        let options = ServeOptions {
            markers: self.markers,
            mounts: self.mounts.clone(),
            large,
            ..ServeOptions::default()
        };
        let server =
            Server::new(&self.tree, self.blobs.clone(), &options).expect("a tree that can be served");
        // Mounted by a thread of this process.
        let processes = File::open("/proc").expect("a procfs");
        server.serve(fuse, Some(processes.into())).expect("a handshake")
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
