//! Mount points that the tree lacks: served as if they were there, never written to disk, never committed.

use std::sync::Arc;

use wharf_oci::Digest;
use wharf_tree::{Attrs, Dir, DirRole, Entry, Mtime, Name, Node, Tree, TreePath};

/// What is going to be mounted there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MountKind {
    /// A directory: an empty one of mode 0755 is served.
    Dir,
    /// Anything else: an empty regular file of mode 0644 is served.
    File,
}

/// A path that has to exist when the sandbox mounts something on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountPoint {
    /// Where, with symbolic links resolved: no component may be one.
    pub path: TreePath,
    /// Directory or file.
    pub kind: MountKind,
}

/// A mount point that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MountError {
    /// A component on the way exists and is not a directory.
    #[error("cannot mount on {path}: {component} is not a directory")]
    NotADirectory {
        /// The mount point.
        path: TreePath,
        /// What is in the way.
        component: TreePath,
    },
}

/// `tree` with the mount points that it lacks, and the directories on the way to them, all of them root's and of time zero.
/// What exists is left as it is, whatever its type.
pub fn with_mount_points(tree: &Tree, points: &[MountPoint]) -> Result<Tree, MountError> {
    let mut root = tree.root.clone();
    for point in points {
        let names: Vec<&[u8]> = point.path.components().collect();
        root = add(Some(&root), &names, point.kind).map_err(|left| MountError::NotADirectory {
            path: point.path.clone(),
            component: prefix(&point.path, names.len() - left),
        })?;
    }
    Ok(Tree {
        root,
        links: tree.links.clone(),
    })
}

/// `below` with `names` under it. Fails with the number of names that were left when something was no directory.
fn add(below: Option<&Entry>, names: &[&[u8]], kind: MountKind) -> Result<Entry, usize> {
    let [name, rest @ ..] = names else {
        return Ok(below.cloned().unwrap_or_else(|| stub(kind)));
    };
    let mut entry = below.cloned().unwrap_or_else(|| stub(MountKind::Dir));
    let dir = entry.node.as_dir().ok_or(names.len())?;
    let mut entries = dir.entries().clone();
    let child = add(dir.get(name), rest, kind)?;
    entries.insert(Name::new(name).expect("a component of a path is a name"), child);
    entry.node = Node::Dir(Arc::new(Dir::new(entries)), DirRole::Full);
    Ok(entry)
}

fn stub(kind: MountKind) -> Entry {
    match kind {
        MountKind::Dir => Entry::dir(Attrs::root(0o755), Mtime::default(), Dir::default()),
        MountKind::File => Entry {
            attrs: Attrs::root(0o644),
            mtime: Mtime::default(),
            node: Node::File {
                digest: Digest::of(b""),
                size: 0,
            },
        },
    }
}

fn prefix(path: &TreePath, components: usize) -> TreePath {
    let mut prefix = path.clone();
    while prefix.components().count() > components {
        prefix.pop();
    }
    prefix
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(path: &str, kind: MountKind) -> MountPoint {
        MountPoint {
            path: TreePath::new(path).unwrap(),
            kind,
        }
    }

    #[test]
    fn adds_what_is_missing_and_leaves_what_is_there() {
        let points = [
            point("/run/secrets/key", MountKind::File),
            point("/run/secrets", MountKind::Dir),
            point("/proc", MountKind::Dir),
        ];
        let tree = with_mount_points(&Tree::empty(), &points).unwrap();
        let run = tree.dir().get(b"run").unwrap();
        let secrets = run.node.as_dir().unwrap().get(b"secrets").unwrap();
        assert!(secrets.node.as_dir().unwrap().get(b"key").is_some());
        assert_eq!(with_mount_points(&tree, &points).unwrap(), tree);
    }

    #[test]
    fn names_what_is_in_the_way() {
        let tree = with_mount_points(&Tree::empty(), &[point("/a/file", MountKind::File)]).unwrap();
        let error = with_mount_points(&tree, &[point("/a/file/b/c", MountKind::Dir)]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot mount on /a/file/b/c: /a/file is not a directory"
        );
    }
}
