//! What a COPY takes of a context, as far as its key is concerned: files of the context that it does not take change nothing.

use std::collections::BTreeMap;

use wharf_graph::{CopyOp, CopySource, Input, PathSource};
use wharf_oci::Hasher;
use wharf_tree::{Dir, FollowLast, Name, Tree, TreeDigest, TreePath};

use super::{StepOutput, copy::matching};
use crate::root::Layers;

/// The tree that counts for `input` in the key of `op`: of a context the part that is taken, of anything else all of it. A stage's tree
/// is known by name only at this point, and reading it would cost more than doing the COPY again.
pub(super) fn counted(op: &CopyOp, input: Input, output: &StepOutput) -> TreeDigest {
    match &output.root.layers {
        Layers::InMemory(tree) => part(op, input, tree).unwrap_or(output.root.tree),
        Layers::Stored(_) => output.root.tree,
    }
}

/// `None` when the whole tree may count: everything is taken, or a link leads who knows where.
fn part(op: &CopyOp, input: Input, tree: &Tree) -> Option<TreeDigest> {
    let mut hasher = Hasher::new();
    hasher.update(b"wharf part 1\0");
    let mut taken = Vec::new();
    for source in &op.sources {
        match source {
            CopySource::Path(path) if path.input == input => taken.extend(paths(path, tree)?),
            CopySource::Checkout(checkout) if *checkout == input => return None,
            _ => {}
        }
    }
    for path in &taken {
        let entry = tree.get(path)?;
        let name = Name::new(path.file_name()?).ok()?;
        let alone = Dir::new(BTreeMap::from([(name, entry.clone())]));
        hasher.update(path.as_bytes());
        hasher.update(b"\0");
        hasher.update(alone.digest().as_bytes());
    }
    for group in &tree.links.0 {
        for name in group
            .iter()
            .filter(|name| taken.iter().any(|path| name.starts_with(path)))
        {
            hasher.update(name.as_bytes());
            hasher.update(b"\0");
        }
        hasher.update(b"\0");
    }
    Some(TreeDigest(hasher.finish()))
}

/// Where the source's files are; `None` when a link is on the way or the source is not simply there.
fn paths(source: &PathSource, tree: &Tree) -> Option<Vec<TreePath>> {
    let matching = matching(source, tree).ok()?;
    matching
        .iter()
        .map(|path| {
            let found = tree.lookup(path, FollowLast::Yes).ok()?;
            let named = TreePath::new(path.strip_prefix(b"/").unwrap_or(path)).ok()?;
            (found.path == named).then_some(named)
        })
        .collect()
}

/// What the key of a COPY is made of: one tree for each input.
pub(super) fn trees(op: &CopyOp, inputs: &[StepOutput]) -> Vec<TreeDigest> {
    (0..)
        .map(Input)
        .zip(inputs)
        .map(|(input, output)| counted(op, input, output))
        .collect()
}

#[cfg(test)]
mod tests {
    use wharf_graph::CopySource;
    use wharf_oci::Digest;
    use wharf_tree::{Attrs, Entry, Mtime, Node, TreeBuilder};

    use super::*;
    use crate::root::Root;

    fn context(files: &[(&str, &str)]) -> StepOutput {
        let mut builder = TreeBuilder::new();
        for (path, text) in files {
            let node = match text.strip_prefix("-> ") {
                Some(target) => Node::Symlink(target.as_bytes().into()),
                None => Node::File {
                    digest: Digest::of(text.as_bytes()),
                    size: text.len() as u64,
                },
            };
            let entry = Entry {
                attrs: Attrs::root(0o644),
                mtime: Mtime::default(),
                node,
            };
            builder.insert(&TreePath::new(path).unwrap(), entry).unwrap();
        }
        StepOutput {
            root: Root::in_memory(builder.finish()),
            ..StepOutput::default()
        }
    }

    #[track_caller]
    fn check(source: &str, other: &[(&str, &str)], same: bool) {
        let op = CopyOp {
            sources: vec![CopySource::Path(PathSource {
                input: Input(1),
                path: source.to_owned(),
                parents: None,
                unpack: false,
            })],
            dest: "/".to_owned(),
            chown: None,
            chmod: None,
            link: false,
            excludes: Vec::new(),
            add: false,
        };
        let before = context(&[("a/x", "1"), ("a/y", "2"), ("b", "3"), ("l", "-> a")]);
        let (before, after) = (
            trees(&op, &[StepOutput::default(), before]),
            trees(&op, &[StepOutput::default(), context(other)]),
        );
        assert_eq!(before == after, same, "{source} {other:?}");
    }

    #[test]
    fn only_what_is_taken_counts() {
        let changed = [("a/x", "1"), ("a/y", "2"), ("b", "other"), ("l", "-> a")];
        for source in ["/a", "/a/x", "/a/*"] {
            check(source, &changed, true);
        }
        for source in ["/", "/b", "/*", "/l"] {
            check(source, &changed, false);
        }
        check(
            "/a/*",
            &[("a/x", "1"), ("a/y", "2"), ("a/z", "3"), ("b", "3")],
            false,
        );
        check("/a", &[("a/x", "1"), ("b", "3")], false);
    }
}
