//! Where two trees or layers differ, times aside.

use std::collections::BTreeSet;

use wharf_graph::event::ChangeKind;
use wharf_tree::{Entry, Name, Node, TreePath};

/// The paths at and below two roots that they do not have alike, in order.
pub(super) fn differing(was: &Entry, is: &Entry) -> Vec<(TreePath, ChangeKind)> {
    let mut found = Vec::new();
    below(Some(was), Some(is), &TreePath::root(), &mut found);
    found
}

fn below(was: Option<&Entry>, is: Option<&Entry>, path: &TreePath, found: &mut Vec<(TreePath, ChangeKind)>) {
    let (was, is) = match (was, is) {
        (Some(was), Some(is)) => (was, is),
        (None, _) => return found.push((path.clone(), ChangeKind::Appeared)),
        (_, None) => return found.push((path.clone(), ChangeKind::Disappeared)),
    };
    match (&was.node, &is.node) {
        (Node::Dir(before, _), Node::Dir(now, _)) => {
            if was.attrs != is.attrs {
                found.push((path.clone(), ChangeKind::Attributes));
            }
            if before.digest() != now.digest() {
                let names: BTreeSet<&Name> = before.entries().keys().chain(now.entries().keys()).collect();
                for name in names {
                    let (was, is) = (before.get(name.as_bytes()), now.get(name.as_bytes()));
                    below(was, is, &path.join(name), found);
                }
            }
        }
        (before, now) if before != now => found.push((path.clone(), ChangeKind::Content)),
        _ if was.attrs != is.attrs => found.push((path.clone(), ChangeKind::Attributes)),
        _ => {}
    }
}
