//! Cache mounts: directories by id that steps of any build write to.
//!
//! `caches/<id>/` holds `about` (the id as text) and, for each directory number n, `<n>` itself, the lock `<n>.lock` and, once it
//! has been filled, `<n>.filled`. Number 0 is everybody's; the others are made for `private` users that found the lower numbers in use.

use std::{
    io,
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

use crate::{
    error::StoreError,
    layout::{self, CACHES},
    lock::{self, Attempt, Flock, Wait},
    store::Store,
};

/// What happens when two steps want one cache mount. Dockerfile reference, `RUN --mount=type=cache`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sharing {
    /// Both use it.
    Shared,
    /// The second gets a directory of its own.
    Private,
    /// The second waits.
    Locked,
}

/// A cache mount in use; let go when dropped.
#[derive(Debug)]
pub struct CacheMount {
    store: Store,
    /// The directory, relative to the store.
    place: String,
    path: PathBuf,
    sharing: Sharing,
    filled: bool,
    lock: Flock,
}

impl CacheMount {
    /// The directory to mount.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether nobody has filled it yet (`from=`, owner and mode). Then it is held exclusively, until [`CacheMount::filled`]; what
    /// a dead process left half filled has been removed.
    pub const fn is_new(&self) -> bool {
        !self.filled
    }

    /// Says that it is filled: others may use it as `sharing` allows.
    pub fn filled(&mut self) -> Result<(), StoreError> {
        let disk = self.store.disk();
        disk.open_or_create(&format!("{}.filled", self.place))?;
        self.filled = true;
        match self.sharing {
            Sharing::Shared => {
                flock(&self.lock, FlockOperation::LockShared).map_err(disk.fail("lock", &self.place))
            }
            Sharing::Private | Sharing::Locked => Ok(()),
        }
    }
}

impl Store {
    /// Opens the cache mount called `id`; waits where `sharing` says so, as [`Store::lock_step`] does.
    pub fn cache_mount(
        &self,
        id: &str,
        sharing: Sharing,
        wait: Wait<'_>,
    ) -> Result<Option<CacheMount>, StoreError> {
        let directory = layout::file(CACHES, &layout::file_name(id));
        lock::poll(wait, || match self.open_cache(&directory, id, sharing) {
            // Garbage collection has just taken it away: it is made again.
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(Attempt::Busy(None))
            }
            attempt => attempt,
        })
    }

    fn open_cache(
        &self,
        directory: &str,
        id: &str,
        sharing: Sharing,
    ) -> Result<Attempt<CacheMount>, StoreError> {
        self.name_cache(directory, id)?;
        match sharing {
            Sharing::Private => self.first_free(directory),
            Sharing::Shared | Sharing::Locked => self.open_numbered(format!("{directory}/0"), sharing),
        }
    }

    fn name_cache(&self, directory: &str, id: &str) -> Result<(), StoreError> {
        let about = layout::file(directory, ABOUT);
        if !self.disk().touch(&about)? {
            self.disk().make_dir(directory)?;
            self.write_record(&about, &id)?;
        }
        Ok(())
    }

    fn first_free(&self, directory: &str) -> Result<Attempt<CacheMount>, StoreError> {
        let mut number = 0;
        loop {
            match self.open_numbered(format!("{directory}/{number}"), Sharing::Private)? {
                Attempt::Busy(_) => number += 1,
                taken @ Attempt::Taken(_) => return Ok(taken),
            }
        }
    }

    /// One attempt. A directory that is not filled is opened exclusively whatever the sharing.
    fn open_numbered(&self, place: String, sharing: Sharing) -> Result<Attempt<CacheMount>, StoreError> {
        let disk = self.disk();
        let filled = || disk.stat(&format!("{place}.filled")).map(|stat| stat.is_some());
        let operation = if sharing == Sharing::Shared && filled()? {
            FlockOperation::NonBlockingLockShared
        } else {
            FlockOperation::NonBlockingLockExclusive
        };
        let lock = match lock::try_lock(disk, &format!("{place}.lock"), operation)? {
            Attempt::Taken(lock) => lock,
            Attempt::Busy(pid) => return Ok(Attempt::Busy(pid)),
        };
        let filled = filled()?;
        if !filled {
            self.remove_tree(&disk.locate(&place))?;
        }
        disk.make_dir(&place)?;
        if filled && sharing == Sharing::Shared {
            flock(&lock, FlockOperation::LockShared).map_err(disk.fail("lock", &place))?;
        }
        let path = disk.locate(&place);
        Ok(Attempt::Taken(CacheMount {
            store: self.clone(),
            place,
            path,
            sharing,
            filled,
            lock,
        }))
    }
}

/// The record that holds a cache mount's id; its access time is that of the last use.
pub(crate) const ABOUT: &str = "about";
