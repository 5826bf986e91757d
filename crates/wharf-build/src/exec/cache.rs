//! Results: looked up by exact key and by what steps read, waited for while another process makes them, and kept.

use std::{ops::ControlFlow, time::Duration};

use wharf_graph::{
    Op, Reusable,
    event::{Event, Reuse, Warning},
    key::ExactKey,
};
use wharf_oci::{Digest, Hasher};
use wharf_solver::{Cache, Hit, Lookup, Miss, Task};
use wharf_store::{ActionKey, ActionResult, Lock, Recorder};

use super::{Engine, StepFailure, StepOutput, maker::makers_of, now, traced::Family, verify::Percent};
use crate::root::Root;

/// What a miss holds until its result is kept.
#[derive(Debug)]
pub struct Ticket {
    /// So that no other process runs the step meanwhile.
    _lock: Lock,
    began: std::time::Instant,
    /// Of a RUN: how others will find its result by what it reads.
    family: Option<Family>,
}

impl Cache for Engine {
    type Output = StepOutput;
    type Error = StepFailure;
    type Ticket = Ticket;

    fn look_up(
        &self,
        task: &Task<'_, StepOutput>,
        key: ExactKey,
    ) -> Result<Lookup<StepOutput, Ticket>, StepFailure> {
        if matches!(task.step.op, Op::Run(_)) {
            self.processes.ahead.came();
        }
        let key = ActionKey(key.0);
        let may_reuse = task.step.reuse == Reusable::Yes;
        if may_reuse && let Some(hit) = self.hit(task, key, Reuse::Exact)? {
            return Ok(Lookup::Hit(hit));
        }
        let family = self.family(task)?;
        if may_reuse && let Some(hit) = self.by_reads(task, key, family.as_ref())? {
            return Ok(Lookup::Hit(hit));
        }
        let (lock, waited_for) = self.lock(task, key)?;
        if may_reuse && let Some(pid) = waited_for {
            if let Some(hit) = self.hit(task, key, Reuse::Waited { pid })? {
                return Ok(Lookup::Hit(hit));
            }
            if let Some(hit) = self.by_reads(task, key, family.as_ref())? {
                return Ok(Lookup::Hit(hit));
            }
        }
        let reason = Some(self.reason(task, family.as_ref())?);
        let ticket = Ticket {
            _lock: lock,
            began: std::time::Instant::now(),
            family,
        };
        Ok(Lookup::Miss(Miss { ticket, reason }))
    }

    fn keep(
        &self,
        task: &Task<'_, StepOutput>,
        key: ExactKey,
        ticket: Ticket,
        output: StepOutput,
    ) -> Result<StepOutput, StepFailure> {
        let key = ActionKey(key.0);
        let Some(layer) = output.root.stored().last().copied() else {
            return Ok(output);
        };
        let parent = &task.inputs[0].root;
        let result = ActionResult {
            key,
            layer: Some(layer),
            tree: output.root.tree,
            ran_at: output.ran_at.unwrap_or_else(now),
            duration_ms: ticket.began.elapsed().as_millis() as u64,
            recorder: output.recorder,
            read_set: output.read_set,
            ran_on: Some(parent.layers_digest()),
            blobs: Vec::new(),
            rest: serde_json::Map::new(),
        };
        let (result, parent) = match self.equal_earlier(task, &result)? {
            Some(earlier) => self.in_place_of(task, result, &earlier)?,
            None => (result, parent.clone()),
        };
        self.tell_brought(task, &result)?;
        self.store.put_result(&result)?;
        if let Some(key) = copy_key(task, &result) {
            self.store.put_result(&ActionResult {
                key,
                ..result.clone()
            })?;
        }
        if let Some(family) = &ticket.family {
            self.keep_traced(family, &result, parent.clone())?;
        }
        self.set_head(task.step, key)?;
        Ok(Self::output_on(task, &parent, &result))
    }

    fn again(
        &self,
        task: &Task<'_, StepOutput>,
        key: ExactKey,
        first: &StepOutput,
    ) -> Result<StepOutput, StepFailure> {
        let (Some(parent), Some(layer)) = (task.inputs.first(), first.root.stored().last()) else {
            return Ok(first.clone());
        };
        if let Some(hit) = self.hit(task, ActionKey(key.0), Reuse::Exact)? {
            return Ok(hit.output);
        }
        // The parents' files have other times, and the step remembers some: its equal's root goes together. But an image has as many
        // layers as its history says.
        if first.root.stored().len() == parent.root.stored().len() + 1 {
            return Ok(first.clone());
        }
        let mut output = StepOutput {
            root: parent.root.with_layer(*layer, first.root.tree),
            ..first.clone()
        };
        output.makers = makers_of(task, &output);
        Ok(output)
    }

    fn doubts(&self, _: &Task<'_, StepOutput>) -> bool {
        self.verify.is_some_and(Percent::draws)
    }

    fn compare(
        &self,
        _: &Task<'_, StepOutput>,
        hit: &StepOutput,
        ran: &StepOutput,
    ) -> Result<(), StepFailure> {
        self.compare_roots(&hit.root, &ran.root)
    }
}

impl Engine {
    /// A result under the exact key.
    fn hit(
        &self,
        task: &Task<'_, StepOutput>,
        key: ActionKey,
        reuse: Reuse,
    ) -> Result<Option<Hit<StepOutput>>, StepFailure> {
        let Some(result) = self.store.result(&key)? else {
            return Ok(None);
        };
        // A layer that was found to be damaged is gone, and its step runs again.
        if let Some(layer) = &result.layer
            && !self.store.has_layer(layer)?
        {
            return Ok(None);
        }
        let Some(parent) = self.parent_for(&task.inputs[0], &result)? else {
            return Ok(None);
        };
        self.set_head(task.step, key)?;
        let saved = Some(Duration::from_millis(result.duration_ms));
        Ok(Some(Hit {
            output: Self::output_on(task, &parent, &result),
            reuse,
            saved,
        }))
    }

    /// A result found by what its step read.
    fn by_reads(
        &self,
        task: &Task<'_, StepOutput>,
        key: ActionKey,
        family: Option<&Family>,
    ) -> Result<Option<Hit<StepOutput>>, StepFailure> {
        let Some(family) = family else {
            return Ok(None);
        };
        let hit = self.traced_hit(task, key, family)?;
        if hit.is_some() {
            self.set_head(task.step, key)?;
        }
        Ok(hit)
    }

    /// What the step gives when `result` stands for it, on `parent`: the root of its first input, perhaps with other times.
    pub(super) fn output_on(task: &Task<'_, StepOutput>, parent: &Root, result: &ActionResult) -> StepOutput {
        let layer = result.layer.expect("results of steps always have a layer");
        let mut output = StepOutput {
            root: parent.with_layer(layer, result.tree),
            makers: Vec::new(),
            ran_at: Some(result.ran_at),
            recorder: result.recorder,
            read_set: result.read_set,
            commit: None,
        };
        output.makers = makers_of(task, &output);
        output
    }

    /// Locks the step; says whom it had to wait for.
    fn lock(&self, task: &Task<'_, StepOutput>, key: ActionKey) -> Result<(Lock, Option<u32>), StepFailure> {
        let mut waited_for = None;
        let lock = self.store.lock_step(&key, &mut |waiting| {
            let pid = waiting.holder.unwrap_or_default();
            if waited_for.replace(pid).is_none() {
                task.observer.observe(Event::Warning(Warning {
                    code: None,
                    message: format!(
                        "{}: waiting for process {pid}, which runs the same step",
                        task.step.name
                    ),
                    hint: None,
                    span: None,
                }));
            }
            if task.cancel.is_cancelled() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        Ok((lock.ok_or(StepFailure::Interrupted)?, waited_for))
    }

    /// An earlier result with an equal layer, in whose place this one would be only for its times and its date. So the image stays
    /// what it was: of a COPY that put the same files on the same parent, though something else in its source changed; of a RUN that
    /// ran again in its place and did what it did before.
    fn equal_earlier(
        &self,
        task: &Task<'_, StepOutput>,
        result: &ActionResult,
    ) -> Result<Option<ActionResult>, StepFailure> {
        if task.step.reuse == Reusable::No {
            return Ok(None);
        }
        let earlier = match (&task.step.op, copy_key(task, result)) {
            (Op::Run(_), _) => self.head(task.step)?,
            (_, Some(key)) => self.store.result(&key)?,
            (_, None) => None,
        };
        let tree = |result: &ActionResult| result.layer.map(|layer| layer.tree);
        Ok(match earlier {
            Some(earlier) if tree(&earlier) == tree(result) && self.has_layer_of(&earlier)? => Some(earlier),
            _ => None,
        })
    }

    fn has_layer_of(&self, result: &ActionResult) -> Result<bool, StepFailure> {
        Ok(match &result.layer {
            Some(layer) => self.store.has_layer(layer)?,
            None => false,
        })
    }
}

/// Names a COPY or WORKDIR by what it did instead of by where its files came from.
fn copy_key(task: &Task<'_, StepOutput>, result: &ActionResult) -> Option<ActionKey> {
    if !matches!(task.step.op, Op::Copy(_) | Op::Mkdir(_)) {
        return None;
    }
    let mut hasher = Hasher::new();
    hasher.update(b"wharf copied layer 1\0");
    let op: Digest = task.step.op.digest();
    for digest in [op, task.inputs[0].root.tree.0, result.layer?.tree.0] {
        hasher.update(digest.as_bytes());
    }
    Some(ActionKey(hasher.finish()))
}

impl Default for StepOutput {
    fn default() -> Self {
        Self {
            root: Root::empty(),
            makers: Vec::new(),
            ran_at: None,
            recorder: Recorder::None,
            read_set: None,
            commit: None,
        }
    }
}
