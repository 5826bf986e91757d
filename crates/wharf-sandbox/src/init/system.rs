//! /proc and /sys.

use std::{io, path::Path};

use rustix::io::Errno;

use super::{
    target::Inner,
    tree::{INERT, SEALED, Tree},
};
use crate::SetupError;

const PROC: &str = "/proc";
const SYS: &str = "/sys";
const CGROUP: &str = "/sys/fs/cgroup";

/// A procfs of this pid namespace; none where the kernel refuses it (a container whose own /proc is masked).
pub(super) fn procfs() -> Result<Option<Tree>, SetupError> {
    match Tree::new("proc", &[], INERT) {
        Err(error) if refused(&error) => Ok(None),
        made => made.map(Some),
    }
}

fn refused(error: &SetupError) -> bool {
    io::Error::from_raw_os_error(error.errno).kind() == io::ErrorKind::PermissionDenied
}

/// Mounts /proc: the given one, or else the caller's.
pub(super) fn mount_proc(inner: &Inner, own: Option<&Tree>) -> Result<(), SetupError> {
    match own {
        Some(tree) => inner.mount(tree, Path::new(PROC)),
        None => inner.mount(&Tree::of(Path::new(PROC))?.restrict(INERT)?, Path::new(PROC)),
    }
}

/// Mounts /sys, read-only. A sysfs shows the devices of the network namespace, so that only who owns that may make one; else the
/// caller's is bound.
pub(super) fn mount_sys(inner: &Inner) -> Result<(), SetupError> {
    match Tree::new("sysfs", &[], SEALED) {
        Ok(tree) => {
            inner.mount(&tree, Path::new(SYS))?;
            mount_cgroup(inner)
        }
        Err(error) if refused(&error) => {
            inner.mount(&Tree::of(Path::new(SYS))?.restrict(SEALED)?, Path::new(SYS))
        }
        Err(error) => Err(error),
    }
}

/// Mounts the unified hierarchy where the machine has it there; the old ones are left out.
fn mount_cgroup(inner: &Inner) -> Result<(), SetupError> {
    if !Path::new(CGROUP).join("cgroup.controllers").exists() {
        return Ok(());
    }
    match Tree::new("cgroup2", &[], SEALED) {
        Ok(tree) => inner.mount(&tree, Path::new(CGROUP)),
        Err(error) if refused(&error) || error.errno == Errno::BUSY.raw_os_error() => Ok(()),
        Err(error) => Err(error),
    }
}
