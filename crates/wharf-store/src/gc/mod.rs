//! Garbage collection: what nothing needs goes; then the least recently used results, until the cap holds.
//!
//! It runs beside builds without stopping them, on two rules. Whoever relies on an object marks it as used *by its path*, with a
//! lease older than that. And an object is moved aside before it is deleted, and looked at again there: one that was used since the count
//! goes back. So a use either comes first, and the object stays, or comes too late, finds nothing, and is a plain miss.
//! What an object needs is looked up only after it can no longer go: entries, then trees, then all else.

mod census;
mod mark;
mod plan;
mod prune;
mod sweep;

use std::time::Duration;

use rustix::fs::FlockOperation;

use crate::{
    df::Usage,
    disk::Disk,
    error::StoreError,
    layout::{self, LOCKS, TRASH},
    lease::{self, State},
    lock::{self, Attempt, Flock},
    root::Root,
    stamp::Stamp,
    store::Store,
    work,
};

pub(crate) use census::{Kind, digests};

use census::Census;
use mark::Marker;
use sweep::Sweep;

/// What to keep.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GcPolicy {
    /// Cap for blobs, trees, results and what belongs to them, in bytes on disk. What images, pins and running builds need is
    /// kept even beyond it.
    pub max_bytes: Option<u64>,
    /// Cap for the cache mounts, in bytes on disk. Those in use are kept.
    pub max_cache_bytes: Option<u64>,
    /// How long cache mounts are kept after their last use. Those in use are kept.
    pub max_cache_age: Option<Duration>,
    /// How long results and memos are kept after their last use.
    pub max_age: Option<Duration>,
    /// How many build records are kept.
    pub max_records: Option<usize>,
    /// Only say what would go.
    pub dry_run: bool,
}

/// What was done, or with [`GcPolicy::dry_run`] would be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GcReport {
    /// Objects removed: blobs, trees, results and the like, records and cache mounts.
    pub removed: u64,
    /// Bytes on disk freed.
    pub freed: u64,
    /// Blobs, trees, results and what belongs to them that are kept.
    pub kept: u64,
    /// Bytes on disk that they take.
    pub kept_bytes: u64,
}

impl GcReport {
    fn new(all: Usage, removed: Usage) -> Self {
        let kept = all.minus(removed);
        Self {
            removed: removed.count,
            freed: removed.bytes,
            kept: kept.count,
            kept_bytes: kept.bytes,
        }
    }

    fn add_removed(&mut self, usage: Usage) {
        self.removed += usage.count;
        self.freed += usage.bytes;
    }
}

/// Why garbage was not collected.
#[derive(Debug, thiserror::Error)]
pub enum GcError {
    /// Another process is collecting garbage in this store, or verifying it.
    #[error("another process{} is collecting garbage in this store or verifying it", pid.map(|pid| format!(" ({pid})")).unwrap_or_default())]
    Running {
        /// Which one, if it can be known.
        pid: Option<u32>,
    },
    /// The file system refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Removes what nothing needs, then the least recently used results until the caps hold. Safe beside running builds; works on a full
    /// disk.
    pub fn gc(&self, policy: &GcPolicy) -> Result<GcReport, GcError> {
        let lock = self.lock_maintenance()?;
        work::clean_now(self.disk(), self.options().remove_tree.as_ref())?;
        let mut report = self.collect(policy)?;
        prune::all(self, policy, &mut report)?;
        drop(lock);
        Ok(report)
    }

    fn collect(&self, policy: &GcPolicy) -> Result<GcReport, StoreError> {
        let living = Living::read(self)?;
        let census = Census::take(self)?;
        let plan = plan::plan(self, policy, &census, &living)?;
        let all = plan.all(&census);
        if policy.dry_run {
            return Ok(GcReport::new(all, all.minus(plan.kept(&census))));
        }
        let mut sweep = Sweep::new(self);
        sweep.objects(&plan.evicted)?;

        let mut marker = Marker::new(self);
        marker.mark_without_blobs(&self.all_roots(&living)?)?;
        sweep.objects(&census.unmarked(&[Kind::Tree], &marker, living.horizon))?;

        let mut marker = Marker::new(self);
        marker.mark(&self.all_roots(&Living::read(self)?)?)?;
        marker.mark_all_trees()?;
        sweep.objects(&census.unmarked(&[Kind::Blob, Kind::Times, Kind::Paths], &marker, living.horizon))?;
        Ok(GcReport::new(all, sweep.removed))
    }

    /// Everything that anything in the store names by now.
    fn all_roots(&self, living: &Living) -> Result<Vec<Root>, StoreError> {
        let mut roots = self.kept_roots()?;
        roots.extend(&living.roots);
        roots.extend(
            self.entries()?
                .into_iter()
                .filter_map(|entry| entry.roots)
                .flatten(),
        );
        Ok(roots)
    }

    /// What images and pins name.
    pub(crate) fn kept_roots(&self) -> Result<Vec<Root>, StoreError> {
        let images = self.images()?.into_iter().flat_map(|(_, image)| image.roots());
        let pins = self.pins()?.into_iter().flat_map(|(_, roots)| roots);
        Ok(images.chain(pins).collect())
    }

    /// One process at a time collects garbage or verifies. What a killed one has left is undone first.
    pub(crate) fn lock_maintenance(&self) -> Result<Flock, GcError> {
        match try_lock(self.disk())? {
            Attempt::Taken(lock) => {
                sweep::restore(self.disk())?;
                Ok(lock)
            }
            Attempt::Busy(pid) => Err(GcError::Running { pid }),
        }
    }
}

/// Undoes what a killed collection has left, unless one is running.
pub(crate) fn undo_killed(disk: &Disk) -> Result<(), StoreError> {
    if disk.list(TRASH)?.is_empty() {
        return Ok(());
    }
    match try_lock(disk)? {
        Attempt::Taken(_lock) => sweep::restore(disk),
        Attempt::Busy(_) => Ok(()),
    }
}

fn try_lock(disk: &Disk) -> Result<Attempt<Flock>, StoreError> {
    let place = layout::file(LOCKS, "maintenance");
    lock::try_lock(disk, &place, FlockOperation::NonBlockingLockExclusive)
}

/// What running processes need.
#[derive(Debug)]
struct Living {
    /// What was written or used from here on is kept.
    horizon: Stamp,
    roots: Vec<Root>,
}

impl Living {
    fn read(store: &Store) -> Result<Self, StoreError> {
        let mut living = Self {
            horizon: Stamp::now(),
            roots: Vec::new(),
        };
        for lease in lease::all(store.disk())? {
            if let State::Alive(lease) = lease {
                living.horizon = living.horizon.min(lease.start.unwrap_or(living.horizon));
                living.roots.extend(lease.roots);
            }
        }
        Ok(living)
    }
}
