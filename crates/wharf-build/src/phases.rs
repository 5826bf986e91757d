//! The parts of a build that are no steps, as events.

use std::sync::atomic::{AtomicU32, Ordering};

use wharf_graph::event::{Event, PhaseFinished, PhaseId, PhaseKind, PhaseStarted, Warning};
use wharf_solver::Observer;

/// The next phase's number: unique in this process, and so in a build.
pub(crate) fn next_phase() -> PhaseId {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    PhaseId(NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Tells the observer about phases.
pub(crate) struct Phases<'a> {
    pub(crate) observer: &'a dyn Observer,
}

impl<'a> Phases<'a> {
    pub(crate) fn new(observer: &'a dyn Observer) -> Self {
        Self { observer }
    }

    /// Tells something that the user should know.
    pub(crate) fn warn(&self, message: String) {
        self.observer.observe(Event::Warning(Warning {
            code: None,
            message,
            hint: None,
            span: None,
        }));
    }

    /// Runs `work` as a phase.
    pub(crate) fn phase<T, E: std::fmt::Display>(
        &self,
        kind: PhaseKind,
        name: impl Into<String>,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let phase = next_phase();
        self.observer.observe(Event::PhaseStarted(PhaseStarted {
            phase,
            kind,
            name: name.into(),
        }));
        let done = work();
        let error = done.as_ref().err().map(ToString::to_string);
        self.observer
            .observe(Event::PhaseFinished(PhaseFinished { phase, error }));
        done
    }
}
