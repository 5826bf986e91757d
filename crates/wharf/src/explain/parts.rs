//! What of a step is otherwise than in the build before: the parts of its key, by name.

use std::collections::BTreeMap;

use wharf_graph::{Part, event::StepInfo};

/// The names of the parts that the step in the same place of an earlier build had otherwise; nothing when there was none.
pub(super) fn other(info: &StepInfo, earlier: &[StepInfo]) -> Vec<String> {
    let place = |info: &StepInfo| {
        info.origin
            .as_ref()
            .map(|origin| (origin.stage.clone(), origin.ordinal))
    };
    let platforms = |info: &StepInfo| {
        let shown = info.origin.as_ref().map(|origin| origin.platform.clone());
        (info.platform.clone(), shown)
    };
    let mut there = earlier.iter().filter(|before| place(before) == place(info));
    let same = there.clone().find(|before| platforms(before) == platforms(info));
    let Some(before) = same.or_else(|| there.next()) else {
        return Vec::new();
    };
    let by_name = |parts: &[Part]| -> BTreeMap<String, String> {
        parts
            .iter()
            .map(|part| (part.name.clone(), part.digest.clone()))
            .collect()
    };
    let (was, is) = (by_name(&before.parts), by_name(&info.parts));
    let mut names: Vec<String> = was
        .keys()
        .chain(is.keys())
        .filter(|name| was.get(*name) != is.get(*name))
        .cloned()
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}
