//! Reuse by what a step read: family key → path sets → strong key → result, whose layer is laid on the new parent.
//!
//! A path set is the questions that a step of the family once asked. If the new roots answer them as the old ones did, the
//! step would do what it did. The sets of a family lie in slots, found under the step's own lane first, so that many projects with
//! the same RUN do not push each other's sets out, and then under the empty one, where all of them meet.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use wharf_graph::{
    Mount, Op, Resolved, RunOp, SecurityMode,
    event::Reuse,
    key::{FamilyKey, Lane, SLOTS, SlotKey},
};
use wharf_oci::Digest;
use wharf_solver::{Hit, Task};
use wharf_store::{ActionKey, ActionResult};
use wharf_tree::{
    FollowLast, Tree,
    readset::{self, PathSetDigest, ReadSet},
};

use super::{Engine, StepFailure, StepOutput, identity::resolve_user};
use crate::root::Root;

/// A RUN step as reuse by what it read knows it.
#[derive(Debug)]
pub(super) struct Family {
    key: FamilyKey,
    lane: Lane,
    /// Its roots: its own, then one for each bind mount.
    pub(super) roots: Vec<Root>,
    trees: Vec<Arc<Tree>>,
}

impl Family {
    pub(super) fn trees(&self) -> Vec<&Tree> {
        self.trees.iter().map(AsRef::as_ref).collect()
    }

    pub(super) const fn key(&self) -> &FamilyKey {
        &self.key
    }

    pub(super) const fn lane(&self) -> &Lane {
        &self.lane
    }

    fn slots(&self, lane: Lane) -> impl Iterator<Item = Digest> {
        (0..SLOTS).map(move |slot| SlotKey::new(self.key, lane, slot).0)
    }
}

/// The roots of a RUN: its own, then those of its bind mounts in their order. A read set numbers them so.
pub(super) fn roots_of<'t>(run: &RunOp, inputs: &'t [StepOutput]) -> impl Iterator<Item = &'t StepOutput> {
    let binds = run.mounts.iter().filter_map(|mount| match mount {
        Mount::Bind(bind) => Some(bind.input.0 as usize),
        _ => None,
    });
    let binds: Vec<usize> = binds.collect();
    std::iter::once(0).chain(binds).map(|index| &inputs[index])
}

/// Whether what the process will see has extended attributes and access control lists anywhere: its root, and of other roots what is mounted.
fn attributes_of(run: &RunOp, trees: &[Arc<Tree>]) -> (bool, bool) {
    let binds = run.mounts.iter().filter_map(|mount| match mount {
        Mount::Bind(bind) => Some(&bind.source),
        _ => None,
    });
    let mounted = binds.zip(&trees[1..]).filter_map(|(source, tree)| {
        let found = tree.lookup(source, FollowLast::Yes).ok()?;
        Some(found.entry)
    });
    let entries = std::iter::once(&trees[0].root).chain(mounted);
    entries.fold((false, false), |(xattrs, acls), entry| {
        let below = entry.node.as_dir().map(|dir| dir.summary()).unwrap_or_default();
        (
            xattrs || below.xattrs || entry.attrs.xattrs.is_some(),
            acls || below.acls || entry.attrs.has_acl(),
        )
    })
}

impl Engine {
    /// The family of a step; `None` for steps that are no RUN, and for those that can see what no root holds: with all
    /// capabilities the machine's devices are in reach.
    pub(super) fn family(&self, task: &Task<'_, StepOutput>) -> Result<Option<Family>, StepFailure> {
        let Op::Run(run) = &task.step.op else {
            return Ok(None);
        };
        if run.security == SecurityMode::Insecure {
            return Ok(None);
        }
        let roots: Vec<Root> = roots_of(run, task.inputs)
            .map(|output| output.root.clone())
            .collect();
        let trees = roots.iter().map(|root| self.roots.tree(root));
        let trees: Vec<Arc<Tree>> = trees.collect::<Result<_, _>>()?;
        let (has_xattrs, has_acls) = attributes_of(run, &trees);
        let resolved = Resolved {
            user: Some(resolve_user(&run.user, &trees[0], &self.store)?),
            has_xattrs,
            has_acls,
            ..self.resolved()
        };
        Ok(Some(Family {
            key: FamilyKey::new(task.step, &resolved),
            lane: self.lanes.of(task.step.id),
            roots,
            trees,
        }))
    }

    /// A result whose questions have the same answers here.
    pub(super) fn traced_hit(
        &self,
        task: &Task<'_, StepOutput>,
        exact: ActionKey,
        family: &Family,
    ) -> Result<Option<Hit<StepOutput>>, StepFailure> {
        let mut tried = BTreeSet::new();
        for slot in family.slots(family.lane).chain(family.slots(Lane::empty())) {
            let Some(set) = self.store.path_slot(&slot)? else {
                continue;
            };
            if !tried.insert(set) {
                continue;
            }
            if let Some(result) = self.answered_before(family, set)?
                && let Some(hit) = self.stand_in(task, exact, &result, Some(&task.inputs[0].root))?
            {
                return Ok(Some(hit));
            }
            let Some(result) = self.answered(family, set)? else {
                continue;
            };
            if self.edited_behind_mounts(family, &result)? {
                continue;
            }
            let parent = self.parent_for(&task.inputs[0], &result)?;
            if let Some(hit) = self.stand_in(task, exact, &result, parent.as_ref())? {
                if parent.is_some_and(|parent| parent == task.inputs[0].root) {
                    self.remember_answers(family, set, &result, family.roots.clone())?;
                }
                return Ok(Some(hit));
            }
        }
        Ok(None)
    }

    /// The result of the step that asked this set and was told what the family's roots tell.
    fn answered(&self, family: &Family, set: Digest) -> Result<Option<ActionResult>, StepFailure> {
        let Some(bytes) = self.store.path_set(&set)? else {
            return Ok(None);
        };
        // One that cannot be read is of another version: a miss.
        match readset::strong_key(&bytes, &family.key.0, PathSetDigest(set), &family.trees()) {
            Ok(key) => Ok(self.store.result(&ActionKey(key.0))?),
            Err(_) => Ok(None),
        }
    }

    /// Whether a file behind a bind mount that the step did not read, but may have compared by its time, has both another time and another
    /// content. Those of the step's own root are seen to where their times are.
    fn edited_behind_mounts(&self, family: &Family, result: &ActionResult) -> Result<bool, StepFailure> {
        let trees = family.trees();
        if trees.len() == 1 {
            return Ok(false);
        }
        let reads = self.reads_of(result)?;
        Ok(reads.is_some_and(|reads| {
            let mut others = reads.other_times(&trees);
            others.any(|other| other.place.root > 0 && other.edited.is_some())
        }))
    }

    /// Lays the layer of `result` on `parent`, if it fits in every respect, and keeps that under the exact key.
    fn stand_in(
        &self,
        task: &Task<'_, StepOutput>,
        exact: ActionKey,
        result: &ActionResult,
        parent: Option<&Root>,
    ) -> Result<Option<Hit<StepOutput>>, StepFailure> {
        let (Some(layer), Some(parent)) = (result.layer, parent) else {
            return Ok(None);
        };
        if !self.store.has_layer(&layer)? {
            return Ok(None);
        }
        let Some(root) = self.roots.regraft(parent, layer)? else {
            return Ok(None);
        };
        let result = ActionResult {
            key: exact,
            tree: root.tree,
            ran_on: Some(parent.layers_digest()),
            ..result.clone()
        };
        self.store.put_result(&result)?;
        Ok(Some(Hit {
            output: Self::output_on(task, parent, &result),
            reuse: Reuse::Traced,
            saved: Some(Duration::from_millis(result.duration_ms)),
        }))
    }

    /// Makes a result, which stands on `parent`, findable by what its step read.
    pub(super) fn keep_traced(
        &self,
        family: &Family,
        result: &ActionResult,
        parent: Root,
    ) -> Result<(), StepFailure> {
        let Some(reads) = self.reads_of(result)? else {
            return Ok(());
        };
        let set = self.store.put_path_set(&reads.path_set_bytes())?;
        let key = ActionKey(reads.strong_key(&family.key.0, PathSetDigest(set)).0);
        let result = ActionResult {
            key,
            ..result.clone()
        };
        self.store.put_result(&result)?;
        let binds = family.roots.iter().skip(1).cloned();
        self.remember_answers(
            family,
            set,
            &result,
            std::iter::once(parent).chain(binds).collect(),
        )?;
        for lane in [family.lane, Lane::empty()] {
            self.fill_slot(family, lane, set)?;
        }
        Ok(())
    }

    /// Puts a path set into the slot that has it, else the first empty one, else the one that its digest names.
    fn fill_slot(&self, family: &Family, lane: Lane, set: Digest) -> Result<(), StepFailure> {
        let slots: Vec<Digest> = family.slots(lane).collect();
        let mut empty = None;
        for slot in &slots {
            match self.store.path_slot(slot)? {
                Some(there) if there == set => return Ok(()),
                Some(_) => {}
                None => empty = empty.or(Some(slot)),
            }
        }
        let named = &slots[usize::from(set.as_bytes()[31] % SLOTS)];
        Ok(self.store.set_path_slot(empty.unwrap_or(named), &set)?)
    }

    /// What the step of a result read; `None` when nobody saw it, or it is lost.
    pub(super) fn reads_of(&self, result: &ActionResult) -> Result<Option<ReadSet>, StepFailure> {
        match &result.read_set {
            Some(digest) => self.read_set(digest),
            None => Ok(None),
        }
    }

    pub(super) fn read_set(&self, digest: &Digest) -> Result<Option<ReadSet>, StepFailure> {
        let bytes = self.store.path_set(digest)?;
        Ok(bytes.and_then(|bytes| ReadSet::from_bytes(&bytes).ok()))
    }
}
