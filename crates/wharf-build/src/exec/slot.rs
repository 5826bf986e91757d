//! Step slots: how many processes run at once on one store, whichever builds they belong to.
//!
//! A slot is taken when everything else that a step waits for is its own (its lock, its cache mounts), so nobody who has one waits for
//! somebody who wants one. Results that are reused need none.

use std::{ops::ControlFlow, time::Duration};

use wharf_graph::event::Stream;
use wharf_solver::Cancel;
use wharf_store::{Lock, Waiting};

use super::process::{LogSink, ProcessError, Processes};

/// A wait as short as this is not worth a line.
const SILENT: Duration = Duration::from_secs(2);

impl Processes {
    /// Waits until fewer than [`Processes::slots`] processes run on this store.
    pub(super) fn slot(&self, log: LogSink<'_>, cancel: &Cancel) -> Result<Lock, ProcessError> {
        let mut told = false;
        let slot = self.store.lock_slot("steps", self.slots, &mut |waiting| {
            if waiting.waited > SILENT && !told {
                told = true;
                log(Stream::Stderr, told_line(waiting).as_bytes());
            }
            if cancel.is_cancelled() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        slot.ok_or(ProcessError::Interrupted)
    }
}

fn told_line(waiting: &Waiting) -> String {
    let holder = waiting
        .holder
        .map(|pid| format!(", one of which belongs to process {pid}"))
        .unwrap_or_default();
    format!("wharf: waiting, since as many steps as may run at once already do{holder}\n")
}
