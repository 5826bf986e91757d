//! What two linters say of a case. Names, descriptions, messages and lines have to be the same; the reference's JSON may hold more.

use serde_json::Value;

use super::{
    case::Case,
    reference::Reference,
    verdict::{self, Verdict},
    wharf::Wharf,
};

/// Checks `case` with both.
pub(crate) fn compare(case: &Case, wharf: &Wharf, reference: &Reference) -> Verdict {
    match (wharf.check(case), reference.check(case)) {
        (Ok(ours), Ok(theirs)) => Verdict::of(verdict::unintended_lint(case, differences(&ours, &theirs))),
        // What is no Dockerfile at all has no findings: the client says why, and so do we.
        (Err(_), Err(_)) => Verdict::Passed,
        (Err(_), Ok(theirs)) if !theirs["buildError"].is_null() => Verdict::Passed,
        (Err(why), Ok(_)) => Verdict::Failed(vec![format!("wharf does not check it:\n{why}")]),
        (Ok(ours), Err(_)) if !ours["buildError"].is_null() => Verdict::Passed,
        (Ok(_), Err(why)) => Verdict::Failed(vec![format!("only wharf checks it:\n{why}")]),
    }
}

fn differences(ours: &Value, theirs: &Value) -> Vec<String> {
    match [&ours["buildError"], &theirs["buildError"]] {
        [Value::Null, Value::Null] => findings(ours, theirs),
        [Value::Null, theirs] => vec![format!("it finds no error, the reference {theirs}")],
        [ours, Value::Null] => vec![format!("it finds an error, which the reference does not: {ours}")],
        [ours, theirs] => places(ours, theirs),
    }
}

/// An error ends the reference's look at a file, so that findings do not count; and it points to whole instructions, we to words.
fn places(ours: &Value, theirs: &Value) -> Vec<String> {
    let allowed = lines_of(theirs);
    let named = lines_of(ours);
    if allowed.is_empty() || named.first().is_some_and(|line| allowed.contains(line)) {
        return Vec::new();
    }
    vec![format!(
        "its error is on another line: {named:?} instead of {allowed:?}"
    )]
}

/// The lines of a location; line 0 is none.
fn lines_of(error: &Value) -> Vec<u64> {
    let ranges = error["location"]["ranges"].as_array();
    let lines = ranges.into_iter().flatten();
    let lines = lines.filter_map(|range| range["start"]["line"].as_u64());
    lines.filter(|line| *line > 0).collect()
}

fn findings(ours: &Value, theirs: &Value) -> Vec<String> {
    let [ours, theirs] = [ours, theirs].map(described);
    let missing = without(&theirs, &ours).map(|line| format!("missing: {line}"));
    let others = without(&ours, &theirs).map(|line| format!("not the reference's: {line}"));
    missing.chain(others).collect()
}

/// What `left` has more than `right`, things that are there several times included.
fn without(left: &[String], right: &[String]) -> impl Iterator<Item = String> {
    let mut right = right.to_vec();
    let rest = left.iter().filter(move |line| {
        let twin = right.iter().position(|other| other == *line);
        twin.map(|twin| right.swap_remove(twin)).is_none()
    });
    rest.cloned().collect::<Vec<_>>().into_iter()
}

/// Each finding and each source, as JSON. How the reference's daemon came by a source is nothing that wharf could have.
fn described(report: &Value) -> Vec<String> {
    ["warnings", "sources"]
        .iter()
        .flat_map(|list| report[list].as_array().cloned().unwrap_or_default())
        .map(|mut item| {
            item.as_object_mut().map(|fields| fields.remove("definition"));
            item.to_string()
        })
        .collect()
}
