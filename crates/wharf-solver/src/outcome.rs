//! What a solve ends with.

use wharf_graph::StepId;

/// The results of all steps that were asked for, and of what they needed.
#[derive(Debug, Clone)]
pub struct Solution<O> {
    pub(crate) outputs: Vec<Option<O>>,
}

/// A step that failed.
#[derive(Debug)]
pub struct Failure<E> {
    /// Which.
    pub step: StepId,
    /// Why.
    pub error: E,
}

/// Why a solve has no solution.
#[derive(Debug, thiserror::Error)]
pub enum SolveError<E: std::fmt::Debug> {
    /// Steps failed; never empty. The first is the one that ended the build, the others failed before they could be stopped.
    #[error("{} failed", steps(.0.len()))]
    Failed(Vec<Failure<E>>),
    /// The build was cancelled from outside, and no step failed.
    #[error("interrupted")]
    Interrupted,
}

fn steps(count: usize) -> String {
    match count {
        1 => "a step".to_owned(),
        count => format!("{count} steps"),
    }
}

impl<O> Solution<O> {
    /// The result of a step; `None` if nothing that was asked for needed it.
    pub fn output(&self, step: StepId) -> Option<&O> {
        self.outputs[step.0 as usize].as_ref()
    }
}
