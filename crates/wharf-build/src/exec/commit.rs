//! Committing what a step left: here, or inside the user namespace where its files can be read.
//!
//! An ordinary user's step leaves files of subordinate ids, which only root of its user namespace may read. There the
//! program runs itself again as [`COMMIT_ENTRY`]: tree and result travel as files of the scratch directory, contents go straight
//! into the store.

use std::{
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde::{Deserialize, Serialize};
use wharf_rootfs::{Commit, CommitError, CommitOptions, Found, Markers, MountKind, MountPoint, Owners};
use wharf_sandbox::{Entry, Sandbox, SandboxError};
use wharf_store::{BootId, Store, StoreOptions};
use wharf_tree::{Layer, Tree, TreePath, readset::ReadSet};

/// What [`wharf_sandbox::init_if_asked_with`] has to know, so that commits can run inside user namespaces.
pub(super) const COMMIT_ENTRY: Entry = Entry {
    name: "commit",
    run: run_entry,
};

/// A directory that a step wrote to, to be committed.
#[derive(Debug)]
pub(super) struct CommitJob<'a> {
    /// The directory.
    pub dir: &'a Path,
    /// The tree that was below it, or that it was a copy of.
    pub lower: &'a Tree,
    /// Mount points that the tree lacks.
    pub mounts: &'a [MountPoint],
    /// What the directory is.
    pub found: Found,
    /// Whose files are whose, seen from here.
    pub owners: Owners,
    /// How many threads hash.
    pub threads: usize,
}

/// A commit inside the user namespace failed.
#[derive(Debug, thiserror::Error)]
pub enum CommitJobError {
    /// The directory cannot be read.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The helper process cannot be started.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// A file by which the two processes talk cannot be used.
    #[error("cannot exchange {path} with the committing process")]
    Exchange {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The helper process failed.
    #[error("cannot commit the step's changes: {0}")]
    Inside(String),
}

impl CommitJob<'_> {
    /// Commits in this process.
    pub(super) fn run_here(&self, store: &Store) -> Result<(Layer, ReadSet), CommitJobError> {
        let options = CommitOptions {
            root: 0,
            mounts: self.mounts.to_vec(),
            found: self.found,
            owners: self.owners.clone(),
            threads: self.threads,
        };
        let Commit { layer, writes } = wharf_rootfs::commit(self.dir, self.lower, store, &options)?;
        Ok((layer, writes))
    }

    /// Commits in a process that is root of the sandbox's user namespace; `scratch` belongs to this step.
    pub(super) fn run_inside(
        &self,
        sandbox: &Sandbox,
        store: &Store,
        scratch: &Path,
    ) -> Result<(Layer, ReadSet), CommitJobError> {
        write(&scratch.join("lower.pack"), &self.lower.to_pack())?;
        write(&scratch.join("lower.times"), &self.lower.times().1)?;
        let request = Request {
            store: store.path().to_owned(),
            boot: store.boot().map(|boot| boot.0.clone()),
            dir: self.dir.to_owned(),
            whole: self.found == Found::Whole,
            scratch: scratch.to_owned(),
            mounts: self
                .mounts
                .iter()
                .map(|point| (point.path.as_bytes().to_vec(), point.kind == MountKind::Dir))
                .collect(),
            threads: self.threads,
        };
        let input = serde_json::to_vec(&request).expect("paths of a store are UTF-8 or escaped");
        let (code, answer) = sandbox.inside(COMMIT_ENTRY.name, &input)?;
        if !code.success() {
            return Err(CommitJobError::Inside(
                String::from_utf8_lossy(&answer).trim().to_owned(),
            ));
        }
        let damaged = |what: &str| CommitJobError::Inside(format!("{what} cannot be read back"));
        let mut layer =
            Layer::from_pack(&read(&scratch.join("layer.pack"))?).map_err(|_| damaged("the layer"))?;
        layer
            .apply_times(&read(&scratch.join("layer.times"))?)
            .map_err(|_| damaged("the layer's times"))?;
        let writes =
            ReadSet::from_bytes(&read(&scratch.join("writes"))?).map_err(|_| damaged("the read set"))?;
        Ok((layer, writes))
    }
}

#[derive(Serialize, Deserialize)]
struct Request {
    store: PathBuf,
    boot: Option<String>,
    dir: PathBuf,
    whole: bool,
    scratch: PathBuf,
    mounts: Vec<(Vec<u8>, bool)>,
    threads: usize,
}

fn run_entry(input: &mut dyn Read, output: &mut dyn Write) -> ExitCode {
    answer(serve_request(input), output)
}

/// Tells the process that asked how it went.
pub(super) fn answer(done: Result<(), String>, output: &mut dyn Write) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            // Nobody is left to tell if the other side is gone.
            let _ = output.write_all(why.as_bytes());
            ExitCode::FAILURE
        }
    }
}

fn serve_request(input: &mut dyn Read) -> Result<(), String> {
    let request: Request = serde_json::from_reader(input).map_err(chain)?;
    let store = Store::open(
        &request.store,
        StoreOptions {
            boot: request.boot.clone().map(BootId),
            ..StoreOptions::default()
        },
    )
    .map_err(chain)?;
    let scratch = &request.scratch;
    let mut lower = Tree::from_pack(&read(&scratch.join("lower.pack")).map_err(chain)?).map_err(chain)?;
    lower
        .apply_times(&read(&scratch.join("lower.times")).map_err(chain)?)
        .map_err(chain)?;
    let mounts: Vec<_> = request
        .mounts
        .into_iter()
        .filter_map(|(path, dir)| mount_point(&path, dir))
        .collect();
    let job = CommitJob {
        dir: &request.dir,
        lower: &lower,
        mounts: &mounts,
        found: if request.whole {
            Found::Whole
        } else {
            Found::Upper(Markers::User)
        },
        owners: Owners::Same,
        threads: request.threads,
    };
    let (layer, writes) = job.run_here(&store).map_err(chain)?;
    for (name, bytes) in [
        ("layer.pack", layer.to_pack()),
        ("layer.times", layer.times().1),
        ("writes", writes.to_bytes()),
    ] {
        write(&scratch.join(name), &bytes).map_err(chain)?;
    }
    Ok(())
}

fn mount_point(path: &[u8], dir: bool) -> Option<MountPoint> {
    let kind = if dir { MountKind::Dir } else { MountKind::File };
    Some(MountPoint {
        path: TreePath::new(path).ok()?,
        kind,
    })
}

/// The error and its causes on one line.
pub(super) fn chain(error: impl std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, CommitJobError> {
    fs::read(path).map_err(|source| CommitJobError::Exchange {
        path: path.to_owned(),
        source,
    })
}

pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), CommitJobError> {
    fs::write(path, bytes).map_err(|source| CommitJobError::Exchange {
        path: path.to_owned(),
        source,
    })
}
