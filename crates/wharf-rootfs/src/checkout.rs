//! A tree as plain files in a directory, for machines where no FUSE can be mounted.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use wharf_tree::{Dir, Entry, Node, Tree, TreePath};

use crate::{
    blobs::BlobOpen,
    overlay::Markers,
    owners::Owners,
    place::{self, Placing},
    workers,
};

/// What may vary about a checkout.
#[derive(Debug, Clone)]
pub struct CheckoutOptions {
    /// What owners mean where the step runs. Files can be given to others only with the privilege to do so.
    pub owners: Owners,
    /// The overlay that will be mounted on it, if any.
    pub markers: Option<Markers>,
    /// How many threads copy; at least one.
    pub threads: usize,
}

impl Default for CheckoutOptions {
    fn default() -> Self {
        Self {
            owners: Owners::default(),
            markers: None,
            threads: 2,
        }
    }
}

/// What a checkout could not make.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checkout {
    /// Devices, which only real root may make.
    pub left_out: Vec<TreePath>,
}

/// Writes `tree` into `dir`, which is made and must not exist. On an error what was written so far stays there.
pub fn checkout(
    tree: &Tree,
    dir: &Path,
    blobs: &dyn BlobOpen,
    options: &CheckoutOptions,
) -> Result<Checkout, CheckoutError> {
    let work = Work {
        dir,
        blobs,
        placing: Placing {
            owners: &options.owners,
            markers: options.markers,
        },
        later_names: later_names(tree),
    };
    let mut plan = Plan::default();
    work.dirs(&tree.root, TreePath::root(), &mut plan)?;
    let left_out = workers::map(&plan.leaves, options.threads, |(path, entry)| {
        work.leaf(path, entry)
    })?;
    work.links()?;
    // Children are made by now, so nothing touches these times any more; from the bottom, while all can be entered.
    for (path, entry) in plan.dirs.iter().rev() {
        work.attributes(path, entry)?;
    }
    let mut left_out: Vec<_> = left_out.into_iter().flatten().collect();
    left_out.sort_unstable();
    Ok(Checkout { left_out })
}

/// An entry could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}")]
pub struct CheckoutError {
    /// The entry.
    pub path: TreePath,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// What is left to do when all directories are there.
#[derive(Default)]
struct Plan<'a> {
    leaves: Vec<(TreePath, &'a Entry)>,
    dirs: Vec<(TreePath, &'a Entry)>,
}

struct Work<'a> {
    dir: &'a Path,
    blobs: &'a dyn BlobOpen,
    placing: Placing<'a>,
    later_names: BTreeMap<&'a TreePath, &'a TreePath>,
}

/// The names of hard links but the first of each group, and that first.
fn later_names(tree: &Tree) -> BTreeMap<&TreePath, &TreePath> {
    let groups = tree.links.0.iter();
    groups
        .flat_map(|group| group[1..].iter().map(|path| (path, &group[0])))
        .collect()
}

impl Work<'_> {
    fn dirs<'t>(&self, entry: &'t Entry, path: TreePath, plan: &mut Plan<'t>) -> Result<(), CheckoutError> {
        let below: Option<&'t Dir> = entry.node.as_dir().map(|dir| &**dir);
        let Some(dir) = below else {
            if !self.later_names.contains_key(&path) {
                plan.leaves.push((path, entry));
            }
            return Ok(());
        };
        place::make(&self.on_disk(&path), &entry.node, self.blobs).map_err(|source| failed(&path, source))?;
        plan.dirs.push((path.clone(), entry));
        for (name, entry) in dir.entries() {
            self.dirs(entry, path.join(name), plan)?;
        }
        Ok(())
    }

    /// Makes anything but a directory; gives the path back if it is a device that may not be made.
    fn leaf(&self, path: &TreePath, entry: &Entry) -> Result<Option<TreePath>, CheckoutError> {
        let device = matches!(entry.node, Node::CharDevice(_) | Node::BlockDevice(_));
        match place::make(&self.on_disk(path), &entry.node, self.blobs) {
            Err(error) if device && error.kind() == io::ErrorKind::PermissionDenied => Ok(Some(path.clone())),
            Err(source) => Err(failed(path, source)),
            Ok(()) => self.attributes(path, entry).map(|()| None),
        }
    }

    fn links(&self) -> Result<(), CheckoutError> {
        for (path, first) in &self.later_names {
            match fs::hard_link(self.on_disk(first), self.on_disk(path)) {
                // A device that was left out has no second name either.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                linked => linked.map_err(|source| failed(path, source))?,
            }
        }
        Ok(())
    }

    fn attributes(&self, path: &TreePath, entry: &Entry) -> Result<(), CheckoutError> {
        let disk = self.on_disk(path);
        self.placing
            .attributes(&disk, entry)
            .map_err(|source| failed(path, source))
    }

    fn on_disk(&self, path: &TreePath) -> PathBuf {
        self.dir.join(OsStr::from_bytes(path.as_bytes()))
    }
}

fn failed(path: &TreePath, source: io::Error) -> CheckoutError {
    CheckoutError {
        path: path.clone(),
        source,
    }
}
