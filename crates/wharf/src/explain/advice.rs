//! What would have spared a step: a table of rules over what changed and who changed it.

use wharf_graph::{
    StepId,
    event::{Change, ChangeKind, RunReason, StepInfo},
};

use super::{Explained, Verdict};

/// A rule: for a change that made a step run, what to say, if it fits.
type Rule = fn(&Change, &Brings<'_>) -> Option<String>;

/// The first that fits is taken.
const RULES: &[Rule] = &[
    new_name_in_a_listing,
    gone_name_in_a_listing,
    new_file,
    other_mode,
    content,
];

/// Which steps bring files of the context.
pub(super) struct Brings<'e>(Vec<(StepId, &'e str, u32)>);

impl Brings<'_> {
    /// The COPY that made the change, as it is written, with its line.
    fn of(&self, change: &Change) -> Option<String> {
        let by = change.by?;
        let (_, name, line) = self.0.iter().find(|(step, ..)| *step == by)?;
        Some(format!("{name} (line {line})"))
    }
}

/// Adds to each step that ran what would have spared it.
pub(super) fn give(steps: &mut [Explained], infos: &[StepInfo]) {
    let copies = infos.iter().filter_map(|info| {
        let origin = info.origin.as_ref()?;
        let copies = ["COPY ", "ADD "].iter().any(|word| info.name.starts_with(word));
        let of_context = copies && !info.name.contains("--from=");
        of_context.then_some((info.step, &info.name[..], origin.span.start_line))
    });
    let brings = Brings(copies.collect());
    for step in steps.iter_mut().filter(|step| step.verdict == Verdict::Ran) {
        step.advice = advice(step, &brings);
    }
}

fn advice(step: &Explained, brings: &Brings<'_>) -> Vec<String> {
    let mut said: Vec<String> = match &step.reason {
        Some(RunReason::Changed { changes, .. }) => changes
            .iter()
            .filter_map(|change| RULES.iter().find_map(|rule| rule(change, brings)))
            .collect(),
        Some(RunReason::Unseen) => vec![
            "nobody saw what the step reads: with FUSE (`wharf host`) it is reused when that is unchanged"
                .to_owned(),
        ],
        Some(RunReason::Times { path }) => vec![format!(
            "the step remembers the time of {path}, which an earlier RUN made anew: let that RUN make only what must be new"
        )],
        Some(RunReason::Forgotten) => {
            vec!["give the store more room (`wharf store df`), or pin the image".to_owned()]
        }
        _ => Vec::new(),
    };
    said.dedup();
    said.truncate(3);
    said
}

fn new_name_in_a_listing(change: &Change, brings: &Brings<'_>) -> Option<String> {
    let ChangeKind::Listing { added, .. } = &change.what else {
        return None;
    };
    let (name, copy) = (added.first()?, brings.of(change)?);
    Some(format!(
        "the step lists {}, where {name} is new: copy what it needs before {copy}, or add {name} to .dockerignore",
        change.path
    ))
}

fn gone_name_in_a_listing(change: &Change, _: &Brings<'_>) -> Option<String> {
    let ChangeKind::Listing { removed, .. } = &change.what else {
        return None;
    };
    let name = removed.first()?;
    Some(format!("the step lists {}, where {name} is no more", change.path))
}

fn new_file(change: &Change, brings: &Brings<'_>) -> Option<String> {
    if change.what != ChangeKind::Appeared {
        return None;
    }
    let copy = brings.of(change)?;
    Some(format!(
        "the step looked for {}, which {copy} brings now: add it to .dockerignore if the image does not need it",
        change.path
    ))
}

fn other_mode(change: &Change, brings: &Brings<'_>) -> Option<String> {
    if change.what != ChangeKind::Attributes {
        return None;
    }
    let copy = brings.of(change)?;
    Some(format!(
        "{} came with another mode: check it out with the same umask everywhere, or write --chmod at {copy}",
        change.path
    ))
}

fn content(change: &Change, brings: &Brings<'_>) -> Option<String> {
    if !matches!(change.what, ChangeKind::Content | ChangeKind::Stat) {
        return None;
    }
    let copy = brings.of(change)?;
    Some(format!(
        "the step reads {}, which {copy} brings: split the step if only a part of it needs that file",
        change.path
    ))
}
