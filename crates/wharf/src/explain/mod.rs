//! Why each step of a recorded build ran or did not: data made of the events of one record, and of the one before it in its place.

mod advice;
mod parts;
mod text;

use std::collections::BTreeMap;

use serde::Serialize;
use wharf_graph::{
    StepId,
    event::{Change, Event, Record, Reuse, RunReason, StepInfo, Timestamp},
};

pub(crate) use text::{lines, named_steps};

use crate::progress::StepTitles;

/// What is said of a build. As JSON: members are only ever added.
#[derive(Debug, Serialize)]
pub(crate) struct Explanation {
    /// The record.
    pub(crate) build: String,
    /// The context, as the user named it.
    pub(crate) context: String,
    /// The Dockerfile, as the user named it.
    pub(crate) dockerfile: String,
    /// In the order of the graph, without what nobody wrote.
    pub(crate) steps: Vec<Explained>,
}

/// What is said of a step.
#[derive(Debug, Serialize)]
pub(crate) struct Explained {
    /// Its number.
    pub(crate) step: StepId,
    /// Its platform, and behind `->` the one that it compiles for; empty when the build was for one only.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) platform: String,
    /// Its stage; empty when there is but one.
    pub(crate) stage: String,
    /// Its place in the stage, from 1.
    pub(crate) ordinal: u32,
    /// Its line in the Dockerfile.
    pub(crate) line: u32,
    /// What people are shown.
    pub(crate) title: String,
    /// What became of it.
    pub(crate) verdict: Verdict,
    /// How long it ran, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) took_ms: Option<u64>,
    /// How long it took when it ran last, in milliseconds; of one that is reused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) saved_ms: Option<u64>,
    /// Why it ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<RunReason>,
    /// Why it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reuse: Option<Reuse>,
    /// Of a step that is new in its place: what of it was otherwise in the build before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) other_parts: Vec<String>,
    /// Of a COPY: the files that are not what it brought last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) brought: Vec<Change>,
    /// What would have spared it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) advice: Vec<String>,
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// It ran.
    Ran,
    /// An earlier result stands for it.
    Reused,
    /// It has no result.
    Failed,
    /// It was stopped, or the build was before it came.
    NotDone,
}

/// What the events say of one step.
#[derive(Default)]
struct Said {
    began: Option<Timestamp>,
    verdict: Option<Verdict>,
    took_ms: Option<u64>,
    saved_ms: Option<u64>,
    reason: Option<RunReason>,
    reuse: Option<Reuse>,
    brought: Vec<Change>,
}

/// Explains the record of `build`; `before` is the last one of the same context and Dockerfile, if there is one.
pub(crate) fn explain(build: &str, records: &[Record], before: &[Record]) -> Explanation {
    let mut explanation = Explanation {
        build: build.to_owned(),
        context: String::new(),
        dockerfile: String::new(),
        steps: Vec::new(),
    };
    let mut said: BTreeMap<StepId, Said> = BTreeMap::new();
    let mut titles = StepTitles::default();
    for record in records {
        titles.learn(&record.event);
        if let Event::BuildStarted(started) = &record.event {
            explanation.context.clone_from(&started.context);
            explanation.dockerfile.clone_from(&started.dockerfile);
        }
        hear(&mut said, record);
    }
    let infos = graph(records);
    let earlier = graph(before);
    for info in &infos {
        if info.origin.is_some() {
            let said = said.remove(&info.step).unwrap_or_default();
            explanation.steps.push(explained(info, said, &titles, &earlier));
        }
    }
    advice::give(&mut explanation.steps, &infos);
    explanation
}

/// The steps of a record.
fn graph(records: &[Record]) -> Vec<StepInfo> {
    let known = records.iter().find_map(|record| match &record.event {
        Event::GraphKnown { steps } => Some(steps.clone()),
        _ => None,
    });
    known.unwrap_or_default()
}

fn hear(said: &mut BTreeMap<StepId, Said>, record: &Record) {
    match &record.event {
        Event::StepStarted { step, reason } => {
            let said = said.entry(*step).or_default();
            said.began = Some(record.at);
            said.reason.clone_from(reason);
        }
        Event::StepCached {
            step,
            reason,
            saved_ms,
        } => {
            let said = said.entry(*step).or_default();
            said.verdict = Some(Verdict::Reused);
            said.reuse = Some(reason.clone());
            said.saved_ms = *saved_ms;
        }
        Event::StepBrought { step, changes, .. } => {
            said.entry(*step).or_default().brought.clone_from(changes);
        }
        Event::StepFinished { step } => end(said, *step, Verdict::Ran, record.at),
        Event::StepFailed { step, .. } => end(said, *step, Verdict::Failed, record.at),
        _ => {}
    }
}

fn end(said: &mut BTreeMap<StepId, Said>, step: StepId, verdict: Verdict, at: Timestamp) {
    let said = said.entry(step).or_default();
    said.verdict = Some(verdict);
    said.took_ms = said.began.map(|began| at.since(began).as_millis() as u64);
}

fn explained(info: &StepInfo, said: Said, titles: &StepTitles, earlier: &[StepInfo]) -> Explained {
    let origin = info
        .origin
        .clone()
        .expect("only steps that somebody wrote are explained");
    let is_new = matches!(said.reason, Some(RunReason::New));
    Explained {
        step: info.step,
        platform: origin.platform,
        stage: origin.stage,
        ordinal: origin.ordinal,
        line: origin.span.start_line,
        title: titles.title(info.step).to_owned(),
        verdict: said.verdict.unwrap_or(Verdict::NotDone),
        took_ms: said.took_ms,
        saved_ms: said.saved_ms,
        other_parts: if is_new {
            parts::other(info, earlier)
        } else {
            Vec::new()
        },
        reason: said.reason,
        reuse: said.reuse,
        brought: said.brought,
        advice: Vec::new(),
    }
}

impl Explained {
    /// Whether `wanted` names it: by number, `stage/ordinal`, `:line` or a part of its text.
    pub(crate) fn is(&self, wanted: &str) -> bool {
        if let Some(line) = wanted.strip_prefix(':') {
            return line.parse() == Ok(self.line);
        }
        if let Ok(number) = wanted.trim_start_matches('#').parse::<u32>() {
            return self.step == StepId(number);
        }
        let place = format!("{}/{}", self.stage, self.ordinal);
        place == wanted || place.trim_start_matches('/') == wanted || self.title.contains(wanted)
    }
}
