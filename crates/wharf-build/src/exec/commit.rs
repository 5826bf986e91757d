//! Committing what a step left: here, or inside the user namespace where its files can be read.
//!
//! An ordinary user's step leaves files of subordinate ids, which only root of its user namespace may read. There the
//! program runs itself again as [`COMMIT_ENTRY`]: tree and result travel as files of the scratch directory, contents go straight
//! into the store.

use std::{
    io::{Read, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde::{Deserialize, Serialize};
use wharf_rootfs::{Commit, CommitError, CommitOptions, Found, Markers, MountKind, MountPoint, Owners};
use wharf_sandbox::{Entry, Sandbox};
use wharf_store::Store;
use wharf_tree::{Layer, Tree, TreePath, readset::PathSet};

use super::exchange::{
    ExchangeError, StoreAddress, ask, chain, leave_tree, raw_path, read, serve, take_tree, write,
};

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

/// What a step left cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CommitJobError {
    /// Here.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// Inside the user namespace.
    #[error("cannot commit the step's changes")]
    Exchange(#[from] ExchangeError),
}

impl CommitJob<'_> {
    /// Commits in this process.
    pub(super) fn run_here(&self, store: &Store) -> Result<(Layer, PathSet), CommitJobError> {
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
    ) -> Result<(Layer, PathSet), CommitJobError> {
        leave_tree(scratch, self.lower)?;
        let request = Request {
            store: StoreAddress::of(store),
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
        ask(sandbox, &COMMIT_ENTRY, &request)?;
        Ok(take_result(scratch)?)
    }
}

/// The layer and the path set that the process inside left in `scratch`.
fn take_result(scratch: &Path) -> Result<(Layer, PathSet), ExchangeError> {
    let damaged = |what| ExchangeError::Damaged { what };
    let pack = read(&scratch.join("layer.pack"))?;
    let mut layer = Layer::from_pack(pack).map_err(|_| damaged("the layer"))?;
    layer
        .apply_times(read(&scratch.join("layer.times"))?)
        .map_err(|_| damaged("the layer's times"))?;
    let writes = PathSet::from_bytes(&read(&scratch.join("writes"))?).map_err(|_| damaged("the path set"))?;
    Ok((layer, writes))
}

#[derive(Serialize, Deserialize)]
struct Request {
    store: StoreAddress,
    #[serde(with = "raw_path")]
    dir: PathBuf,
    whole: bool,
    #[serde(with = "raw_path")]
    scratch: PathBuf,
    mounts: Vec<(Vec<u8>, bool)>,
    threads: usize,
}

fn run_entry(input: &mut dyn Read, output: &mut dyn Write) -> ExitCode {
    serve(input, output, commit_here)
}

fn commit_here(request: &Request) -> Result<(), String> {
    let store = request.store.open()?;
    let scratch = &request.scratch;
    let lower = take_tree(scratch).map_err(chain)?;
    let mounts: Vec<_> = request
        .mounts
        .iter()
        .filter_map(|(path, dir)| mount_point(path, *dir))
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
