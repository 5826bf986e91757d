//! Files, directories and sockets that exist in memory only: made on the stage, mounted inside.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{
            fs::{OpenOptionsExt, PermissionsExt, chown},
            net::UnixListener,
        },
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Mode, OFlags, open},
    mount::MountAttrFlags,
};

use super::tree::{SEALED, Tree};
use crate::{SetupError, SyntheticFile, error::Doing};

/// Where they are made, each in a place of its own.
pub(super) struct Workshop {
    folder: PathBuf,
    made: usize,
    /// Ids from 0 to below this one exist; with one only, everything is the caller's.
    ids: u64,
}

impl Workshop {
    pub(super) fn new(stage: &Path, ids: u64) -> Self {
        Self {
            folder: stage.join("files"),
            made: 0,
            ids,
        }
    }

    /// For what is in an order, which came in that file.
    pub(super) fn with<'a>(&'a mut self, order: &'a File) -> Work<'a> {
        Work { shop: self, order }
    }
}

/// Makes them.
pub(super) struct Work<'a> {
    shop: &'a mut Workshop,
    order: &'a File,
}

impl Work<'_> {
    fn place(&mut self) -> PathBuf {
        self.shop.made += 1;
        self.shop.folder.join(self.shop.made.to_string())
    }

    /// A read-only file.
    pub(super) fn file(&mut self, file: &SyntheticFile) -> Result<Tree, SetupError> {
        let path = self.place();
        self.write(&path, file)?;
        Tree::of(&path)?.restrict(SEALED)
    }

    /// A read-only directory with files, which may be programs: scripts are mounted so.
    pub(super) fn directory(&mut self, files: &[SyntheticFile]) -> Result<Tree, SetupError> {
        let folder = self.place();
        fs::create_dir(&folder).doing("make", &folder)?;
        for file in files {
            let path = folder.join(&file.name);
            let parent = path.parent().unwrap_or(&folder);
            fs::create_dir_all(parent).doing("make", parent)?;
            self.write(&path, file)?;
        }
        Tree::of(&folder)?.restrict(SEALED.difference(MountAttrFlags::MOUNT_ATTR_NOEXEC))
    }

    /// A socket that is listened on, for its owner.
    pub(super) fn socket(&mut self, mode: u32, uid: u32, gid: u32) -> Result<(Tree, OwnedFd), SetupError> {
        let path = self.place();
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = open(&self.shop.folder, flags, Mode::empty()).doing("open", &self.shop.folder)?;
        // A socket's name may have 107 bytes at most; the stage's path has no such limit.
        let short = format!("/proc/self/fd/{}/{}", folder.as_raw_fd(), self.shop.made);
        let listener = UnixListener::bind(short).doing("make a socket", "")?;
        self.own(&path, mode, uid, gid)?;
        Ok((Tree::of(&path)?, listener.into()))
    }

    fn write(&self, path: &Path, file: &SyntheticFile) -> Result<(), SetupError> {
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path);
        made.and_then(|mut made| file.content.write_to(&mut made, self.order))
            .doing("write", &file.name)?;
        self.own(path, file.mode, file.uid, file.gid)
    }

    fn own(&self, path: &Path, mode: u32, uid: u32, gid: u32) -> Result<(), SetupError> {
        if self.shop.ids > 1 {
            chown(path, Some(uid), Some(gid)).doing("give away", path)?;
        }
        fs::set_permissions(path, Permissions::from_mode(mode)).doing("set the mode of", path)
    }
}
