//! Which results, memos and slots go: those that are damaged or too old, and, beyond the cap, the least recently used.

use std::{cmp::Reverse, collections::HashSet};

use super::{
    GcPolicy, Living,
    census::{Census, Counted, Object},
    mark::Marker,
    sweep::Victim,
};
use crate::{
    df::Usage, disk::allocated, entries::Entry, error::StoreError, root::Root, stamp::Stamp, store::Store,
};

/// What a collection has decided.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) evicted: Vec<Victim>,
    kept_entries: Usage,
    kept: Vec<Object>,
}

/// Decides, without touching anything.
pub(super) fn plan(
    store: &Store,
    policy: &GcPolicy,
    census: &Census,
    living: &Living,
) -> Result<Plan, StoreError> {
    let mut entries = store.entries()?;
    entries.sort_by_key(|entry| Reverse(Stamp::used(&entry.stat)));
    let mut planner = Planner {
        policy,
        census,
        marker: Marker::new(store),
        held: HashSet::new(),
        used: 0,
        full: false,
        plan: Plan::default(),
    };
    planner.protect(store, living)?;
    for entry in entries {
        planner.decide(entry, living.horizon)?;
    }
    Ok(planner.plan)
}

struct Planner<'a> {
    policy: &'a GcPolicy,
    census: &'a Census,
    marker: Marker<'a>,
    /// What images, pins and leases name.
    held: HashSet<Root>,
    /// Bytes of what is kept so far.
    used: u64,
    /// Something did not fit any more: nothing older is kept, however small.
    full: bool,
    plan: Plan,
}

impl Planner<'_> {
    /// What stays whatever the cap says.
    fn protect(&mut self, store: &Store, living: &Living) -> Result<(), StoreError> {
        let roots = [store.kept_roots()?, living.roots.clone()].concat();
        let mut kept = self.marker.mark(&roots)?;
        for ((kind, digest), _) in self
            .census
            .objects
            .iter()
            .filter(|(_, counted)| counted.used >= living.horizon)
        {
            kept.extend(self.marker.mark_object((*kind, *digest))?);
        }
        self.used = self.bytes(&kept);
        self.plan.kept = kept;
        self.held = roots.into_iter().collect();
        Ok(())
    }

    fn decide(&mut self, entry: Entry, horizon: Stamp) -> Result<(), StoreError> {
        let counted = Counted {
            bytes: allocated(&entry.stat),
            used: Stamp::used(&entry.stat),
        };
        let Some(roots) = entry.roots else {
            self.plan.evicted.push(Victim {
                place: entry.place,
                counted,
            });
            return Ok(());
        };
        let new = self.marker.mark(&roots)?;
        let bytes = self.bytes(&new) + counted.bytes;
        let held = entry
            .result
            .is_some_and(|key| self.held.contains(&Root::Result(key)));
        let protected = held || counted.used >= horizon;
        self.full |= !protected && self.policy.max_bytes.is_some_and(|max| self.used + bytes > max);
        if protected || !(self.full || self.is_old(counted.used)) {
            self.used += bytes;
            self.plan.kept.extend(new);
            self.plan.kept_entries = self.plan.kept_entries.and(counted.bytes);
        } else {
            self.marker.unmark(&new);
            self.plan.evicted.push(Victim {
                place: entry.place,
                counted,
            });
        }
        Ok(())
    }

    fn is_old(&self, used: Stamp) -> bool {
        let age = Stamp::now().seconds_since(&used);
        self.policy.max_age.is_some_and(|max| age >= max.as_secs() as i64)
    }

    fn bytes(&self, objects: &[Object]) -> u64 {
        objects
            .iter()
            .filter_map(|object| self.census.objects.get(object))
            .map(|counted| counted.bytes)
            .sum()
    }
}

impl Plan {
    /// Everything that was counted.
    pub(super) fn all(&self, census: &Census) -> Usage {
        let objects = census.objects.values();
        let evicted = self.evicted.iter().map(|victim| &victim.counted);
        objects
            .chain(evicted)
            .fold(self.kept_entries, |usage, counted| usage.and(counted.bytes))
    }

    /// What of it would stay.
    pub(super) fn kept(&self, census: &Census) -> Usage {
        let objects = self.kept.iter().filter_map(|object| census.objects.get(object));
        objects.fold(self.kept_entries, |usage, counted| usage.and(counted.bytes))
    }
}
