//! Laying a layer on a tree.

use std::sync::Arc;

use crate::{
    dir::{Dir, DirRole},
    entry::{Attrs, Entry, Mtime, Node},
    links::HardLinks,
    path::TreePath,
    tree::{Layer, Tree},
};

/// A reused layer that does not fit its new parent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// The layer passes through something that the tree has not as a directory.
    #[error("the layer passes through {path}, which is no directory below it")]
    NotADirectory {
        /// Where.
        path: TreePath,
    },
}

/// `lower` with `layer` on it, path by path as in the OCI image specification ("Applying Changesets"): links are not
/// followed, a directory takes the place of a link or file. Total: a structural directory that meets nothing, or something
/// that is no directory, becomes root's with mode 0755, as unpackers make parents that a layer does not list.
///
/// O(changed): what the layer does not touch is shared and keeps its digest. Hard links of `lower` of which one name is
/// replaced lose that name.
pub fn merge(lower: &Tree, layer: &Layer) -> Tree {
    let mut root = lower.root.clone();
    lay(&mut root, &layer.root);
    Tree {
        root,
        links: merge_links(lower, layer),
    }
}

/// [`merge`] for a layer that was made on another parent: refuses when a structural directory of the layer is missing in
/// `lower`, or is a link or file there. Going through a link would write somewhere else than the step did.
pub fn regraft(lower: &Tree, layer: &Layer) -> Result<Tree, MergeError> {
    check(Some(&lower.root), &layer.root, &mut TreePath::root())?;
    Ok(merge(lower, layer))
}

/// Lays the directory `above` on `below`, which is one too.
fn lay(below: &mut Entry, above: &Entry) {
    let (Node::Dir(lower, _), Node::Dir(upper, role)) = (&mut below.node, &above.node) else {
        unreachable!("both are directories");
    };
    match role {
        DirRole::Opaque => {
            *below = complete(above);
            return;
        }
        DirRole::Full => (below.attrs, below.mtime) = (above.attrs.clone(), above.mtime),
        DirRole::Structural => {}
    }
    if !upper.entries().is_empty() {
        lay_entries(Arc::make_mut(lower), upper);
    }
}

fn lay_entries(lower: &mut Dir, upper: &Dir) {
    let below = lower.entries_mut();
    for (name, above) in upper.entries() {
        match (&above.node, below.get_mut(name)) {
            (Node::Whiteout, _) => drop(below.remove(name)),
            (Node::Dir(..), Some(below)) if below.node.is_dir() => lay(below, above),
            _ => drop(below.insert(name.clone(), complete(above))),
        }
    }
}

/// What an entry of a layer is where nothing lies below it.
fn complete(entry: &Entry) -> Entry {
    let Node::Dir(dir, role) = &entry.node else {
        return entry.clone();
    };
    let (attrs, mtime) = match role {
        DirRole::Structural => (Attrs::root(0o755), Mtime::default()),
        DirRole::Full | DirRole::Opaque => (entry.attrs.clone(), entry.mtime),
    };
    Entry {
        attrs,
        mtime,
        node: Node::Dir(complete_dir(dir), DirRole::Full),
    }
}

fn complete_dir(dir: &Arc<Dir>) -> Arc<Dir> {
    if !dir.summary().partial {
        return Arc::clone(dir);
    }
    let entries = dir.entries().iter();
    let there = entries.filter(|(_, entry)| entry.node != Node::Whiteout);
    Arc::new(Dir::new(
        there
            .map(|(name, entry)| (name.clone(), complete(entry)))
            .collect(),
    ))
}

fn merge_links(lower: &Tree, layer: &Layer) -> Arc<HardLinks> {
    if lower.links.is_empty() {
        return Arc::clone(&layer.links);
    }
    let survives = |path: &TreePath| !covers(&layer.root, path);
    if layer.links.is_empty() && lower.links.0.iter().flatten().all(survives) {
        return Arc::clone(&lower.links);
    }
    let left = lower.links.retain(survives);
    Arc::new(HardLinks::new(
        left.0.into_iter().chain(layer.links.0.iter().cloned()),
    ))
}

/// Whether what a tree has at `path`, a file, is hidden by the layer of this root.
fn covers(root: &Entry, path: &TreePath) -> bool {
    let mut entry = root;
    for name in path.components() {
        match &entry.node {
            Node::Dir(dir, DirRole::Full | DirRole::Structural) => match dir.get(name) {
                Some(next) => entry = next,
                None => return false,
            },
            _ => return true,
        }
    }
    true
}

fn check(below: Option<&Entry>, above: &Entry, path: &mut TreePath) -> Result<(), MergeError> {
    let Node::Dir(upper, role) = &above.node else {
        return Ok(());
    };
    let lower = below.and_then(|below| below.node.as_dir());
    if *role == DirRole::Structural && lower.is_none() {
        return Err(MergeError::NotADirectory { path: path.clone() });
    }
    if !upper.summary().partial {
        return Ok(());
    }
    for (name, above) in upper.entries() {
        path.push(name);
        check(lower.and_then(|lower| lower.get(name.as_bytes())), above, path)?;
        path.pop();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{layer, show_all, tree};

    fn merged(lower: &[&str], upper: &[&str]) -> String {
        let merged = merge(&tree(lower), &layer(upper));
        show_all(&merged.root, &merged.links)
    }

    #[test]
    fn whiteouts_remove_and_opaque_directories_hide() {
        let lower = ["a/x file 1", "a/y file 2", "b/x file 1", "c file 3", "d file 4"];
        let upper = [
            "a/x gone",
            "b/ dir @700",
            "b/ opaque",
            "b/new file n",
            "c gone",
            "never gone",
        ];
        insta::assert_snapshot!(merged(&lower, &upper), @"
        / dir 755
        /a dir 755
        /a/y file 644 1 d473
        /b dir 700
        /b/new file 644 1 1b16
        /d file 644 1 4b22
        ");
    }

    #[test]
    fn structural_directories_take_the_attributes_below() {
        let lower = ["a/ dir @750:3", "a/b/ dir @711:4", "link -> a", "file file f"];
        let upper = [
            "a/b/new file n",
            "missing/x file x",
            "link/y file y",
            "file/z file z",
        ];
        insta::assert_snapshot!(merged(&lower, &upper), @"
        / dir 755
        /a dir 750 3:3
        /a/b dir 711 4:4
        /a/b/new file 644 1 1b16
        /file dir 755
        /file/z file 644 1 594e
        /link dir 755
        /link/y file 644 1 a1fc
        /missing dir 755
        /missing/x file 644 1 2d71
        ");
    }

    #[test]
    fn one_kind_takes_the_place_of_another() {
        let lower = ["dir/x file 1", "file file 2", "link -> dir", "fifo fifo"];
        let upper = [
            "dir file d",
            "file/ dir",
            "file/in file i",
            "link/ dir @700",
            "fifo -> file",
        ];
        insta::assert_snapshot!(merged(&lower, &upper), @"
        / dir 755
        /dir file 644 1 18ac
        /fifo -> file
        /file dir 755
        /file/in file 644 1 de7d
        /link dir 700
        ");
    }

    #[test]
    fn hard_links_are_of_one_layer() {
        let lower = ["a file 1", "b = a", "c = a", "d/e file 2", "f = d/e"];
        insta::assert_snapshot!(merged(&lower, &["b file 1", "x file 3", "y = x"]), @"
        / dir 755
        /a file 644 1 6b86
        /b file 644 1 6b86
        /c file 644 1 6b86
        /d dir 755
        /d/e file 644 1 d473
        /f file 644 1 d473
        /x file 644 1 4e07
        /y file 644 1 4e07
        linked /a /c
        linked /d/e /f
        linked /x /y
        ");
        insta::assert_snapshot!(merged(&lower, &["a gone", "b gone", "d/ dir", "d/ opaque"]), @"
        / dir 755
        /c file 644 1 6b86
        /d dir 755
        /f file 644 1 d473
        ");
    }

    #[test]
    fn what_is_untouched_is_shared() {
        let lower = tree(&["a/x file 1", "b/y file 2", "b/z/ dir"]);
        let merged = merge(&lower, &layer(&["b/y file 3"]));
        let child = |tree: &Tree, path: &str| {
            let entry = tree.get(&TreePath::new(path).unwrap()).unwrap();
            Arc::clone(entry.node.as_dir().unwrap())
        };
        assert!(Arc::ptr_eq(&child(&lower, "a"), &child(&merged, "a")));
        assert!(Arc::ptr_eq(&child(&lower, "b/z"), &child(&merged, "b/z")));
    }

    #[test]
    fn regraft_refuses_to_go_through_what_is_no_directory() {
        let parent = tree(&["dir/ dir", "link -> dir", "file file f"]);
        for (upper, expected) in [
            (&["dir/x file 1"][..], Ok(())),
            (&["dir/new/ dir", "dir/new/x file 1"], Ok(())),
            (&["link/ dir", "link/x file 1"], Ok(())),
            (&["link/x file 1"], Err("/link")),
            (&["file/x file 1"], Err("/file")),
            (&["dir/missing/x file 1"], Err("/dir/missing")),
            (&["dir/missing/x gone"], Err("/dir/missing")),
        ] {
            let refused = regraft(&parent, &layer(upper)).map(drop);
            let path = refused.map_err(|MergeError::NotADirectory { path }| path.to_string());
            assert_eq!(path, expected.map_err(str::to_owned), "{upper:?}");
        }
    }
}
