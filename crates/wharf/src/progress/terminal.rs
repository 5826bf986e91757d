//! `--progress=tty`: a line for each running step with the end of its output below, folded when it is done.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use wharf_graph::{
    StepId,
    event::{Event, PhaseId, Progress, Record, RunReason, Timestamp},
};

use super::{
    Display,
    reason::{because, cached},
    running::{Running, amount},
    screen::{Screen, Work},
    steps::StepTitles,
    warning::lines_of,
};

pub(super) struct Terminal {
    screen: Screen,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    titles: StepTitles,
    running: BTreeMap<StepId, Running>,
    phases: BTreeMap<PhaseId, (String, Work)>,
    /// Steps that are done, and all.
    steps: (usize, usize),
}

impl Terminal {
    pub(super) fn new() -> Self {
        Self {
            screen: Screen::new(),
            state: Mutex::default(),
        }
    }

    fn start(&self, state: &mut State, step: StepId, reason: Option<&RunReason>, at: Timestamp) {
        let mut title = state.titles.title(step).to_owned();
        if let Some(because) = reason.and_then(because) {
            title += &format!(" ({because})");
        }
        let work = self.screen.work(&title);
        state.running.insert(step, Running::new(work, title, at));
    }

    fn end(&self, state: &mut State, step: StepId, mark: &str, at: Timestamp) {
        let Some(running) = state.running.remove(&step) else {
            return;
        };
        let took = at.since(running.began).as_secs_f64();
        self.screen.line(&format!("{mark} {took:.1}s {}", running.title));
        self.count(state);
    }

    fn count(&self, state: &mut State) {
        state.steps.0 += 1;
        self.total(state);
    }

    fn total(&self, state: &State) {
        let (done, all) = state.steps;
        self.screen.total(format!("{done} of {all} steps"));
    }
}

impl Display for Terminal {
    fn show(&self, record: &Record) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        state.titles.learn(&record.event);
        match &record.event {
            Event::GraphKnown { steps } => {
                state.steps = (0, steps.len());
                self.total(state);
            }
            Event::PhaseStarted(phase) => {
                let work = self.screen.work(&phase.name);
                state.phases.insert(phase.phase, (phase.name.clone(), work));
            }
            Event::PhaseFinished(phase) => {
                state.phases.remove(&phase.phase);
            }
            Event::StepStarted { step, reason } => self.start(state, *step, reason.as_ref(), record.at),
            Event::StepLog { step, stream, data } => {
                if let Some(running) = state.running.get_mut(step) {
                    running.log(*stream, &data.0);
                }
            }
            Event::StepProgress(progress) => state.progress(progress),
            Event::StepCached { step, reason, .. } => {
                // One that ran to be compared.
                state.running.remove(step);
                self.screen
                    .line(&format!("✓ {} {}", cached(reason), state.titles.title(*step)));
                self.count(state);
            }
            Event::StepFinished { step } => self.end(state, *step, "✓", record.at),
            Event::StepFailed { step, .. } => self.end(state, *step, "✗", record.at),
            Event::StepInterrupted { step } => self.end(state, *step, "-", record.at),
            Event::Warning(warning) => lines_of(warning).for_each(|line| self.screen.line(&line)),
            Event::BuildStarted(_) | Event::StepBrought { .. } | Event::BuildFinished(_) => {}
        }
    }

    fn finish(&self) {
        self.screen.clear();
    }
}

impl State {
    fn progress(&mut self, progress: &Progress) {
        if let Some(running) = progress.step.and_then(|step| self.running.get_mut(&step)) {
            running.progress(progress);
        } else if let Some((name, work)) = progress.phase.and_then(|phase| self.phases.get(&phase)) {
            let amount = amount(progress.done, progress.total);
            work.set(&format!("{name} · {} {amount}", progress.item), &[]);
        }
    }
}
