//! Paths of /proc and /sys that are hidden or may not be written.

use std::{
    fs,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FileType, fstat},
    mount::MountAttrFlags,
};

use super::{
    target::Inner,
    tree::{SEALED, Tree},
};
use crate::{SetupError, error::Doing};

/// Hides each of `paths` that exists: a directory by an empty one, anything else by /dev/null.
pub(super) fn hide(inner: &Inner, stage: &Path, paths: &[PathBuf]) -> Result<(), SetupError> {
    if paths.is_empty() {
        return Ok(());
    }
    let empty = stage.join("empty");
    let place = rustix::fs::open(&empty, rustix::fs::OFlags::PATH, rustix::fs::Mode::empty())
        .doing("open", &empty)?;
    Tree::new("tmpfs", &[("size", Some("4k"))], SEALED)?
        .attach(place)
        .doing("mount at", &empty)?;
    let null = inner.find(Path::new("/dev/null")).doing("find", "/dev/null")?;
    for path in paths.iter().cloned().chain(throttles()) {
        let Some(target) = inner.find_any(&path)? else {
            continue;
        };
        let cover = if is_directory(&target).doing("examine", &path)? {
            Tree::of(&empty)?
        } else {
            Tree::at(&null).doing("bind", "/dev/null")?
        };
        cover.attach(&target).doing("hide", &path)?;
    }
    Ok(())
}

fn is_directory(target: &OwnedFd) -> rustix::io::Result<bool> {
    Ok(FileType::from_raw_mode(fstat(target)?.st_mode).is_dir())
}

/// Counters that tell of the other programs on each processor; Docker hides them wherever it hides anything.
fn throttles() -> Vec<PathBuf> {
    let processors = fs::read_dir("/sys/devices/system/cpu")
        .into_iter()
        .flatten()
        .flatten();
    processors
        .map(|entry| entry.path().join("thermal_throttle"))
        .filter(|path| path.exists())
        .collect()
}

/// Makes each of `paths` that exists read-only, with what is mounted below it.
pub(super) fn protect(inner: &Inner, paths: &[PathBuf]) -> Result<(), SetupError> {
    for path in paths {
        let Some(target) = inner.find_any(path)? else {
            continue;
        };
        let tree = Tree::at(&target).doing("bind", path)?;
        tree.restrict(MountAttrFlags::MOUNT_ATTR_RDONLY)?
            .attach(&target)
            .doing("protect", path)?;
    }
    Ok(())
}
