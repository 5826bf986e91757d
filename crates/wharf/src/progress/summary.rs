//! The end of a build in numbers: steps run and reused, the critical path, time by kind of work.

use std::{collections::BTreeMap, time::Duration};

use wharf_graph::{
    StepId,
    event::{Event, PhaseId, PhaseKind, Record, StepInfo, Timestamp},
};

/// Adds up what the events of a build say.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    first: Option<Timestamp>,
    last: Timestamp,
    steps: Vec<StepInfo>,
    began: BTreeMap<StepId, Timestamp>,
    took: BTreeMap<StepId, Duration>,
    reused: usize,
    saved: Duration,
    open: BTreeMap<PhaseId, (PhaseKind, Timestamp)>,
    /// When each sort of work was going on; intervals may overlap.
    intervals: Vec<(Work, Timestamp, Timestamp)>,
}

/// What the time of a build is divided into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    /// Contexts, images, packages.
    Sources,
    /// Steps.
    Run,
    /// Turning a step's changes into a layer.
    Commit,
    /// Making the output and sending it.
    Export,
}

const fn work_of(kind: PhaseKind) -> Option<Work> {
    match kind {
        PhaseKind::Context | PhaseKind::Resolve | PhaseKind::Pull => Some(Work::Sources),
        PhaseKind::Commit => Some(Work::Commit),
        PhaseKind::Export | PhaseKind::Push => Some(Work::Export),
        PhaseKind::Read | PhaseKind::Internal => None,
    }
}

impl Summary {
    /// Takes one record in.
    pub(crate) fn add(&mut self, record: &Record) {
        self.first.get_or_insert(record.at);
        self.last = self.last.max(record.at);
        match &record.event {
            Event::GraphKnown { steps } => self.steps.clone_from(steps),
            Event::StepStarted { step, .. } => {
                self.began.insert(*step, record.at);
            }
            Event::StepFinished { step }
            | Event::StepFailed { step, .. }
            | Event::StepInterrupted { step } => {
                if let Some(began) = self.began.get(step).copied() {
                    self.took.insert(*step, record.at.since(began));
                    let work = if self.is_source(*step) {
                        Work::Sources
                    } else {
                        Work::Run
                    };
                    self.intervals.push((work, began, record.at));
                }
            }
            Event::StepCached { saved_ms, .. } => {
                self.reused += 1;
                self.saved += Duration::from_millis(saved_ms.unwrap_or_default());
            }
            Event::PhaseStarted(phase) => {
                self.open.insert(phase.phase, (phase.kind, record.at));
            }
            Event::PhaseFinished(phase) => {
                if let Some((kind, began)) = self.open.remove(&phase.phase)
                    && let Some(work) = work_of(kind)
                {
                    self.intervals.push((work, began, record.at));
                }
            }
            _ => {}
        }
    }

    /// The whole build.
    pub(crate) fn total(&self) -> Duration {
        self.last.since(self.first.unwrap_or_default())
    }

    /// How long a step took.
    pub(crate) fn took(&self, step: StepId) -> Duration {
        self.took.get(&step).copied().unwrap_or_default()
    }

    /// Steps that ran, sources not counted.
    fn ran(&self) -> usize {
        self.took.keys().filter(|step| !self.is_source(**step)).count()
    }

    fn is_source(&self, step: StepId) -> bool {
        self.steps
            .iter()
            .any(|info| info.step == step && info.inputs.is_empty())
    }

    /// For how long at least one piece of this work was going on.
    fn wall(&self, work: Work) -> Duration {
        let of_work = self.intervals.iter().filter(|(found, ..)| *found == work);
        let mut intervals: Vec<_> = of_work.map(|(_, from, to)| (*from, *to)).collect();
        intervals.sort();
        let mut total = Duration::ZERO;
        let mut covered = Timestamp::default();
        for (from, to) in intervals {
            total += to.since(from.max(covered));
            covered = covered.max(to);
        }
        total
    }

    /// The longest chain of steps, each waiting for the one before.
    fn critical_path(&self) -> Duration {
        let mut ends: BTreeMap<StepId, Duration> = BTreeMap::new();
        for info in &self.steps {
            let before = info
                .inputs
                .iter()
                .filter_map(|input| ends.get(input))
                .max()
                .copied()
                .unwrap_or_default();
            let own = self.took.get(&info.step).copied().unwrap_or_default();
            ends.insert(info.step, before + own);
        }
        ends.into_values().max().unwrap_or_default()
    }

    /// Two lines for people.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut first = format!(
            "{} in {}",
            counted(self.ran(), "step run", "steps run"),
            seconds(self.total())
        );
        if self.reused > 0 {
            first.push_str(&format!(", {} reused", self.reused));
        }
        if self.saved >= Duration::from_millis(100) {
            first.push_str(&format!(" (saved {})", seconds(self.saved)));
        }
        let parts = [
            ("sources", self.wall(Work::Sources)),
            ("run", self.wall(Work::Run)),
            ("commit", self.wall(Work::Commit)),
            ("export", self.wall(Work::Export)),
            ("critical path", self.critical_path()),
        ];
        let shown = parts.iter().filter(|(_, took)| *took >= Duration::from_millis(1));
        let second: Vec<_> = shown
            .map(|(name, took)| format!("{name} {}", seconds(*took)))
            .collect();
        if second.is_empty() {
            vec![first]
        } else {
            vec![first, second.join(" · ")]
        }
    }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// `1.2 s`, `340 ms`.
fn seconds(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        format!("{} ms", duration.as_millis())
    } else {
        format!("{:.1} s", duration.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(step: u32, inputs: &[u32]) -> StepInfo {
        StepInfo {
            step: StepId(step),
            name: String::new(),
            inputs: inputs.iter().copied().map(StepId).collect(),
            platform: String::new(),
            origin: None,
            parts: Vec::new(),
        }
    }

    #[test]
    fn the_critical_path_is_the_longest_chain() {
        let mut summary = Summary::default();
        let mut add = |ms: u64, event| {
            summary.add(&Record {
                at: Timestamp(ms * 1000),
                event,
            });
        };
        add(
            0,
            Event::GraphKnown {
                steps: vec![info(0, &[]), info(1, &[0]), info(2, &[0]), info(3, &[1, 2])],
            },
        );
        for (step, from, to) in [(1, 0, 1000), (2, 0, 3000), (3, 3000, 4000)] {
            add(
                from,
                Event::StepStarted {
                    step: StepId(step),
                    reason: None,
                },
            );
            add(to, Event::StepFinished { step: StepId(step) });
        }
        assert_eq!(summary.critical_path(), Duration::from_secs(4));
        assert_eq!(
            summary.lines(),
            ["3 steps run in 4.0 s", "run 4.0 s · critical path 4.0 s"]
        );
    }
}
