//! Differences between two trees, path by path.

use std::collections::BTreeSet;

use wharf_oci::Digest;
use wharf_store::Store;
use wharf_tree::{Entry, Node, Tree, TreePath};

/// What differs: type, mode, owner, content, link target. Times do not count.
pub(crate) fn differences(ours: &Tree, theirs: &Tree, store: &Store) -> Vec<(String, String)> {
    let mut comparison = Comparison {
        store,
        found: Vec::new(),
    };
    comparison.maybe(&TreePath::root(), Some(&ours.root), Some(&theirs.root));
    comparison.found
}

struct Comparison<'s> {
    store: &'s Store,
    found: Vec<(String, String)>,
}

impl Comparison<'_> {
    fn maybe(&mut self, path: &TreePath, ours: Option<&Entry>, theirs: Option<&Entry>) {
        match (ours, theirs) {
            (Some(ours), Some(theirs)) => self.entries(path, ours, theirs),
            (Some(_), None) => self.found.push((path.to_string(), "only in ours".to_owned())),
            (None, Some(_)) => self.found.push((path.to_string(), "only in theirs".to_owned())),
            (None, None) => {}
        }
    }

    fn entries(&mut self, path: &TreePath, ours: &Entry, theirs: &Entry) {
        if ours.attrs != theirs.attrs {
            let show =
                |entry: &Entry| format!("{:o} {}:{}", entry.attrs.mode, entry.attrs.uid, entry.attrs.gid);
            self.found.push((
                path.to_string(),
                format!("{} but theirs is {}", show(ours), show(theirs)),
            ));
        }
        match (&ours.node, &theirs.node) {
            (Node::Dir(left, _), Node::Dir(right, _)) => {
                let names: BTreeSet<_> = left.entries().keys().chain(right.entries().keys()).collect();
                for name in names {
                    let (left, right) = (left.get(name.as_bytes()), right.get(name.as_bytes()));
                    self.maybe(&path.join(name), left, right);
                }
            }
            (left, right) if left == right => {}
            (Node::File { digest: left, .. }, Node::File { digest: right, .. }) => {
                let what = self.contents(left, right);
                self.found.push((path.to_string(), what));
            }
            (left, right) => self
                .found
                .push((path.to_string(), format!("{left:?} but theirs is {right:?}"))),
        }
    }

    /// The first lines that differ.
    fn contents(&self, ours: &Digest, theirs: &Digest) -> String {
        let text =
            |digest| String::from_utf8_lossy(&self.store.read_blob(digest, 1 << 26).unwrap()).into_owned();
        let (ours, theirs) = (text(ours), text(theirs));
        let mut pairs = ours
            .lines()
            .zip(theirs.lines())
            .filter(|(left, right)| left != right);
        let counts = format!(
            "{} lines but theirs has {}",
            ours.lines().count(),
            theirs.lines().count()
        );
        pairs.next().map_or(counts, |(left, right)| {
            format!("`{left}` but theirs has `{right}`")
        })
    }
}
