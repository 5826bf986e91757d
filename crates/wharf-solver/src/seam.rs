//! The seams of the solver: who runs a step, who keeps results, who listens.

use std::{error::Error, time::Duration};

use wharf_graph::{
    Step,
    event::{Event, Reuse, RunReason},
    key::ExactKey,
};

use crate::{cancel::Cancel, plan};

/// A step whose inputs are there.
pub struct Task<'a, O> {
    /// The step.
    pub step: &'a Step,
    /// The results of its inputs, in the order of [`Step::inputs`].
    pub inputs: &'a [O],
    /// Says when to stop.
    pub cancel: &'a Cancel,
    /// Hears of the step's output and progress.
    pub observer: &'a dyn Observer,
}

/// Runs steps. Called from several threads at once.
pub trait Executor: Sync {
    /// What a step gives to the steps that use it. Cheap to clone.
    type Output: Clone + Send + Sync;
    /// Why a step gave nothing.
    type Error: StepError;

    /// The key of the step on its inputs; `None` for a step that is not looked up, because it is cheaper to do it (COPY) or
    /// because only doing it tells what it gives (contexts). Steps of one key run once in a solve.
    fn key(&self, task: &Task<'_, Self::Output>) -> Result<Option<ExactKey>, Self::Error>;

    /// Runs the step. Returns soon after [`Task::cancel`] says so, with an error that [is an
    /// interruption](StepError::is_interruption), or with the result if that is near.
    fn run(&self, task: &Task<'_, Self::Output>) -> Result<Self::Output, Self::Error>;

    /// What a step gives, if that is known, or a matter of milliseconds; it is not looked up then. Asked before a thread is started for what
    /// could be done meanwhile.
    fn at_hand(&self, _: &Task<'_, Self::Output>) -> Result<Option<Self::Output>, Self::Error> {
        Ok(None)
    }

    /// How long the step is expected to take: decides who goes first, nothing else.
    fn estimate(&self, step: &Step) -> Duration {
        plan::estimate(step)
    }
}

/// Keeps results. Called from several threads at once.
pub trait Cache: Sync {
    /// What a step gives.
    type Output;
    /// Why a look-up or a record failed. Such an error ends the build: a result that cannot be found is a miss, not an error.
    type Error;
    /// What a miss holds until the step's result is kept: locks, say. Dropped without [`Cache::keep`] when the step fails.
    type Ticket;

    /// Looks for a result, and waits if another process is making it just now. For a step that may not be
    /// [reused](Step::reuse) the answer is a miss.
    fn look_up(
        &self,
        task: &Task<'_, Self::Output>,
        key: ExactKey,
    ) -> Result<Lookup<Self::Output, Self::Ticket>, Self::Error>;

    /// Keeps what the step gave, and says what to go on with: `output`, or an equal earlier result in its place.
    fn keep(
        &self,
        task: &Task<'_, Self::Output>,
        key: ExactKey,
        ticket: Self::Ticket,
        output: Self::Output,
    ) -> Result<Self::Output, Self::Error>;

    /// What a step gives whose equal gave `first` in this solve. Equal trees may be made of other layers, and what a step gives
    /// stands on its own inputs.
    fn again(
        &self,
        _: &Task<'_, Self::Output>,
        _: ExactKey,
        first: &Self::Output,
    ) -> Result<Self::Output, Self::Error>
    where
        Self::Output: Clone,
    {
        Ok(first.clone())
    }

    /// Whether the step runs although there was a hit, so that [`Cache::compare`] can tell whether the hit is right.
    fn doubts(&self, _: &Task<'_, Self::Output>) -> bool {
        false
    }

    /// Compares a hit with what the step gave when it ran all the same.
    fn compare(
        &self,
        _: &Task<'_, Self::Output>,
        _hit: &Self::Output,
        _ran: &Self::Output,
    ) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// What a look-up found.
pub enum Lookup<O, T> {
    /// A result that stands for the step.
    Hit(Hit<O>),
    /// Nothing: the step has to run.
    Miss(Miss<T>),
}

/// A result that stands for a step.
pub struct Hit<O> {
    /// The result.
    pub output: O,
    /// Why it may be taken.
    pub reuse: Reuse,
    /// How long the step took when it ran.
    pub saved: Option<Duration>,
}

/// No result for a step.
pub struct Miss<T> {
    /// Given back when there is one.
    pub ticket: T,
    /// Why there is none, where that is known.
    pub reason: Option<RunReason>,
}

/// Hears what happens. Called from several threads at once; must not block for long.
pub trait Observer: Sync {
    /// Something happened.
    fn observe(&self, event: Event);
}

/// Why a step gave no result.
pub trait StepError: Error + Send + Sync + 'static {
    /// Whether the step was stopped because of [`Task::cancel`], rather than by a fault of its own.
    fn is_interruption(&self) -> bool;

    /// The exit code of the step's process, if it is that what failed.
    fn exit_code(&self) -> Option<i32> {
        None
    }
}

/// A cache that keeps nothing.
pub struct NoCache<E: Executor>(std::marker::PhantomData<fn() -> E>);

impl<E: Executor> NoCache<E> {
    /// The cache.
    pub const fn new() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<E: Executor> Default for NoCache<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E: Executor> Cache for NoCache<E> {
    type Output = E::Output;
    type Error = E::Error;
    type Ticket = ();

    fn look_up(&self, _: &Task<'_, E::Output>, _: ExactKey) -> Result<Lookup<E::Output, ()>, E::Error> {
        Ok(Lookup::Miss(Miss {
            ticket: (),
            reason: None,
        }))
    }

    fn keep(
        &self,
        _: &Task<'_, E::Output>,
        _: ExactKey,
        (): (),
        output: E::Output,
    ) -> Result<E::Output, E::Error> {
        Ok(output)
    }
}
