//! Which steps are needed, who waits for whom, and who goes first.

use std::time::Duration;

use wharf_graph::{Graph, Op, Source, Step, StepId};

/// The needed part of a graph, by step number.
pub(crate) struct Plan {
    /// Whether the step is needed at all.
    pub(crate) needed: Vec<bool>,
    /// How many inputs (counted as often as they are used) have no result yet.
    pub(crate) missing: Vec<u32>,
    /// The needed steps that use the step, once for each use.
    pub(crate) users: Vec<Vec<StepId>>,
    /// The expected time from the step's start to the end of the build.
    pub(crate) remaining: Vec<Duration>,
}

impl Plan {
    /// What `wanted` needs.
    pub(crate) fn new(graph: &Graph, wanted: &[StepId], estimate: impl Fn(&Step) -> Duration) -> Self {
        let count = graph.steps.len();
        let mut plan = Self {
            needed: vec![false; count],
            missing: vec![0; count],
            users: vec![Vec::new(); count],
            remaining: vec![Duration::ZERO; count],
        };
        for step in wanted {
            plan.needed[step.0 as usize] = true;
        }
        // Inputs stand before their users: from the end, every user is known before the step is looked at.
        for step in graph.steps.iter().rev() {
            if plan.needed[step.id.0 as usize] {
                plan.add(step, estimate(step));
            }
        }
        plan
    }

    fn add(&mut self, step: &Step, expected: Duration) {
        let index = step.id.0 as usize;
        let after = self.users[index]
            .iter()
            .map(|user| self.remaining[user.0 as usize])
            .max();
        self.remaining[index] = expected + after.unwrap_or_default();
        self.missing[index] = step.inputs.len() as u32;
        for input in &step.inputs {
            self.needed[input.0 as usize] = true;
            self.users[input.0 as usize].push(step.id);
        }
    }

    /// The needed steps that wait for nothing.
    pub(crate) fn ready(&self) -> impl Iterator<Item = StepId> {
        let ready = |index: &usize| self.needed[*index] && self.missing[*index] == 0;
        (0..self.needed.len())
            .filter(ready)
            .map(|index| StepId(index as u32))
    }

    /// The step has a result: the steps that now wait for nothing.
    pub(crate) fn finish(&mut self, step: StepId) -> Vec<StepId> {
        let mut ready = Vec::new();
        for user in std::mem::take(&mut self.users[step.0 as usize]) {
            let missing = &mut self.missing[user.0 as usize];
            *missing -= 1;
            if *missing == 0 {
                ready.push(user);
            }
        }
        ready
    }
}

/// A guess, for want of better: processes take long, downloads take a while, the rest takes nothing.
pub fn estimate(step: &Step) -> Duration {
    match &step.op {
        Op::Run(_) => Duration::from_secs(10),
        Op::Source(Source::Scratch) => Duration::ZERO,
        Op::Source(Source::Context(_)) => Duration::from_millis(100),
        Op::Source(_) => Duration::from_secs(2),
        Op::Copy(_) => Duration::from_millis(20),
        Op::Mkdir(_) | Op::Merge => Duration::from_millis(1),
    }
}
