//! Runs a graph of steps: what is ready runs, as many at once as allowed, the longest way to the end first.
//!
//! The solver knows order, parallelism, equality and cancellation. What a step does, what a result is, where results are kept
//! and who listens are the affair of three seams: [`Executor`], [`Cache`] and [`Observer`]. It mounts nothing, asks no
//! network and prints nothing.

mod cancel;
mod outcome;
mod plan;
mod queue;
mod seam;
mod solve;
mod state;
#[cfg(test)]
mod tests;

pub use cancel::{Cancel, CancelHook};
pub use outcome::{Failure, Solution, SolveError};
pub use plan::estimate;
pub use seam::{Cache, Executor, Hit, Lookup, Miss, NoCache, Observer, StepError, Task};
pub use solve::{Limits, solve};
