//! The workers: each takes the next step, looks it up or runs it, and hands its result on.

use std::{
    num::NonZeroUsize,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use wharf_graph::{
    Graph, StepId,
    event::{Event, Reuse, RunReason},
};

use crate::{
    cancel::Cancel,
    outcome::{Solution, SolveError},
    plan::Plan,
    seam::{Cache, Executor, Hit, Lookup, Miss, Observer, StepError, Task},
    state::{Claim, State, Verdict},
};

/// How much may happen at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Steps that work here: processes, copies.
    pub steps: NonZeroUsize,
    /// Steps that mostly wait: images, downloads, contexts.
    pub sources: NonZeroUsize,
}

/// Solves `wanted`: runs the steps that it needs, each after its inputs and none twice.
///
/// The first failure stops the rest: nothing new starts, what runs is told to stop, and all failures until the last step has
/// ended are returned. `cancel` may be used from outside (and is when a step fails); it is not reset.
pub fn solve<E, C>(
    graph: &Graph,
    wanted: &[StepId],
    limits: Limits,
    executor: &E,
    cache: &C,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Solution<E::Output>, SolveError<E::Error>>
where
    E: Executor,
    C: Cache<Output = E::Output, Error = E::Error>,
{
    let plan = Plan::new(graph, wanted, |step| executor.estimate(step));
    let solve = Solve {
        graph,
        limits,
        executor,
        cache,
        observer,
        cancel,
        state: Mutex::new(State::new(graph, plan, limits)),
        changed: Condvar::new(),
    };
    thread::scope(|scope| solve.work(scope));
    solve
        .state
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
        .into_result()
}

struct Solve<'a, E: Executor, C> {
    graph: &'a Graph,
    limits: Limits,
    executor: &'a E,
    cache: &'a C,
    observer: &'a dyn Observer,
    cancel: &'a Cancel,
    state: Mutex<State<E::Output, E::Error>>,
    changed: Condvar,
}

/// What became of a step.
enum Done<O, E> {
    /// It has a result, for all steps of its claim.
    Output(O, Option<Claim>),
    /// An equal step will hand its result on.
    Waits,
    /// It has none.
    Failed(E),
}

/// Of a worker: trees are walked by recursion, and a path of the longest kind is two thousand directories deep.
const STACK: usize = 16 << 20;

impl<E, C> Solve<'_, E, C>
where
    E: Executor,
    C: Cache<Output = E::Output, Error = E::Error>,
{
    fn lock(&self) -> MutexGuard<'_, State<E::Output, E::Error>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One worker, until nothing is left to do.
    fn work<'scope>(&'scope self, scope: &'scope thread::Scope<'scope, '_>) {
        let mut state = self.lock();
        loop {
            if self.cancel.is_cancelled() {
                state.stop();
            }
            if let Some((id, inputs)) = state.start(self.graph) {
                let alone = state.startable() == 0;
                drop(state);
                let running = Running { solve: self, id };
                let done = if alone { None } else { self.at_hand(id, &inputs) };
                let done = done.unwrap_or_else(|| {
                    self.hire(scope);
                    self.step(id, &inputs)
                });
                self.settle(id, done);
                drop(running);
                state = self.lock();
            } else if state.is_over() {
                self.changed.notify_all();
                return;
            } else {
                state.idle += 1;
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
            }
        }
    }

    /// What a step gives that is as quick as the start of a thread for another one.
    fn at_hand(&self, id: StepId, inputs: &[E::Output]) -> Option<Done<E::Output, E::Error>> {
        let output = match self.executor.at_hand(&self.task(id, inputs)) {
            Ok(output) => output?,
            Err(error) => return Some(Done::Failed(error)),
        };
        self.observer.observe(Event::StepStarted {
            step: id,
            reason: None,
        });
        self.observer.observe(Event::StepFinished { step: id });
        Some(Done::Output(output, None))
    }

    /// Starts or wakes workers for what could start beside the step just taken. Most builds need one thread only.
    fn hire<'scope>(&'scope self, scope: &'scope thread::Scope<'scope, '_>) {
        let mut state = self.lock();
        let most = self.limits.steps.get() + self.limits.sources.get();
        let startable = state.startable();
        let lacking = startable.saturating_sub(state.idle);
        for _ in 0..lacking.min(most.saturating_sub(state.workers)) {
            let worker = thread::Builder::new().stack_size(STACK);
            // Those that there are do the rest.
            if worker.spawn_scoped(scope, || self.work(scope)).is_ok() {
                state.workers += 1;
            }
        }
        if startable > 0 && state.idle > 0 {
            self.changed.notify_all();
        }
    }

    /// Everything about one step that needs no lock for long.
    fn step(&self, id: StepId, inputs: &[E::Output]) -> Done<E::Output, E::Error> {
        self.try_step(&self.task(id, inputs)).unwrap_or_else(Done::Failed)
    }

    fn task<'t>(&'t self, id: StepId, inputs: &'t [E::Output]) -> Task<'t, E::Output> {
        Task {
            step: self.graph.step(id),
            inputs,
            cancel: self.cancel,
            observer: self.observer,
        }
    }

    fn try_step(&self, task: &Task<'_, E::Output>) -> Result<Done<E::Output, E::Error>, E::Error> {
        let Some(key) = self.executor.key(task)? else {
            return Ok(Done::Output(self.run(task, None)?, None));
        };
        let claim = (key, task.step.reuse);
        let verdict = self.lock().claim(claim, task.step.id);
        match verdict {
            Verdict::Wait => return Ok(Done::Waits),
            Verdict::Same(first, output) => {
                let output = self.cache.again(task, key, &output)?;
                self.tell_same(task.step.id, first);
                return Ok(Done::Output(output, None));
            }
            Verdict::Do => {}
        }
        let output = match self.cache.look_up(task, key)? {
            Lookup::Hit(hit) => {
                if self.cache.doubts(task) {
                    self.verify(task, &hit)?;
                }
                self.take(task, hit)
            }
            Lookup::Miss(Miss { ticket, reason }) => {
                let output = self.run(task, reason)?;
                self.cache.keep(task, key, ticket, output)?
            }
        };
        Ok(Done::Output(output, Some(claim)))
    }

    /// Runs a step that need not run. The step ends as what it is, reused, when the two results are one.
    fn verify(&self, task: &Task<'_, E::Output>, hit: &Hit<E::Output>) -> Result<(), E::Error> {
        self.observer.observe(Event::StepStarted {
            step: task.step.id,
            reason: Some(RunReason::Verify),
        });
        let ran = self.executor.run(task)?;
        self.cache.compare(task, &hit.output, &ran)
    }

    fn take(&self, task: &Task<'_, E::Output>, hit: Hit<E::Output>) -> E::Output {
        self.observer.observe(Event::StepCached {
            step: task.step.id,
            reason: hit.reuse,
            saved_ms: hit.saved.map(|saved| saved.as_millis() as u64),
        });
        hit.output
    }

    fn run(&self, task: &Task<'_, E::Output>, reason: Option<RunReason>) -> Result<E::Output, E::Error> {
        let step = task.step.id;
        self.observer.observe(Event::StepStarted { step, reason });
        let output = self.executor.run(task)?;
        self.observer.observe(Event::StepFinished { step });
        Ok(output)
    }

    /// Hands on what the step gave, or stops everything.
    fn settle(&self, id: StepId, done: Done<E::Output, E::Error>) {
        match done {
            Done::Waits => {}
            Done::Output(output, claim) => {
                let equal = self.lock().finish(id, claim, &output);
                let mut given = self.hand_to_equal(id, &equal, claim, &output);
                given.push((id, output));
                // Only now: a step's end is told before the start of its users.
                let mut state = self.lock();
                for (step, output) in &given {
                    state.hand_on(self.graph, *step, output);
                }
            }
            Done::Failed(error) if error.is_interruption() => {
                self.observer.observe(Event::StepInterrupted { step: id });
            }
            Done::Failed(error) => self.fail(id, error),
        }
    }

    /// What the steps give that waited for their equal.
    fn hand_to_equal(
        &self,
        first: StepId,
        equal: &[StepId],
        claim: Option<Claim>,
        output: &E::Output,
    ) -> Vec<(StepId, E::Output)> {
        let mut given = Vec::new();
        for step in equal {
            let inputs = self.lock().inputs(self.graph, *step);
            let (key, _) = claim.expect("steps wait for a claim");
            match self.cache.again(&self.task(*step, &inputs), key, output) {
                Ok(output) => {
                    self.tell_same(*step, first);
                    given.push((*step, output));
                }
                Err(error) => self.fail(*step, error),
            }
        }
        given
    }

    fn fail(&self, id: StepId, error: E::Error) {
        self.observer.observe(Event::StepFailed {
            step: id,
            causes: causes(&error),
            exit_code: error.exit_code(),
        });
        self.lock().fail(id, error);
        self.cancel.cancel();
    }

    fn tell_same(&self, step: StepId, first: StepId) {
        self.observer.observe(Event::StepCached {
            step,
            reason: Reuse::SameAs { step: first },
            saved_ms: None,
        });
    }
}

fn causes(error: &dyn std::error::Error) -> Vec<String> {
    std::iter::successors(Some(error), |error| error.source())
        .map(ToString::to_string)
        .collect()
}

/// A step that a worker holds. Given back when dropped, even by a panic, so that the others do not wait for ever.
struct Running<'a, 'b, E, C>
where
    E: Executor,
    C: Cache<Output = E::Output, Error = E::Error>,
{
    solve: &'a Solve<'b, E, C>,
    id: StepId,
}

impl<E, C> Drop for Running<'_, '_, E, C>
where
    E: Executor,
    C: Cache<Output = E::Output, Error = E::Error>,
{
    fn drop(&mut self) {
        self.solve.lock().leave(self.solve.graph.step(self.id));
        // Who comes back from a step takes the next one, or finds that all is over, and wakes the others then.
        if thread::panicking() {
            self.solve.cancel.cancel();
            self.solve.changed.notify_all();
        }
    }
}
