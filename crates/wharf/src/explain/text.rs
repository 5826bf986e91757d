//! An explanation as lines for people.

use wharf_graph::{
    StepId,
    event::{Change, RunReason},
};

use super::{Explained, Explanation, Verdict};
use crate::progress::{because, cached, changed};

/// How many files are named at a COPY.
const SHOWN: usize = 5;

/// The lines for those steps that `wanted` names; for all without it.
pub(crate) fn lines(explanation: &Explanation, wanted: Option<&str>) -> Vec<String> {
    let mut lines = vec![format!(
        "build {}: context {}, Dockerfile {}",
        explanation.build, explanation.context, explanation.dockerfile
    )];
    let chosen = |step: &&Explained| wanted.is_none_or(|wanted| step.is(wanted));
    for step in explanation.steps.iter().filter(chosen) {
        lines.push(String::new());
        lines.push(format!("#{} {}  (line {})", step.step.0, step.title, step.line));
        lines.extend(verdict(step));
        lines.extend(
            changes(step, explanation)
                .into_iter()
                .map(|line| format!("     {line}")),
        );
        lines.extend(step.advice.iter().map(|advice| format!("   hint: {advice}")));
    }
    lines
}

fn verdict(step: &Explained) -> Vec<String> {
    let took = |ms: Option<u64>| format!("{:.2} s", ms.unwrap_or_default() as f64 / 1000.0);
    match step.verdict {
        Verdict::Reused => {
            let how = step.reuse.as_ref().map(cached).unwrap_or_default();
            vec![format!("   reused: {how}, {} saved", took(step.saved_ms))]
        }
        Verdict::Ran => vec![format!("   ran {}{}", took(step.took_ms), why(step))],
        Verdict::Failed => vec![format!("   failed after {}{}", took(step.took_ms), why(step))],
        Verdict::NotDone => vec!["   not done".to_owned()],
    }
}

fn why(step: &Explained) -> String {
    match &step.reason {
        Some(RunReason::New) if !step.other_parts.is_empty() => {
            format!(": {} changed", step.other_parts.join(", "))
        }
        Some(RunReason::New) => ": it never ran before in this place".to_owned(),
        Some(RunReason::Asked) => ": --no-cache asked for it".to_owned(),
        Some(reason) => because(reason)
            .map(|because| format!(", {because}"))
            .unwrap_or_default(),
        None => String::new(),
    }
}

/// Every change with the step that made it.
fn changes(step: &Explained, explanation: &Explanation) -> Vec<String> {
    let by = |change: &Change| {
        let maker = explanation
            .steps
            .iter()
            .find(|other| Some(other.step) == change.by && other.step != step.step);
        let said = maker.map(|maker| format!(", by {} at line {}", instruction(&maker.title), maker.line));
        format!("{}{}", changed(change), said.unwrap_or_default())
    };
    let (listed, count) = match &step.reason {
        Some(RunReason::Changed { changes, count, .. }) if !changes.is_empty() => (&changes[..], *count),
        _ => (&step.brought[..], step.brought.len() as u64),
    };
    let mut lines: Vec<String> = listed.iter().take(SHOWN).map(by).collect();
    if count > lines.len() as u64 && !lines.is_empty() {
        lines.push(format!("and {} more", count - lines.len() as u64));
    }
    lines
}

/// A title without the step's place.
fn instruction(title: &str) -> &str {
    title
        .split_once("] ")
        .map_or(title, |(_, instruction)| instruction)
}

/// That a step is meant which is not there.
pub(crate) fn named_steps(explanation: &Explanation, wanted: &str) -> Vec<StepId> {
    let named = explanation.steps.iter().filter(|step| step.is(wanted));
    named.map(|step| step.step).collect()
}
