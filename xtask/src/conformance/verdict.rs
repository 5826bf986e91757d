//! How two builders' results for a case differ. The reference's word is what counts; ours has to match it.

use std::{collections::BTreeMap, path::Path};

use serde_json::Value;

use super::{
    built::Built,
    case::{Case, Failure},
    image::{self, Image},
};

/// More are not shown: a reader needs the first few.
const SHOWN: usize = 12;

/// What one check of a case came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// As it has to be.
    Passed,
    /// What is not.
    Failed(Vec<String>),
    /// Why it cannot be judged.
    NotVerified(String),
}

impl Verdict {
    /// That of `differences`.
    pub(crate) fn of(mut differences: Vec<String>) -> Self {
        differences.truncate(SHOWN);
        if differences.is_empty() {
            Self::Passed
        } else {
            Self::Failed(differences)
        }
    }

    /// That of a check which has to fail when there is a reason that it does.
    pub(crate) fn except(self, reason: Option<&str>) -> Self {
        match (self, reason) {
            (Self::Failed(_), Some(reason)) => Self::NotVerified(reason.to_owned()),
            (Self::Passed, Some(reason)) => {
                Self::Failed(vec![format!("it passes, although it should not: {reason}")])
            }
            (verdict, _) => verdict,
        }
    }
}

/// Whether wharf does with `case` as the reference does.
pub(crate) fn compare(case: &Case, ours: &Built, theirs: &Built) -> Verdict {
    let names = names(case).filter(|name| !name.starts_with(OF_LINTER));
    Verdict::of(unintended(&names.collect::<Vec<_>>(), all(case, ours, theirs)))
}

/// Begins the names of intended differences between the linters.
const OF_LINTER: &str = "lint: ";

/// The differences between the linters that are not intended.
pub(crate) fn unintended_lint(case: &Case, differences: Vec<String>) -> Vec<String> {
    let names = names(case).filter_map(|name| name.strip_prefix(OF_LINTER));
    unintended(&names.collect::<Vec<_>>(), differences)
}

fn names(case: &Case) -> impl Iterator<Item = &str> {
    case.differs
        .iter()
        .flat_map(|differs| &differs.names)
        .map(String::as_str)
}

/// The differences that are not intended. An intended one that is none counts as well.
fn unintended(names: &[&str], differences: Vec<String>) -> Vec<String> {
    let (intended, mut differences): (Vec<_>, Vec<_>) = differences
        .into_iter()
        .partition(|difference| names.iter().any(|name| *name == subject(difference)));
    let gone = names
        .iter()
        .filter(|name| !intended.iter().any(|difference| subject(difference) == **name));
    differences.extend(gone.map(|name| format!("{name}: differs no more")));
    differences
}

/// Whether running the reused steps of a build again went well.
pub(crate) fn verified(case: &Case, again: &Built) -> Verdict {
    let failure = || vec![format!("it fails:\n{}", tail(&again.messages))];
    Verdict::of(again.layout.is_none().then(failure).unwrap_or_default()).except(case.unverified.as_deref())
}

/// Whether an ordinary user's build is as root's.
pub(crate) fn rootless(case: &Case, user: &Built, root: &Built) -> Verdict {
    Verdict::of(alike(case, user, root)).except(case.rootless.as_deref())
}

fn alike(case: &Case, user: &Built, root: &Built) -> Vec<String> {
    match (&user.layout, &root.layout) {
        (Some(user), Some(root)) => read_both(case, user, root),
        (None, None) => case
            .failure
            .as_ref()
            .map_or_else(Vec::new, |failure| named(failure, user)),
        (Some(_), None) => vec!["it builds what root's build refuses".to_owned()],
        (None, Some(_)) => vec![format!("it fails:\n{}", tail(&user.messages))],
    }
}

fn answers(ours: &Built, theirs: &Built) -> Vec<String> {
    if ours.answer == theirs.answer {
        return Vec::new();
    }
    vec![format!("answer:\n{}instead of\n{}", ours.answer, theirs.answer)]
}

fn read_both(case: &Case, ours: &Path, theirs: &Path) -> Vec<String> {
    match (image::read(ours), image::read(theirs)) {
        (Ok(ours), Ok(theirs)) => platforms(case, &ours, &theirs),
        (ours, theirs) => [ours.err(), theirs.err()].into_iter().flatten().collect(),
    }
}

/// What a difference is about.
fn subject(difference: &str) -> &str {
    difference
        .split_once(": ")
        .map_or(difference, |(subject, _)| subject)
}

fn all(case: &Case, ours: &Built, theirs: &Built) -> Vec<String> {
    match (&case.failure, &ours.layout, &theirs.layout) {
        (Some(failure), None, None) => named(failure, ours),
        (Some(_), ours, theirs) => [("wharf", ours), ("the reference", theirs)]
            .into_iter()
            .filter(|(_, layout)| layout.is_some())
            .map(|(who, _)| format!("{who} builds what has to fail"))
            .collect(),
        (None, Some(_), Some(_)) if case.call.is_some() => answers(ours, theirs),
        (None, Some(ours), Some(theirs)) => read_both(case, ours, theirs),
        (None, ..) => [("wharf", ours), ("the reference", theirs)]
            .into_iter()
            .filter(|(_, built)| built.layout.is_none())
            .map(|(who, built)| format!("{who} fails:\n{}", tail(&built.messages)))
            .collect(),
    }
}

fn named(failure: &Failure, ours: &Built) -> Vec<String> {
    if ours.messages.contains(&failure.names) {
        return Vec::new();
    }
    let message = tail(&ours.messages);
    vec![format!(
        "wharf's message does not name {}:\n{message}",
        failure.names
    )]
}

fn tail(messages: &str) -> String {
    let lines: Vec<_> = messages.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}

/// The images of each platform; both have to have the same ones.
fn platforms(case: &Case, ours: &BTreeMap<String, Image>, theirs: &BTreeMap<String, Image>) -> Vec<String> {
    if !ours.keys().eq(theirs.keys()) {
        let names = |images: &BTreeMap<String, Image>| images.keys().cloned().collect::<String>();
        return vec![format!(
            "platforms: {}\ninstead of {}",
            names(ours),
            names(theirs)
        )];
    }
    let each = ours.iter().zip(theirs.values());
    let of_platform = |((name, ours), theirs): ((&String, &Image), &Image)| {
        let differences = images(case, ours, theirs).into_iter();
        differences
            .map(|difference| format!("{name}{difference}"))
            .collect::<Vec<_>>()
    };
    each.flat_map(of_platform).collect()
}

/// The times that count.
fn times(case: &Case, image: &Image) -> BTreeMap<String, Option<u64>> {
    let named = |path: &String, time| (format!("time of {path}"), time);
    match case.epoch {
        // A second more tells what is later from what is just in time.
        Some(epoch) => {
            let all = image.tree.times(epoch + 1);
            all.iter().map(|(path, time)| named(path, Some(*time))).collect()
        }
        None => case
            .times
            .iter()
            .map(|path| named(path, image.tree.time(path)))
            .collect(),
    }
}

fn images(case: &Case, ours: &Image, theirs: &Image) -> Vec<String> {
    let mut differences = differing(&ours.tree.entries(), &theirs.tree.entries());
    differences.extend(differing(&times(case, ours), &times(case, theirs)));
    if ours.layers != theirs.layers {
        differences.push(format!("layers: {} instead of {}", ours.layers, theirs.layers));
    }
    let mut configs = [BTreeMap::new(), BTreeMap::new()];
    let left_out: &[&str] = match case.epoch {
        Some(_) => &["diff_ids"],
        None => &["diff_ids", "created"],
    };
    flatten("config", &ours.config, left_out, &mut configs[0]);
    flatten("config", &theirs.config, left_out, &mut configs[1]);
    differences.extend(differing(&configs[0], &configs[1]));
    differences
}

/// The configuration as lines, without the fields that are `left_out`: the ids of layers, which hold times, and times where they do
/// not count. A null is what is not there.
fn flatten(path: &str, value: &Value, left_out: &[&str], into: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => fields
            .iter()
            .filter(|(name, _)| !left_out.contains(&&name[..]))
            .for_each(|(name, value)| flatten(&format!("{path}.{name}"), value, left_out, into)),
        Value::Array(items) if !items.is_empty() => items
            .iter()
            .enumerate()
            .for_each(|(index, value)| flatten(&format!("{path}[{index:02}]"), value, left_out, into)),
        Value::Null => {}
        value => {
            into.insert(path.to_owned(), value.to_string());
        }
    }
}

fn differing<T: PartialEq + std::fmt::Debug>(
    ours: &BTreeMap<String, T>,
    theirs: &BTreeMap<String, T>,
) -> Vec<String> {
    let missing = theirs
        .iter()
        .filter(|(name, _)| !ours.contains_key(*name))
        .map(|(name, value)| format!("{name}: missing, the reference has {value:?}"));
    let others = ours.iter().filter_map(|(name, ours)| match theirs.get(name) {
        None => Some(format!("{name}: {ours:?}, which the reference has not")),
        Some(theirs) if theirs == ours => None,
        Some(theirs) => Some(format!("{name}: {ours:?}\ninstead of {theirs:?}")),
    });
    missing.chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_told() {
        let map = |pairs: &[(&str, u8)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect();
        assert_eq!(
            differing(
                &map(&[("a", 1), ("b", 1), ("c", 1)]),
                &map(&[("a", 1), ("b", 2), ("d", 1)])
            ),
            [
                "d: missing, the reference has 1",
                "b: 1\ninstead of 2",
                "c: 1, which the reference has not"
            ]
        );
    }

    #[test]
    fn times_of_a_configuration_do_not_count() {
        let document = serde_json::json!({
            "created": "now",
            "history": [{"created": "now", "created_by": "RUN x"}],
            "rootfs": {"type": "layers", "diff_ids": ["sha256:0"]},
            "config": {"Env": [], "Cmd": null},
        });
        let mut lines = BTreeMap::new();
        flatten("", &document, &["created", "diff_ids"], &mut lines);
        let lines: Vec<_> = lines
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(
            lines,
            [
                ".config.Env=[]",
                ".history[00].created_by=\"RUN x\"",
                ".rootfs.type=\"layers\""
            ]
        );
    }
}
