//! Results by exact key: looked up, waited for while another process makes them, and kept.

use std::{ops::ControlFlow, time::Duration};

use wharf_graph::{
    Op, Reusable,
    event::{Event, Reuse, RunReason, Warning},
    key::ExactKey,
};
use wharf_oci::{Digest, Hasher};
use wharf_solver::{Cache, Hit, Lookup, Miss, Task};
use wharf_store::{ActionKey, ActionResult, Lock, Recorder};

use super::{Engine, StepFailure, StepOutput, now};

/// What a miss holds until its result is kept.
#[derive(Debug)]
pub struct Ticket {
    /// So that no other process runs the step meanwhile.
    _lock: Lock,
    began: std::time::Instant,
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
        let key = ActionKey(key.0);
        let may_reuse = task.step.reuse == Reusable::Yes;
        if may_reuse && let Some(hit) = self.hit(task, key, Reuse::Exact)? {
            return Ok(Lookup::Hit(hit));
        }
        let (lock, waited_for) = self.lock(task, key)?;
        if may_reuse
            && let Some(pid) = waited_for
            && let Some(hit) = self.hit(task, key, Reuse::Waited { pid })?
        {
            return Ok(Lookup::Hit(hit));
        }
        let reason = if may_reuse {
            RunReason::New
        } else {
            RunReason::Asked
        };
        let ticket = Ticket {
            _lock: lock,
            began: std::time::Instant::now(),
        };
        Ok(Lookup::Miss(Miss {
            ticket,
            reason: Some(reason),
        }))
    }

    fn keep(
        &self,
        task: &Task<'_, StepOutput>,
        key: ExactKey,
        ticket: Ticket,
        output: StepOutput,
    ) -> Result<StepOutput, StepFailure> {
        let Some(layer) = output.root.stored().last().copied() else {
            return Ok(output);
        };
        if let Some(earlier) = self.equal_copy(task, &output)? {
            self.store.put_result(&ActionResult {
                key: ActionKey(key.0),
                ..earlier.clone()
            })?;
            return Ok(Self::output_of(task, &earlier));
        }
        let result = ActionResult {
            key: ActionKey(key.0),
            layer: Some(layer),
            tree: output.root.tree,
            ran_at: output.ran_at.unwrap_or_else(now),
            duration_ms: ticket.began.elapsed().as_millis() as u64,
            recorder: output.recorder,
            read_set: output.read_set,
            blobs: Vec::new(),
            rest: serde_json::Map::new(),
        };
        self.store.put_result(&result)?;
        if let Some(key) = copy_key(task, &output) {
            self.store.put_result(&ActionResult { key, ..result })?;
        }
        Ok(output)
    }
}

impl Engine {
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
        let saved = Some(Duration::from_millis(result.duration_ms));
        Ok(Some(Hit {
            output: Self::output_of(task, &result),
            reuse,
            saved,
        }))
    }

    fn output_of(task: &Task<'_, StepOutput>, result: &ActionResult) -> StepOutput {
        let parent = &task.inputs[0].root;
        let layer = result.layer.expect("results of steps always have a layer");
        StepOutput {
            root: parent.with_layer(layer, result.tree),
            ran_at: Some(result.ran_at),
            recorder: result.recorder,
            read_set: result.read_set,
        }
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

    /// An earlier result of a COPY that put the same files on the same parent, when something else in its source changed: taken
    /// for its times, so that the image stays what it was.
    fn equal_copy(
        &self,
        task: &Task<'_, StepOutput>,
        output: &StepOutput,
    ) -> Result<Option<ActionResult>, StepFailure> {
        match copy_key(task, output) {
            Some(key) if task.step.reuse == Reusable::Yes => Ok(self.store.result(&key)?),
            _ => Ok(None),
        }
    }
}

/// Names a COPY or WORKDIR by what it did instead of by where its files came from.
fn copy_key(task: &Task<'_, StepOutput>, output: &StepOutput) -> Option<ActionKey> {
    if !matches!(task.step.op, Op::Copy(_) | Op::Mkdir(_)) {
        return None;
    }
    let mut hasher = Hasher::new();
    hasher.update(b"wharf copied layer 1\0");
    let op: Digest = task.step.op.digest();
    for digest in [
        op,
        task.inputs[0].root.tree.0,
        output.root.stored().last()?.tree.0,
    ] {
        hasher.update(digest.as_bytes());
    }
    Some(ActionKey(hasher.finish()))
}

impl Default for StepOutput {
    fn default() -> Self {
        Self {
            root: crate::root::Root::empty(),
            ran_at: None,
            recorder: Recorder::None,
            read_set: None,
        }
    }
}
