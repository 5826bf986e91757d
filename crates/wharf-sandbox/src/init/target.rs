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

/// Below a `..`, any rename or mount anywhere on the machine makes the kernel answer EAGAIN, since it cannot tell whether that led
/// out of the root (openat2(2)). On a busy machine that happens several times in a row, not a thousand times.
const TRIES: usize = 1000;

/// The root while it is furnished, seen from outside.
pub(super) struct Inner(OwnedFd);

impl Inner {
    /// `root` is the directory on which the root file system is mounted.
    pub(super) fn new(root: OwnedFd) -> Self {
        Self(root)
    }

    /// What lies at a path inside.
    pub(super) fn find(&self, path: &Path) -> Result<OwnedFd, Errno> {
        self.open(path, OFlags::PATH)
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
        self.open(path, OFlags::WRONLY).map(File::from)
    }

    fn open(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let open = || openat2(&self.0, path, flags | OFlags::CLOEXEC, Mode::empty(), how);
        let mut tries = (0..TRIES).map(|_| open());
        let found = tries.find(|found| !matches!(found, Err(Errno::AGAIN)));
        found.unwrap_or(Err(Errno::AGAIN))
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

#[cfg(test)]
mod tests {
    use std::{
        fs,
        sync::atomic::{AtomicBool, Ordering},
        thread,
    };

    use super::*;

    #[test]
    fn paths_with_dots_are_found_while_others_rename() {
        let root = tempfile::tempdir().unwrap();
        let [a, b] = ["a", "b"].map(|name| root.path().join(name));
        fs::create_dir_all(root.path().join("x/y")).unwrap();
        fs::write(&a, "").unwrap();
        let inner = Inner::new(fs::File::open(root.path()).unwrap().into());
        let path = "x/y/../../".repeat(20);
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..10_000 {
                    fs::rename(&a, &b).unwrap();
                    fs::rename(&b, &a).unwrap();
                }
                done.store(true, Ordering::Relaxed);
            });
            while !done.load(Ordering::Relaxed) {
                inner.find(Path::new(&path)).unwrap();
            }
        });
    }
}
