//! Scratch directories of running builds, and those that dead ones have left.

use std::{
    path::{Path, PathBuf},
    thread,
};

use crate::{
    disk::{Disk, is_dir},
    error::StoreError,
    layout::{self, LEASES, WORK},
    lease::{self, State},
    remove,
    store::{RemoveTree, Store},
};

/// A scratch directory on the store's file system. Removed when dropped, or by the next process if this one dies.
#[derive(Debug)]
pub struct WorkDir {
    path: PathBuf,
    store: Store,
}

impl WorkDir {
    /// Where it is: absolute if the store's path is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        // What cannot be removed stays below the lease's directory, which is tried again when the handle is dropped.
        drop(self.store.remove_tree(&self.path));
    }
}

impl Store {
    /// A new, empty scratch directory of mode 0700.
    pub fn work_dir(&self) -> Result<WorkDir, StoreError> {
        let place = self.lease()?.scratch(self.disk())?;
        self.disk().make_dir(&place)?;
        Ok(WorkDir {
            path: self.disk().locate(&place),
            store: self.clone(),
        })
    }
}

impl Store {
    /// Removes what is at `path` and below, with the help that the options offer.
    pub(crate) fn remove_tree(&self, path: &Path) -> Result<(), StoreError> {
        remove::tree(path, self.options().remove_tree.as_ref())
            .map_err(|error| StoreError::new("remove", path, error))
    }
}

/// Removes the scratch and the leases of dead processes, in a thread of its own if there are any.
pub(crate) fn clean_in_background(disk: &Disk, help: Option<RemoveTree>) -> Result<(), StoreError> {
    let dead = dead(disk)?;
    if dead.is_empty() {
        return Ok(());
    }
    let disk = Disk::open(disk.path())?;
    let thread = thread::Builder::new().name("store-clean".to_owned());
    // Without a thread the next one to open the store does it.
    drop(thread.spawn(move || clean(&disk, dead, help.as_ref())));
    Ok(())
}

/// Like [`clean_in_background`], here and now.
pub(crate) fn clean_now(disk: &Disk, help: Option<&RemoveTree>) -> Result<(), StoreError> {
    clean(disk, dead(disk)?, help);
    Ok(())
}

/// Something that nobody owns any more.
#[derive(Debug)]
enum Dead {
    /// A lease and its scratch directory. The lock on the lease is ours as long as this lives.
    Lease(State),
    /// A scratch directory whose lease is gone.
    Directory(String),
    /// A lease that was not yet in its place. Its owner, should it live, makes another.
    File(String),
}

/// What dead processes have left. Scratch is listed before the leases: a directory there is made after its lease, so one that
/// has none has none any more.
fn dead(disk: &Disk) -> Result<Vec<Dead>, StoreError> {
    let mut scratch = Vec::new();
    for name in disk.list(WORK)? {
        if let Some(stat) = disk.stat(&layout::file(WORK, &name))? {
            scratch.push((name, is_dir(&stat)));
        }
    }
    let leases = lease::all(disk)?;
    scratch.retain(|(name, _)| !leases.iter().any(|lease| lease.name() == name));
    let ownerless = scratch.into_iter().map(|(name, directory)| {
        if directory {
            Dead::Directory(name)
        } else {
            Dead::File(name)
        }
    });
    let dead = leases
        .into_iter()
        .filter(|lease| matches!(lease, State::Dead(..)));
    Ok(dead.map(Dead::Lease).chain(ownerless).collect())
}

/// Removes what can be removed; what cannot, the next one tries again.
fn clean(disk: &Disk, dead: Vec<Dead>, help: Option<&RemoveTree>) {
    let scratch = |name: &str| layout::file(WORK, name);
    for dead in dead {
        match dead {
            Dead::Lease(lease) => {
                if remove::tree(&disk.locate(&scratch(lease.name())), help).is_ok() {
                    drop(disk.remove(&layout::file(LEASES, lease.name())));
                }
            }
            Dead::Directory(name) => drop(remove::tree(&disk.locate(&scratch(&name)), help)),
            Dead::File(name) => drop(disk.remove(&scratch(&name))),
        }
    }
}
