//! Where each step of a graph stands: the lanes in which path sets and last results are kept apart.

use std::collections::HashMap;

use wharf_graph::{Graph, Resolved, Step, StepId, key::FamilyKey, key::Lane};
use wharf_store::{ActionKey, ActionResult};

use super::{Engine, StepFailure};

/// The lane of every step, and its family as far as it is known before any file is read.
#[derive(Debug, Default)]
pub struct Lanes(Vec<(FamilyKey, Lane)>);

impl Lanes {
    /// The lanes of `graph`. `project` names the context and the Dockerfile by their paths in the repository.
    pub fn new(graph: &Graph, project: &str, resolved: &Resolved) -> Self {
        let mut seen: HashMap<(&str, FamilyKey), u32> = HashMap::new();
        let lane = |step| {
            let stage = stage_of(step);
            let family = FamilyKey::new(step, resolved);
            let ordinal = seen.entry((stage, family)).or_default();
            let lane = Lane::new(project, stage, *ordinal);
            *ordinal += 1;
            (family, lane)
        };
        Self(graph.steps.iter().map(lane).collect())
    }

    /// The lane of a step.
    pub fn of(&self, step: StepId) -> Lane {
        self.0[step.0 as usize].1
    }
}

fn stage_of(step: &Step) -> &str {
    step.origin.as_ref().map_or("", |origin| &origin.stage)
}

/// The last result of each place. Its family is that of the op as written: names of users are not looked up for it.
impl Engine {
    /// The last result of this step in this place.
    pub(super) fn head(&self, step: &Step) -> Result<Option<ActionResult>, StepFailure> {
        match self.head_key(step)? {
            Some(key) => Ok(self.store.result(&key)?),
            None => Ok(None),
        }
    }

    pub(super) fn head_key(&self, step: &Step) -> Result<Option<ActionKey>, StepFailure> {
        let (family, lane) = self.lanes.0[step.id.0 as usize];
        Ok(self.store.head(&family.0, &lane.0)?)
    }

    /// Says that `key` is the last result in this place; writes only what is new.
    pub(super) fn set_head(&self, step: &Step, key: ActionKey) -> Result<(), StepFailure> {
        if self.head_key(step)? == Some(key) {
            return Ok(());
        }
        let (family, lane) = self.lanes.0[step.id.0 as usize];
        Ok(self.store.set_head(&family.0, &lane.0, &key)?)
    }
}
