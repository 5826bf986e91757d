//! What the workers share: which steps are ready, done, being done or waiting for an equal one.

use std::collections::HashMap;

use wharf_graph::{Graph, Reusable, Step, StepId, key::ExactKey};

use crate::{
    outcome::{Failure, Solution, SolveError},
    plan::Plan,
    queue::{Lane, Queue},
    solve::Limits,
};

/// Steps are equal if their keys are; one that may not be reused never stands behind one that may, which could be an old
/// result.
pub(crate) type Claim = (ExactKey, Reusable);

/// What stands for a key.
enum Claimed {
    /// A step that is being done, and the equal steps that wait for it.
    InFlight(Vec<StepId>),
    /// A step that has its result.
    Done(StepId),
}

/// Whether a step is to be done.
pub(crate) enum Verdict<O> {
    /// It is the first of its key.
    Do,
    /// An equal step has this result.
    Same(StepId, O),
    /// An equal step is being done.
    Wait,
}

pub(crate) struct State<O, E> {
    plan: Plan,
    queue: Queue,
    outputs: Vec<Option<O>>,
    claims: HashMap<Claim, Claimed>,
    failures: Vec<Failure<E>>,
    /// Steps that a worker holds.
    running: usize,
    pub(crate) workers: usize,
    pub(crate) idle: usize,
}

impl<O: Clone, E: std::fmt::Debug> State<O, E> {
    pub(crate) fn new(graph: &Graph, plan: Plan, limits: Limits) -> Self {
        let ready: Vec<StepId> = plan.ready().collect();
        let mut state = Self {
            plan,
            queue: Queue::new(limits),
            outputs: vec![None; graph.steps.len()],
            claims: HashMap::new(),
            failures: Vec::new(),
            running: 0,
            workers: 1,
            idle: 0,
        };
        state.enqueue(graph, &ready);
        state
    }

    fn enqueue(&mut self, graph: &Graph, ready: &[StepId]) {
        for id in ready {
            let remaining = self.plan.remaining[id.0 as usize];
            self.queue.push(Lane::of(graph.step(*id)), *id, remaining);
        }
    }

    /// The next step, and the results of its inputs.
    pub(crate) fn start(&mut self, graph: &Graph) -> Option<(StepId, Vec<O>)> {
        let id = self.queue.pop()?;
        self.running += 1;
        Some((id, self.inputs(graph, id)))
    }

    /// The results of the inputs of a step that was queued.
    pub(crate) fn inputs(&self, graph: &Graph, id: StepId) -> Vec<O> {
        let output = |input: &StepId| {
            let output = self.outputs[input.0 as usize].clone();
            output.expect("a step is queued when all its inputs have results")
        };
        graph.step(id).inputs.iter().map(output).collect()
    }

    /// Nothing runs, so nothing can become ready any more.
    pub(crate) fn is_over(&self) -> bool {
        self.running == 0
    }

    /// How many steps could start beside those that run.
    pub(crate) fn startable(&self) -> usize {
        self.queue.startable()
    }

    /// Starts nothing more.
    pub(crate) fn stop(&mut self) {
        self.queue.clear();
    }

    pub(crate) fn claim(&mut self, claim: Claim, id: StepId) -> Verdict<O> {
        match self.claims.get_mut(&claim) {
            None => {
                self.claims.insert(claim, Claimed::InFlight(Vec::new()));
                Verdict::Do
            }
            Some(Claimed::InFlight(waiting)) => {
                waiting.push(id);
                Verdict::Wait
            }
            Some(Claimed::Done(first)) => {
                let output = self.outputs[first.0 as usize].clone();
                Verdict::Same(
                    *first,
                    output.expect("a claim is done when its step has a result"),
                )
            }
        }
    }

    /// The step is no longer running, whatever became of it.
    pub(crate) fn leave(&mut self, step: &Step) {
        self.running -= 1;
        self.queue.release(Lane::of(step));
    }

    /// The step has a result. Returns the equal steps that waited for it; [`State::hand_on`] is due for all of them.
    pub(crate) fn finish(&mut self, id: StepId, claim: Option<Claim>, output: &O) -> Vec<StepId> {
        self.outputs[id.0 as usize] = Some(output.clone());
        match claim.and_then(|claim| self.claims.insert(claim, Claimed::Done(id))) {
            Some(Claimed::InFlight(equal)) => equal,
            _ => Vec::new(),
        }
    }

    /// The users of a step that has a result may start.
    pub(crate) fn hand_on(&mut self, graph: &Graph, id: StepId, output: &O) {
        self.outputs[id.0 as usize] = Some(output.clone());
        let ready = self.plan.finish(id);
        self.enqueue(graph, &ready);
    }

    pub(crate) fn fail(&mut self, step: StepId, error: E) {
        self.failures.push(Failure { step, error });
    }

    pub(crate) fn into_result(self) -> Result<Solution<O>, SolveError<E>> {
        if !self.failures.is_empty() {
            return Err(SolveError::Failed(self.failures));
        }
        let needed = self.plan.needed.iter();
        if needed
            .zip(&self.outputs)
            .any(|(needed, output)| *needed && output.is_none())
        {
            return Err(SolveError::Interrupted);
        }
        Ok(Solution {
            outputs: self.outputs,
        })
    }
}
