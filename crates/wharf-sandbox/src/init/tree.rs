//! Mounts that are not attached yet: made, cloned, restricted, and at last put in their places (fsopen(2), open_tree(2),
//! mount_setattr(2), move_mount(2); Linux 5.12).

use std::{
    fs::File,
    io::Read,
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

use rustix::{
    fs::CWD,
    mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags,
        UnmountFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, mount_change,
        move_mount, open_tree, unmount,
    },
};

use crate::{SetupError, error::Doing, kernel};

/// What no mount of ours needs but a root file system.
pub(super) const INERT: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NOSUID
    .union(MountAttrFlags::MOUNT_ATTR_NODEV)
    .union(MountAttrFlags::MOUNT_ATTR_NOEXEC);

/// The same, and not to be written.
pub(super) const SEALED: MountAttrFlags = INERT.union(MountAttrFlags::MOUNT_ATTR_RDONLY);

/// A file system's parameter, with or without a value.
pub(super) type Parameter<'a> = (&'a str, Option<&'a str>);

/// A mount that is nowhere yet.
#[derive(Debug)]
pub(super) struct Tree(OwnedFd);

impl Tree {
    /// A new file system.
    pub(super) fn new(
        kind: &str,
        parameters: &[Parameter<'_>],
        how: MountAttrFlags,
    ) -> Result<Self, SetupError> {
        let what = format!("make a mount of type {kind}");
        let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC).doing(&what, "")?;
        // What /proc/mounts shows in its first column.
        for (name, value) in [("source", Some(kind))].iter().chain(parameters) {
            let set = match value {
                Some(value) => fsconfig_set_string(context.as_fd(), *name, *value),
                None => fsconfig_set_flag(context.as_fd(), *name),
            };
            set.doing(&format!("{what} with the option {name}"), "")?;
        }
        let mount = fsconfig_create(context.as_fd())
            .and_then(|()| fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, how));
        mount
            .map(Self)
            .map_err(|errno| SetupError::new(what + &complaints(context), "", errno))
    }

    /// A copy of what is mounted at a path of the caller, with everything below it.
    pub(super) fn of(path: &Path) -> Result<Self, SetupError> {
        let flags =
            OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
        open_tree(CWD, path, flags).map(Self).doing("bind", path)
    }

    /// The same of an open file or directory.
    pub(super) fn at(place: impl AsFd) -> rustix::io::Result<Self> {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE
            | OpenTreeFlags::OPEN_TREE_CLOEXEC
            | OpenTreeFlags::AT_RECURSIVE
            | OpenTreeFlags::AT_EMPTY_PATH;
        open_tree(place, "", flags).map(Self)
    }

    /// Adds restrictions here and below.
    pub(super) fn restrict(self, attributes: MountAttrFlags) -> Result<Self, SetupError> {
        kernel::restrict(&self.0, attributes, true).doing("restrict a mount", "")?;
        Ok(self)
    }

    /// Puts the mount onto an open file or directory.
    pub(super) fn attach(&self, target: impl AsFd) -> rustix::io::Result<()> {
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
        move_mount(self.0.as_fd(), "", target, "", flags)
    }
}

impl AsFd for Tree {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The mount, and unless `devices` are wanted none that can be opened on it: neither one that a layer brings nor one that is made there.
pub(super) fn without_devices_unless(devices: bool, tree: Tree) -> Result<Tree, SetupError> {
    if devices {
        Ok(tree)
    } else {
        tree.restrict(MountAttrFlags::MOUNT_ATTR_NODEV)
    }
}

/// What the kernel has to say about a file system that it did not make.
fn complaints(context: OwnedFd) -> String {
    let mut log = File::from(context);
    let mut line = [0; 512];
    let mut all = String::new();
    // Each read gives one message, and ENODATA after the last.
    while let Ok(length @ 1..) = log.read(&mut line) {
        let text = String::from_utf8_lossy(&line[..length]);
        all = format!("{all} ({})", text.trim_start_matches(['e', 'w', 'i']).trim());
    }
    all
}

/// Takes this process's mounts out of the peer groups that they were copied from: nothing here shows outside.
pub(super) fn keep_private() -> Result<(), SetupError> {
    let flags = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", flags).doing("make the mounts private", "/")
}

/// Takes a mount out of the tree; who holds it keeps it.
pub(super) fn detach(path: &Path) -> Result<(), SetupError> {
    unmount(path, UnmountFlags::DETACH).doing("unmount", path)
}
