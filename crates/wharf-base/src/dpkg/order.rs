//! In which order packages are unpacked, and which of them are configured together.
//!
//! Policy 7.2: before a package is unpacked (its preinst runs), what it Pre-Depends on is configured. Essential packages may
//! be used by every script, so they are configured first, all together, as mmdebstrap and debootstrap do.

use std::collections::{BTreeMap, BTreeSet};

use super::control::Control;
use crate::apt::relation::{Relation, groups, members};

/// Positions of packages, in batches: each batch is configured before the next one's preinst scripts run.
pub type Batches = Vec<Vec<usize>>;

/// Those that write `/etc/passwd` and the root directory: every other script may count on them.
const FIRST: &[&str] = &["base-passwd", "base-files"];

/// Orders packages. The order depends on nothing but the packages: not on the order in which they are given.
pub fn order(controls: &[&Control]) -> Batches {
    let graph = Graph::new(controls);
    let mut by_name: Vec<usize> = (0..controls.len()).collect();
    by_name.sort_by_key(|position| {
        let name = controls[*position].name();
        (
            FIRST
                .iter()
                .position(|first| *first == name)
                .unwrap_or(FIRST.len()),
            name,
            controls[*position].field("Architecture"),
        )
    });
    let essential = by_name
        .iter()
        .filter(|position| controls[**position].field("Essential") == "yes")
        .copied();
    let mut done = BTreeSet::new();
    let mut batches = vec![graph.closure(essential.collect(), &done)];
    done.extend(batches[0].iter().copied());
    while done.len() < controls.len() {
        let batch = graph.next_batch(&by_name, &done);
        done.extend(batch.iter().copied());
        batches.push(batch);
    }
    batches.retain(|batch| !batch.is_empty());
    batches
}

/// Who needs whom: positions, by position.
struct Graph {
    depends: Vec<Vec<usize>>,
    pre_depends: Vec<Vec<usize>>,
    has_preinst: Vec<bool>,
}

impl Graph {
    fn new(controls: &[&Control]) -> Self {
        let mut names: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (position, control) in controls.iter().enumerate() {
            names.entry(control.name()).or_default().push(position);
            for provided in members(control.field("Provides")) {
                names.entry(provided.name).or_default().push(position);
            }
        }
        let needs = |field: &str| {
            let one = |group: Vec<Relation<'_>>| {
                group
                    .iter()
                    .find_map(|relation| names.get(relation.name))
                    .cloned()
            };
            groups(field)
                .filter_map(|group| one(group.collect()))
                .flatten()
                .collect::<Vec<_>>()
        };
        Self {
            depends: controls
                .iter()
                .map(|control| needs(control.field("Depends")))
                .collect(),
            pre_depends: controls
                .iter()
                .map(|control| needs(control.field("Pre-Depends")))
                .collect(),
            has_preinst: controls
                .iter()
                .map(|control| control.files.contains_key("preinst"))
                .collect(),
        }
    }

    /// The packages and all that they need and that is not `done`, the needed first.
    fn closure(&self, start: Vec<usize>, done: &BTreeSet<usize>) -> Vec<usize> {
        let mut ordered = Vec::new();
        let mut seen = done.clone();
        for position in start {
            self.visit(position, &mut seen, &mut ordered);
        }
        ordered
    }

    fn visit(&self, position: usize, seen: &mut BTreeSet<usize>, ordered: &mut Vec<usize>) {
        if !seen.insert(position) {
            return;
        }
        for needed in self.pre_depends[position].iter().chain(&self.depends[position]) {
            self.visit(*needed, seen, ordered);
        }
        ordered.push(position);
    }

    /// Everything that is left, or first only what a preinst's package Pre-Depends on.
    fn next_batch(&self, by_name: &[usize], done: &BTreeSet<usize>) -> Vec<usize> {
        let left = by_name
            .iter()
            .filter(|position| !done.contains(position))
            .copied();
        let rest = self.closure(left.collect(), done);
        let before = |position: &usize| {
            let waiting = self.pre_depends[*position]
                .iter()
                .filter(|needed| !done.contains(needed));
            if self.has_preinst[*position] {
                waiting.copied().collect()
            } else {
                Vec::new()
            }
        };
        let first = self.closure(rest.iter().flat_map(before).collect(), done);
        let splits = !first.is_empty() && first.len() < rest.len();
        let needs_before = first.iter().any(|position| !before(position).is_empty());
        match (splits, needs_before) {
            (false, _) => rest,
            (true, false) => first,
            (true, true) => self.innermost(&first, done),
        }
    }

    /// Of packages that Pre-Depend on each other, those that come first; all of them when they go in a circle.
    fn innermost(&self, batch: &[usize], done: &BTreeSet<usize>) -> Vec<usize> {
        let sizes = batch.iter().map(|position| self.closure(vec![*position], done));
        let smallest = sizes.min_by_key(Vec::len);
        smallest.unwrap_or_else(|| batch.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use wharf_oci::Digest;

    use super::*;
    use crate::dpkg::control::ControlFile;

    fn control(fields: &str, has_preinst: bool) -> Control {
        let file = ControlFile {
            digest: Digest::of(b""),
            size: 0,
            mode: 0o755,
        };
        let files = has_preinst.then(|| ("preinst".to_owned(), file));
        Control {
            fields: fields.to_owned(),
            files: files.into_iter().collect::<BTreeMap<_, _>>(),
            conffiles: Vec::new(),
            triggers: String::new(),
            interpreters: Vec::new(),
        }
    }

    fn names(controls: &[Control]) -> Vec<Vec<&str>> {
        let refs: Vec<_> = controls.iter().collect();
        let name = |position: usize| controls[position].name();
        order(&refs)
            .into_iter()
            .map(|batch| batch.into_iter().map(name).collect())
            .collect()
    }

    #[test]
    fn essential_ones_first_then_what_preinsts_need() {
        let controls = [
            control("Package: z\nPre-Depends: y", true),
            control("Package: y\nDepends: x", false),
            control("Package: x", false),
            control("Package: a\nEssential: yes\nDepends: libc", false),
            control("Package: libc", true),
            control("Package: base-passwd\nEssential: yes\nDepends: libc", true),
        ];
        assert_eq!(
            names(&controls),
            [vec!["libc", "base-passwd", "a"], vec!["x", "y"], vec!["z"]]
        );
    }

    #[test]
    fn circles_end() {
        let controls = [
            control("Package: a\nPre-Depends: b", true),
            control("Package: b\nPre-Depends: a", true),
            control("Package: c\nDepends: d", false),
            control("Package: d\nDepends: c", false),
        ];
        let all: Vec<_> = names(&controls).concat();
        assert_eq!(all.len(), 4);
    }

    #[test]
    fn does_not_depend_on_the_order_given() {
        let mut controls = [
            control("Package: a\nDepends: v", false),
            control("Package: b\nProvides: v", false),
            control("Package: c", false),
        ];
        let before = names(&controls).concat().join(" ");
        controls.reverse();
        assert_eq!(names(&controls).concat().join(" "), before);
    }
}
