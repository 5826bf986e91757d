//! `--progress=tty`: a line for each running step with the end of its output below, folded when it is done.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressStyle};
use wharf_graph::{
    StepId,
    event::{Event, PhaseId, Progress, Record, Stream, Timestamp},
};

use super::{
    Display,
    line_buffer::LineBuffer,
    reason::{because, cached},
    steps::StepTitles,
};

/// How many lines of its output a running step shows.
const TAIL: usize = 4;

pub(super) struct Terminal {
    screen: MultiProgress,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    titles: StepTitles,
    running: BTreeMap<StepId, Running>,
    phases: BTreeMap<PhaseId, ProgressBar>,
}

struct Running {
    bar: ProgressBar,
    title: String,
    began: Timestamp,
    lines: VecDeque<String>,
    output: BTreeMap<Stream, LineBuffer>,
    transfers: BTreeMap<String, (u64, Option<u64>)>,
}

impl Terminal {
    pub(super) fn new() -> Self {
        Self {
            screen: MultiProgress::new(),
            state: Mutex::default(),
        }
    }

    fn spinner(&self, message: String) -> ProgressBar {
        let style = ProgressStyle::with_template("{spinner:.blue} {msg} {elapsed:.dim}");
        let bar = ProgressBar::new_spinner().with_style(style.expect("the template is well-formed"));
        let bar = self.screen.add(bar);
        bar.set_message(message);
        bar.enable_steady_tick(Duration::from_millis(120));
        bar
    }

    fn line(&self, text: &str) {
        // A terminal that went away is no reason to stop a build.
        let _ = self.screen.println(text);
    }

    fn start(&self, state: &mut State, step: StepId, at: Timestamp) {
        let title = state.titles.title(step).to_owned();
        let bar = self.spinner(title.clone());
        let running = Running {
            bar,
            title,
            began: at,
            lines: VecDeque::new(),
            output: BTreeMap::new(),
            transfers: BTreeMap::new(),
        };
        state.running.insert(step, running);
    }

    fn end(&self, state: &mut State, step: StepId, mark: &str, at: Timestamp) {
        let Some(running) = state.running.remove(&step) else {
            return;
        };
        running.bar.finish_and_clear();
        let took = at.since(running.began).as_secs_f64();
        self.line(&format!("{mark} {} {took:.1}s", running.title));
    }
}

impl Display for Terminal {
    fn show(&self, record: &Record) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.titles.learn(&record.event);
        match &record.event {
            Event::PhaseStarted(phase) => {
                let bar = self.spinner(phase.name.clone());
                state.phases.insert(phase.phase, bar);
            }
            Event::PhaseFinished(phase) => {
                if let Some(bar) = state.phases.remove(&phase.phase) {
                    bar.finish_and_clear();
                }
            }
            Event::StepStarted { step, reason } => {
                self.start(&mut state, *step, record.at);
                if let (Some(running), Some(because)) =
                    (state.running.get_mut(step), reason.as_ref().and_then(because))
                {
                    running.title += &format!(" ({because})");
                    running.bar.set_message(running.title.clone());
                }
            }
            Event::StepLog { step, stream, data } => {
                if let Some(running) = state.running.get_mut(step) {
                    running.log(*stream, &data.0);
                }
            }
            Event::StepProgress(progress) => state.progress(progress),
            Event::StepCached { step, reason, .. } => {
                // One that ran to be compared.
                if let Some(running) = state.running.remove(step) {
                    running.bar.finish_and_clear();
                }
                self.line(&format!("✓ {} {}", state.titles.title(*step), cached(reason)));
            }
            Event::StepFinished { step } => self.end(&mut state, *step, "✓", record.at),
            Event::StepFailed { step, .. } => self.end(&mut state, *step, "✗", record.at),
            Event::StepInterrupted { step } => self.end(&mut state, *step, "-", record.at),
            Event::Warning(warning) => self.line(&format!("warning: {}", warning.message)),
            Event::BuildStarted(_)
            | Event::GraphKnown { .. }
            | Event::StepBrought { .. }
            | Event::BuildFinished(_) => {}
        }
    }

    fn finish(&self) {
        let _ = self.screen.clear();
    }
}

impl State {
    fn progress(&mut self, progress: &Progress) {
        let amount = amount(progress.done, progress.total);
        if let Some(running) = progress.step.and_then(|step| self.running.get_mut(&step)) {
            running
                .transfers
                .insert(progress.item.clone(), (progress.done, progress.total));
            running.redraw();
        } else if let Some(bar) = progress.phase.and_then(|phase| self.phases.get(&phase)) {
            let name = bar.message();
            let name = name.split(" · ").next().unwrap_or_default().to_owned();
            bar.set_message(format!("{name} · {} {amount}", progress.item));
        }
    }
}

impl Running {
    fn log(&mut self, stream: Stream, data: &[u8]) {
        let lines = self.output.entry(stream).or_default().push(data);
        if lines.is_empty() {
            return;
        }
        self.lines.extend(lines);
        let surplus = self.lines.len().saturating_sub(TAIL);
        self.lines.drain(..surplus);
        self.redraw();
    }

    fn redraw(&self) {
        let mut message = self.title.clone();
        let done: u64 = self.transfers.values().map(|(done, _)| done).sum();
        let total: Option<u64> = self.transfers.values().map(|(_, total)| *total).sum();
        if done > 0 {
            message = format!("{message} {}", amount(done, total));
        }
        for line in &self.lines {
            message.push_str("\n    ");
            message.extend(line.chars().take(160));
        }
        self.bar.set_message(message);
    }
}

fn amount(done: u64, total: Option<u64>) -> String {
    match total {
        Some(total) if total > 0 => format!("{} / {}", HumanBytes(done), HumanBytes(total)),
        _ => HumanBytes(done).to_string(),
    }
}
