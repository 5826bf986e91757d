//! What has to be laid on one tree to get another.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    build::LayerBuilder,
    dir::{Dir, DirRole},
    entry::{Attrs, Entry, Mtime, Node},
    links::HardLinks,
    path::{Name, TreePath},
    tree::{Layer, Tree},
};

/// The layer for which `merge(lower, diff) == upper`, the times of directories aside: the time of anything else counts as
/// a change, that of a directory alone does not. Removed names are whiteouts, never an opaque directory. Shared
/// directories are not looked into.
///
/// A file that is equal in both trees but hard-linked otherwise is in the layer too: a layer's links never reach below it.
pub fn diff(lower: &Tree, upper: &Tree) -> Layer {
    let root = diff_dirs((&lower.root, lower.dir()), (&upper.root, upper.dir()));
    let plain = Layer {
        root: root.unwrap_or_else(|| Layer::empty().root),
        links: Arc::default(),
    };
    if lower.links.is_empty() && upper.links.is_empty() {
        return plain;
    }
    let mut links = Relinked::between(lower, upper);
    let mut layer = LayerBuilder::from_layer(&plain);
    for path in std::mem::take(&mut links.rewritten) {
        if plain.root.below(path).is_none()
            && let Some(entry) = upper.get(path)
        {
            layer
                .insert(path, entry.clone())
                .expect("the path is one of a tree");
        }
    }
    Layer {
        links: Arc::new(HardLinks::new(links.groups.into_iter().cloned())),
        ..layer.finish()
    }
}

/// What differs in two directories and below them; `None` when nothing does.
fn diff_dirs(lower: (&Entry, &Arc<Dir>), upper: (&Entry, &Arc<Dir>)) -> Option<Entry> {
    let (mut attrs, mut mtime, mut role) = (Attrs::default(), Mtime::default(), DirRole::Structural);
    if lower.0.attrs != upper.0.attrs {
        (attrs, mtime, role) = (upper.0.attrs.clone(), upper.0.mtime, DirRole::Full);
    }
    let entries = diff_entries(lower.1, upper.1);
    if entries.is_empty() && role == DirRole::Structural {
        return None;
    }
    let node = Node::Dir(Arc::new(Dir::new(entries)), role);
    Some(Entry { attrs, mtime, node })
}

fn diff_entries(lower: &Arc<Dir>, upper: &Arc<Dir>) -> BTreeMap<Name, Entry> {
    if Arc::ptr_eq(lower, upper) {
        return BTreeMap::new();
    }
    let gone = |name: &&Name| !upper.entries().contains_key(*name);
    let whiteouts = lower.entries().keys().filter(gone);
    let mut entries: BTreeMap<_, _> = whiteouts.map(|name| (name.clone(), Entry::whiteout())).collect();
    for (name, entry) in upper.entries() {
        if let Some(changed) = diff_entry(lower.entries().get(name), entry) {
            entries.insert(name.clone(), changed);
        }
    }
    entries
}

fn diff_entry(lower: Option<&Entry>, upper: &Entry) -> Option<Entry> {
    let Some(lower) = lower else {
        return Some(upper.clone());
    };
    match (&lower.node, &upper.node) {
        (Node::Dir(below, _), Node::Dir(above, _)) => diff_dirs((lower, below), (upper, above)),
        _ => (lower != upper).then(|| upper.clone()),
    }
}

/// How hard links differ: the groups that the layer must state, and the files that it must hold for them, or to be rid of
/// a group.
#[derive(Default)]
struct Relinked<'t> {
    groups: Vec<&'t Vec<TreePath>>,
    rewritten: BTreeSet<&'t TreePath>,
}

impl<'t> Relinked<'t> {
    fn between(lower: &'t Tree, upper: &'t Tree) -> Self {
        let above = upper.links.index();
        let mut links = Self::default();
        let mut kept = BTreeSet::new();
        for group in &lower.links.0 {
            kept.extend(links.split(group, lower, upper, &above));
        }
        let stated = upper
            .links
            .0
            .iter()
            .enumerate()
            .filter(|(index, _)| !kept.contains(index));
        for (_, group) in stated {
            links.rewritten.extend(group);
            links.groups.push(group);
        }
        links
    }

    /// The members of a lower group that are unchanged fall into classes: by their group in `upper`, or alone. One class
    /// may stay as it lies below, if none of its members comes from elsewhere; all other members are written again.
    /// Gives the upper group that stays.
    fn split(
        &mut self,
        group: &'t [TreePath],
        lower: &Tree,
        upper: &Tree,
        above: &BTreeMap<&TreePath, usize>,
    ) -> Option<usize> {
        let unchanged = |path: &&TreePath| lower.get(path) == upper.get(path);
        let mut classes = BTreeMap::<_, Vec<_>>::new();
        for path in group.iter().filter(unchanged) {
            // Alone, a path is its own class.
            let class = above.get(path).copied();
            classes
                .entry((class, class.is_none().then_some(path)))
                .or_default()
                .push(path);
        }
        let whole = |class: &Option<usize>, members: &Vec<_>| {
            class.is_none_or(|class| upper.links.0[class].len() == members.len())
        };
        let stays = classes
            .iter()
            .filter(|((class, _), members)| whole(class, members))
            .max_by_key(|(_, members)| members.len())
            .map(|(key, _)| *key);
        let rest = classes.into_iter().filter(|(key, _)| Some(*key) != stays);
        self.rewritten.extend(rest.flat_map(|(_, members)| members));
        stays.and_then(|(class, _)| class)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{layer, show_all, tree};

    fn check(lower: &[&str], upper: &[&str], expected: &[&str]) {
        let (found, expected) = (diff(&tree(lower), &tree(upper)), layer(expected));
        let (found, expected) = (
            show_all(&found.root, &found.links),
            show_all(&expected.root, &expected.links),
        );
        assert_eq!(found, expected, "{lower:?} to {upper:?}");
    }

    #[test]
    fn names_come_and_go() {
        check(&["a file 1"], &["a file 1"], &[]);
        check(&["a file 1"], &["b file 1"], &["a gone", "b file 1"]);
        check(&["d/a file 1", "d/b file 2"], &["d/a file 1"], &["d/b gone"]);
        check(&["d/a file 1"], &["d/a file 1 @600"], &["d/a file 1 @600"]);
        check(&["d/a file 1"], &["d/ dir @700", "d/a file 1"], &["d/ dir @700"]);
        check(&["d/a file 1"], &["d file 1"], &["d file 1"]);
        check(&["d -> x"], &["d/a file 1"], &["d/ dir @755", "d/a file 1"]);
    }

    #[test]
    fn times_count_but_for_directories() {
        let lower = tree(&["d/a file 1"]);
        let mut upper = lower.clone();
        let later = Mtime { secs: 77, nanos: 1 };
        upper.root.mtime = later;
        assert_eq!(diff(&lower, &upper), Layer::empty());
        let path = TreePath::new("d/a").unwrap();
        let mut builder = crate::TreeBuilder::from_tree(&lower);
        let touched = Entry {
            mtime: later,
            ..lower.get(&path).unwrap().clone()
        };
        builder.insert(&path, touched).unwrap();
        let layer = diff(&lower, &builder.finish());
        assert_eq!(layer.root.below(&path).unwrap().mtime, later);
    }

    #[test]
    fn hard_links_that_stay_are_not_written_again() {
        let linked = ["a file 1", "b = a", "c = a"];
        check(&linked, &linked, &[]);
        check(&linked, &["a file 1", "b = a"], &["c gone"]);
        check(&linked, &["a file 2", "b file 1", "c = b"], &["a file 2"]);
        check(&linked, &["a file 1", "b file 1", "c = b"], &["a file 1"]);
        check(
            &linked,
            &["a file 1", "b file 1", "c file 1"],
            &["a file 1", "b file 1"],
        );
        check(
            &linked,
            &["a file 2", "b = a", "c = a"],
            &["a file 2", "b = a", "c = a"],
        );
        check(
            &linked,
            &["a file 1", "b = a", "c = a", "d = a"],
            &["a file 1", "b = a", "c = a", "d = a"],
        );
        check(
            &["a file 1", "b file 1"],
            &["a file 1", "b = a"],
            &["a file 1", "b = a"],
        );
    }
}
