//! The mounts that the caller asked for.

use std::{os::fd::OwnedFd, path::Path};

use rustix::{
    fs::{Mode, OFlags, mkdirat, openat},
    mount::MountAttrFlags,
};

use super::{
    files::Work,
    target::Inner,
    tree::{INERT, Tree, without_devices_unless},
};
use crate::{Mount, SetupError, Spec, error::Doing};

/// The directories in memory of a specification, in its mounts' order.
pub(super) fn directories(spec: &Spec, workshop: &mut Work<'_>) -> Result<Vec<Tree>, SetupError> {
    let directories = spec.mounts.iter().filter_map(Mount::files);
    directories.map(|files| workshop.directory(files)).collect()
}

/// Mounts all, in order; returns the listening side of each socket. `made` are directories that were made ahead, and `ahead` says for each mount
/// which one of them it is.
pub(super) fn mount(
    inner: &Inner,
    spec: &Spec,
    workshop: &mut Work<'_>,
    mut made: Vec<Option<Tree>>,
    ahead: &[Option<usize>],
) -> Result<Vec<OwnedFd>, SetupError> {
    let mut listeners = Vec::new();
    for (number, mount) in spec.mounts.iter().enumerate() {
        let which = ahead.get(number).copied().flatten();
        let ready = which.and_then(|which| made.get_mut(which)?.take());
        let (tree, target) = match mount {
            Mount::Bind {
                source,
                target,
                read_only,
            } => (bind(source, *read_only, spec.devices)?, target),
            Mount::Tmpfs { target, size, mode } => (tmpfs(*size, *mode)?, target),
            Mount::File { target, file } => (workshop.file(file)?, target),
            Mount::Directory { target, files } => match ready {
                Some(tree) => (tree, target),
                None => (workshop.directory(files)?, target),
            },
            Mount::Again { target, read_only } => (again(inner, target, *read_only)?, target),
            Mount::Socket {
                target,
                mode,
                uid,
                gid,
                ..
            } => {
                let (tree, listener) = workshop.socket(*mode, *uid, *gid)?;
                listeners.push(listener);
                (tree, target)
            }
        };
        make_below_dev(inner, target, is_dir(mount))?;
        inner.mount(&tree, target)?;
    }
    Ok(listeners)
}

fn is_dir(mount: &Mount) -> bool {
    match mount {
        Mount::Bind { source, .. } => source.is_dir(),
        Mount::Tmpfs { .. } | Mount::Directory { .. } => true,
        Mount::File { .. } | Mount::Again { .. } | Mount::Socket { .. } => false,
    }
}

/// Makes what a mount below /dev needs: /dev is the sandbox's own, so nobody else can have made it.
fn make_below_dev(inner: &Inner, target: &Path, is_dir: bool) -> Result<(), SetupError> {
    if !target.starts_with("/dev") || inner.find_any(target)?.is_some() {
        return Ok(());
    }
    let (parent, Some(name)) = (target.parent().unwrap_or(target), target.file_name()) else {
        return Ok(());
    };
    make_below_dev(inner, parent, true)?;
    let parent = inner.find(parent).doing("find", parent)?;
    if is_dir {
        mkdirat(&parent, name, Mode::from_raw_mode(0o755)).doing("make the mount point", target)
    } else {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        openat(&parent, name, flags, Mode::from_raw_mode(0o644))
            .map(drop)
            .doing("make the mount point", target)
    }
}

fn bind(source: &Path, read_only: bool, devices: bool) -> Result<Tree, SetupError> {
    let tree = without_devices_unless(devices, Tree::of(source)?)?;
    if read_only {
        tree.restrict(MountAttrFlags::MOUNT_ATTR_RDONLY)
    } else {
        Ok(tree)
    }
}

fn again(inner: &Inner, target: &Path, read_only: bool) -> Result<Tree, SetupError> {
    let found = inner.find(target).doing("find the mount point", target)?;
    let tree = Tree::at(found).doing("bind", target)?;
    if read_only {
        tree.restrict(MountAttrFlags::MOUNT_ATTR_RDONLY)
    } else {
        Ok(tree)
    }
}

/// As Docker mounts them: neither devices nor set-user-id programs work there, others do.
fn tmpfs(size: Option<u64>, mode: u32) -> Result<Tree, SetupError> {
    let mode = format!("{mode:o}");
    let size = size.map(|size| size.to_string());
    let mut options = vec![("mode", Some(mode.as_str()))];
    if size.is_some() {
        options.push(("size", size.as_deref()));
    }
    Tree::new(
        "tmpfs",
        &options,
        INERT.difference(MountAttrFlags::MOUNT_ATTR_NOEXEC),
    )
}
