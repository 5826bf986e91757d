//! `--progress=plain`: lines that only ever get more, each with the number of its step.

use std::{
    collections::BTreeMap,
    io::Write as _,
    sync::{Mutex, PoisonError},
};

use wharf_graph::{
    StepId,
    event::{Event, PhaseId, Record, Stream, Timestamp},
};

use super::{
    Display, Sink,
    line_buffer::LineBuffer,
    reason::{because, cached},
    steps::StepTitles,
    warning::lines_of,
};

pub(super) struct Plain(Mutex<State>);

struct State {
    sink: Sink,
    titles: StepTitles,
    began: BTreeMap<StepId, Timestamp>,
    phases: BTreeMap<PhaseId, (String, Timestamp)>,
    output: BTreeMap<(StepId, Stream), LineBuffer>,
}

impl Plain {
    pub(super) fn new(sink: Sink) -> Self {
        Self(Mutex::new(State {
            sink,
            titles: StepTitles::default(),
            began: BTreeMap::new(),
            phases: BTreeMap::new(),
            output: BTreeMap::new(),
        }))
    }
}

impl Display for Plain {
    fn show(&self, record: &Record) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).show(record);
    }
}

impl State {
    fn show(&mut self, record: &Record) {
        self.titles.learn(&record.event);
        match &record.event {
            Event::PhaseStarted(phase) => {
                self.phases.insert(phase.phase, (phase.name.clone(), record.at));
            }
            Event::PhaseFinished(phase) => {
                self.phase_finished(phase.phase, phase.error.as_deref(), record.at);
            }
            Event::StepStarted { step, reason } => {
                self.began.insert(*step, record.at);
                self.line(&format!("#{} {}", step.0, self.titles.title(*step)));
                if let Some(because) = reason.as_ref().and_then(because) {
                    self.line(&format!("#{} {because}", step.0));
                }
            }
            Event::StepLog { step, stream, data } => self.log(*step, *stream, &data.0, record.at),
            Event::StepCached { step, reason, .. } => {
                if !self.began.contains_key(step) {
                    self.line(&format!("#{} {}", step.0, self.titles.title(*step)));
                }
                self.line(&format!("#{} {}", step.0, cached(reason)));
            }
            Event::StepFinished { step } => self.step_ended(*step, "DONE", record.at),
            Event::StepFailed { step, causes, .. } => {
                self.step_ended(*step, "ERROR", record.at);
                self.line(&format!("#{} {}", step.0, causes.join(": ")));
            }
            Event::StepInterrupted { step } => self.step_ended(*step, "CANCELED", record.at),
            Event::Warning(warning) => lines_of(warning).for_each(|line| self.line(&line)),
            Event::BuildStarted(_)
            | Event::GraphKnown { .. }
            | Event::StepProgress(_)
            | Event::StepBrought { .. }
            | Event::BuildFinished(_) => {}
        }
    }

    fn phase_finished(&mut self, phase: PhaseId, error: Option<&str>, at: Timestamp) {
        let Some((name, began)) = self.phases.remove(&phase) else {
            return;
        };
        let took = at.since(began).as_secs_f64();
        match error {
            None if took < 0.05 => {}
            None => self.line(&format!("{name} {took:.1}s")),
            Some(error) => self.line(&format!("{name} ERROR {error}")),
        }
    }

    fn log(&mut self, step: StepId, stream: Stream, data: &[u8], at: Timestamp) {
        let lines = self.output.entry((step, stream)).or_default().push(data);
        for line in lines {
            self.logged(step, &line, at);
        }
    }

    fn logged(&mut self, step: StepId, line: &str, at: Timestamp) {
        let elapsed = self
            .began
            .get(&step)
            .map_or(0.0, |began| at.since(*began).as_secs_f64());
        self.line(&format!("#{} {elapsed:.3} {line}", step.0));
    }

    fn step_ended(&mut self, step: StepId, how: &str, at: Timestamp) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            if let Some(rest) = self
                .output
                .remove(&(step, stream))
                .and_then(|mut buffer| buffer.take_rest())
            {
                self.logged(step, &rest, at);
            }
        }
        let elapsed = self
            .began
            .get(&step)
            .map_or(0.0, |began| at.since(*began).as_secs_f64());
        self.line(&format!("#{} {how} {elapsed:.1}s", step.0));
    }

    fn line(&mut self, text: &str) {
        // A reader that went away is no reason to stop a build.
        let _ = writeln!(self.sink, "{text}");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use wharf_graph::event::{LogBytes, StepInfo};

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_step_from_start_to_end() {
        let out = Shared::default();
        let plain = Plain::new(Box::new(out.clone()));
        let step = StepId(2);
        let info = StepInfo {
            step,
            name: "RUN make".into(),
            inputs: vec![],
            platform: String::new(),
            origin: None,
            parts: Vec::new(),
        };
        let events = [
            Event::GraphKnown { steps: vec![info] },
            Event::StepStarted { step, reason: None },
            Event::StepLog {
                step,
                stream: Stream::Stdout,
                data: LogBytes(b"cc -o a\nlink".to_vec()),
            },
            Event::StepFinished { step },
        ];
        for (second, event) in events.into_iter().enumerate() {
            plain.show(&Record {
                at: Timestamp(second as u64 * 1_000_000),
                event,
            });
        }
        let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
        assert_eq!(
            text,
            "#2 [internal] RUN make\n#2 1.000 cc -o a\n#2 2.000 link\n#2 DONE 2.0s\n"
        );
    }
}
