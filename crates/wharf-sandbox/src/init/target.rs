//! Paths inside the root: links are followed as if it were `/`, and nothing leads out of it.

use std::{
    fs::File,
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

use rustix::{
    fs::{Mode, OFlags, ResolveFlags, openat2},
    io::Errno,
};

use super::tree::Tree;
use crate::{SetupError, error::Doing};

/// The root while it is furnished, seen from outside.
pub(super) struct Inner(OwnedFd);

impl Inner {
    /// `root` is the directory on which the root file system is mounted.
    pub(super) fn new(root: OwnedFd) -> Self {
        Self(root)
    }

    /// What lies at a path inside.
    pub(super) fn find(&self, path: &Path) -> Result<OwnedFd, Errno> {
        let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        openat2(&self.0, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), how)
    }

    /// The same; none when nothing is there.
    pub(super) fn find_any(&self, path: &Path) -> Result<Option<OwnedFd>, SetupError> {
        match self.find(path) {
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            found => found.map(Some).doing("find", path),
        }
    }

    /// The file at a path inside, to be written.
    pub(super) fn open_to_write(&self, path: &Path) -> Result<File, Errno> {
        let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        openat2(
            &self.0,
            path,
            OFlags::WRONLY | OFlags::CLOEXEC,
            Mode::empty(),
            how,
        )
        .map(File::from)
    }

    /// Mounts at a path inside, which must be there.
    pub(super) fn mount(&self, tree: &Tree, path: &Path) -> Result<(), SetupError> {
        let target = self.find(path).doing("find the mount point", path)?;
        tree.attach(target).doing("mount at", path)
    }
}

impl AsFd for Inner {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}
