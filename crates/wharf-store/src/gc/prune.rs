//! What is not named by digests: cache mounts, build records, stat caches, heads, the records of boots, locks of dead processes.

use rustix::fs::FlockOperation;

use super::{GcPolicy, GcReport};
use crate::{
    cache_mount::ABOUT,
    df::{Usage, usage_below},
    disk::allocated,
    error::StoreError,
    layout::{self, BOOTS, CACHES, HEADS, LOCKS, RESULTS, STAT},
    lock::{self, Attempt},
    result::ActionKey,
    stamp::Stamp,
    store::Store,
};

/// Stat caches of contexts that were not built for so long go.
const STAT_DAYS: i64 = 30;

/// So many boots are remembered. What was written during older ones is hashed once.
const MAX_BOOTS: usize = 64;

/// Prunes all of them, as far as the policy says so.
pub(super) fn all(store: &Store, policy: &GcPolicy, report: &mut GcReport) -> Result<(), StoreError> {
    caches(store, policy, report)?;
    records(store, policy, report)?;
    if policy.dry_run {
        return Ok(());
    }
    heads(store)?;
    locks(store)?;
    let now = Stamp::now();
    oldest(store, STAT, |_, used| {
        now.seconds_since(&used) > STAT_DAYS * 86_400
    })?;
    oldest(store, BOOTS, |rank, _| rank >= MAX_BOOTS)
}

/// Removes the cache mounts that are not in use and were not for too long, then the least recently used ones until the cap holds.
fn caches(store: &Store, policy: &GcPolicy, report: &mut GcReport) -> Result<(), StoreError> {
    if policy.max_cache_bytes.is_none() && policy.max_cache_age.is_none() {
        return Ok(());
    }
    let now = Stamp::now();
    let is_old = |used: Option<Stamp>| {
        let age = used.map_or(i64::MAX, |used| now.seconds_since(&used));
        policy
            .max_cache_age
            .is_some_and(|max| u64::try_from(age).is_ok_and(|age| age > max.as_secs()))
    };
    let mut caches = Vec::new();
    for name in store.disk().list(CACHES)? {
        let place = layout::file(CACHES, &name);
        let about = store.disk().stat(&layout::file(&place, ABOUT))?;
        let usage = usage_below(&store.disk().locate(&place));
        caches.push((about.map(|about| Stamp::used(&about)), place, usage));
    }
    caches.sort_by_key(|(used, ..)| *used);
    let mut total: u64 = caches.iter().map(|(_, _, usage)| usage.bytes).sum();
    for (used, place, usage) in caches {
        let is_over = policy.max_cache_bytes.is_some_and(|max| total > max);
        if (is_over || is_old(used)) && (policy.dry_run || remove_cache(store, &place)?) {
            total -= usage.bytes;
            report.add_removed(Usage { count: 1, ..usage });
        }
    }
    Ok(())
}

/// Takes a cache mount away unless one of its directories is in use; whether it is gone.
fn remove_cache(store: &Store, place: &str) -> Result<bool, StoreError> {
    let mut locked = Vec::new();
    for name in store
        .disk()
        .list(place)?
        .iter()
        .filter(|name| name.strip_suffix(".lock").is_some())
    {
        match lock::try_lock(
            store.disk(),
            &layout::file(place, name),
            FlockOperation::NonBlockingLockExclusive,
        )? {
            Attempt::Taken(lock) => locked.push(lock),
            Attempt::Busy(_) => return Ok(false),
        }
    }
    // From here on nobody finds it; who has one of its locks open sees that the file is at its place no more.
    let aside = store.lease()?.scratch(store.disk())?;
    store.disk().rename(place, &aside)?;
    store.remove_tree(&store.disk().locate(&aside))?;
    Ok(true)
}

fn records(store: &Store, policy: &GcPolicy, report: &mut GcReport) -> Result<(), StoreError> {
    let records = store.records()?;
    let excess = policy
        .max_records
        .map_or(0, |max| records.len().saturating_sub(max));
    for id in &records[..excess] {
        let bytes = store.disk().stat(&id.place())?.map_or(0, |stat| allocated(&stat));
        if policy.dry_run || store.remove_record(id)? {
            report.add_removed(Usage { count: 1, bytes });
        }
    }
    Ok(())
}

/// Heads whose result is gone.
fn heads(store: &Store) -> Result<(), StoreError> {
    let disk = store.disk();
    for family in disk.list(HEADS)? {
        let family = layout::file(HEADS, &family);
        for lane in disk.list(&family)? {
            let place = layout::file(&family, &lane);
            let key: Option<ActionKey> = store.read_overwritten(&place)?;
            let stale = match key {
                Some(key) => disk.stat(&layout::object(RESULTS, &key.0))?.is_none(),
                None => true,
            };
            if stale {
                disk.remove(&place)?;
            }
        }
        disk.remove_dir(&family)?;
    }
    Ok(())
}

/// Lock files that nobody locks.
fn locks(store: &Store) -> Result<(), StoreError> {
    for name in store.disk().list(LOCKS)? {
        let place = layout::file(LOCKS, &name);
        let attempt = lock::try_lock(store.disk(), &place, FlockOperation::NonBlockingLockExclusive)?;
        if matches!(attempt, Attempt::Taken(_)) {
            store.disk().remove(&place)?;
        }
    }
    Ok(())
}

/// Removes the files that `goes` says so of, by their rank (0 is the one used last) and the time of their last use.
fn oldest(store: &Store, directory: &str, goes: impl Fn(usize, Stamp) -> bool) -> Result<(), StoreError> {
    let mut files = Vec::new();
    for name in store.disk().list(directory)? {
        let place = layout::file(directory, &name);
        files.extend(store.disk().stat(&place)?.map(|stat| (Stamp::used(&stat), place)));
    }
    files.sort();
    for (rank, (used, place)) in files.iter().rev().enumerate() {
        if goes(rank, *used) {
            store.disk().remove(place)?;
        }
    }
    Ok(())
}
