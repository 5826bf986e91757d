//! Differences between two trees, path by path.

use wharf_tree::{Entry, Node, Tree, TreePath};

/// What differs: type, mode, owner, content, link target. Times do not count.
pub(crate) fn differences(ours: &Tree, theirs: &Tree) -> Vec<(String, String)> {
    let mut found = Vec::new();
    compare(&TreePath::root(), Some(&ours.root), Some(&theirs.root), &mut found);
    found
}

fn compare(path: &TreePath, ours: Option<&Entry>, theirs: Option<&Entry>, found: &mut Vec<(String, String)>) {
    match (ours, theirs) {
        (Some(ours), Some(theirs)) => compare_entries(path, ours, theirs, found),
        (Some(_), None) => found.push((path.to_string(), "only in ours".to_owned())),
        (None, Some(_)) => found.push((path.to_string(), "only in theirs".to_owned())),
        (None, None) => {}
    }
}

fn compare_entries(path: &TreePath, ours: &Entry, theirs: &Entry, found: &mut Vec<(String, String)>) {
    if ours.attrs != theirs.attrs {
        let show = |entry: &Entry| format!("{:o} {}:{}", entry.attrs.mode, entry.attrs.uid, entry.attrs.gid);
        found.push((path.to_string(), format!("{} but theirs is {}", show(ours), show(theirs))));
    }
    match (&ours.node, &theirs.node) {
        (Node::Dir(left, _), Node::Dir(right, _)) => {
            let names: std::collections::BTreeSet<_> = left.entries().keys().chain(right.entries().keys()).collect();
            for name in names {
                let (left, right) = (left.get(name.as_bytes()), right.get(name.as_bytes()));
                compare(&path.join(name), left, right, found);
            }
        }
        (left, right) if left == right => {}
        (left, right) => found.push((path.to_string(), format!("{left:?} but theirs is {right:?}"))),
    }
}
