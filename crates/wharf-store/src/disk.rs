//! The store's directory: file operations by place, with errors that name the file.
//!
//! All of them go through one open directory, so that none walks the store's own path again.

use std::{
    fs::File,
    io::{self, Read},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{
        AtFlags, CWD, Dir, FileType, IFlags, Mode, OFlags, RenameFlags, Stat, Timespec, Timestamps,
        UTIME_NOW, UTIME_OMIT, fstat, ioctl_getflags, ioctl_setflags, mkdirat, openat, renameat,
        renameat_with, statat, unlinkat, utimensat,
    },
    io::Errno,
};

use crate::{error::StoreError, layout};

/// An open directory and its path. Places are relative to it, with `/` between components.
#[derive(Debug)]
pub(crate) struct Disk {
    path: PathBuf,
    dir: OwnedFd,
}

/// A file that was read.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) bytes: Vec<u8>,
    pub(crate) stat: Stat,
}

type Result<T> = std::result::Result<T, StoreError>;

impl Disk {
    /// Opens a directory that exists.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir =
            openat(CWD, path, flags, Mode::empty()).map_err(|errno| StoreError::new("open", path, errno))?;
        Ok(Self {
            path: path.to_owned(),
            dir,
        })
    }

    /// Asks the file system to put new directories in here apart from each other and from everything else. ext4 makes a file near its
    /// directory; without a journal, as short-lived machines have it, it passes over every inode there that was freed in the last
    /// minutes: beside directories in which builds and tests come and go, that takes thirty times as long as the rest of making a
    /// file. Others know no such flag, and need none.
    pub(crate) fn spread(&self) {
        if let Ok(flags) = ioctl_getflags(&self.dir) {
            let _ = ioctl_setflags(&self.dir, flags | IFlags::TOPDIR);
        }
    }

    /// The path of the directory itself.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The directory itself.
    pub(crate) fn dir(&self) -> &OwnedFd {
        &self.dir
    }

    /// The path of a place, for people and for other programs.
    pub(crate) fn locate(&self, place: &str) -> PathBuf {
        self.path.join(place)
    }

    /// An error about a place.
    pub(crate) fn fail<E: Into<io::Error>>(
        &self,
        action: &'static str,
        place: &str,
    ) -> impl FnOnce(E) -> StoreError {
        let path = self.locate(place);
        move |error| StoreError::new(action, &path, error)
    }

    /// Opens a file for reading; `None` if there is none. What garbage collection is about to look at a second time is found as well.
    pub(crate) fn open_file(&self, place: &str) -> Result<Option<File>> {
        for candidate in [place, &layout::trash(place), place] {
            match self.open_quietly(candidate) {
                Ok(file) => return Ok(Some(file)),
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(self.fail("open", candidate)(errno)),
            }
        }
        Ok(None)
    }

    /// Reading is no use: only [`Disk::touch`] sets access times. The kernel grants that to the owner of a file, and all should be ours.
    fn open_quietly(&self, place: &str) -> std::result::Result<File, Errno> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        match openat(&self.dir, place, flags | OFlags::NOATIME, Mode::empty()) {
            Err(Errno::PERM) => openat(&self.dir, place, flags, Mode::empty()).map(File::from),
            outcome => outcome.map(File::from),
        }
    }

    /// Reads a whole file; `None` if there is none. What garbage collection is about to look at a second time is found as well.
    pub(crate) fn read(&self, place: &str) -> Result<Option<Vec<u8>>> {
        let Some(file) = self.open_file(place)? else {
            return Ok(None);
        };
        let stat = fstat(&file).map_err(self.fail("read", place))?;
        self.content(place, file, &stat).map(Some)
    }

    /// Reads a whole file that is at its place; `None` if it is not. That is enough for who marks it as used next, which needs it there,
    /// and most look-ups find nothing.
    pub(crate) fn read_here(&self, place: &str) -> Result<Option<Content>> {
        let Some((file, stat)) = self.open_here(place)? else {
            return Ok(None);
        };
        let bytes = self.content(place, file, &stat)?;
        Ok(Some(Content { bytes, stat }))
    }

    /// Opens a file that is at its place, and says what it was then.
    pub(crate) fn open_here(&self, place: &str) -> Result<Option<(File, Stat)>> {
        match self.open_quietly(place) {
            Ok(file) => {
                let stat = fstat(&file).map_err(self.fail("read", place))?;
                Ok(Some((file, stat)))
            }
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(self.fail("open", place)(errno)),
        }
    }

    /// The bytes of a file from `place`.
    pub(crate) fn content(&self, place: &str, file: File, stat: &Stat) -> Result<Vec<u8>> {
        // So the end is found without growing, and without asking for the size again.
        let mut bytes = Vec::with_capacity(stat.st_size as usize + PROBE);
        let read = file.take(u64::MAX).read_to_end(&mut bytes);
        read.map_err(self.fail("read", place))?;
        Ok(bytes)
    }

    /// Creates a file that must not exist.
    pub(crate) fn create(&self, place: &str) -> Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = openat(&self.dir, place, flags, FILE_MODE).map_err(self.fail("create", place))?;
        Ok(file.into())
    }

    /// Opens a file for reading and writing; `None` if there is none.
    pub(crate) fn open_existing(&self, place: &str) -> Result<Option<File>> {
        match openat(&self.dir, place, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) {
            Ok(file) => Ok(Some(file.into())),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(self.fail("open", place)(errno)),
        }
    }

    /// Opens a file for reading and writing, and creates it if it is not there.
    pub(crate) fn open_or_create(&self, place: &str) -> Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC;
        let file = openat(&self.dir, place, flags, FILE_MODE).map_err(self.fail("create", place))?;
        Ok(file.into())
    }

    /// Makes a directory; one that is there is as good.
    pub(crate) fn make_dir(&self, place: &str) -> Result<()> {
        match mkdirat(&self.dir, place, DIRECTORY_MODE) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(errno) => Err(self.fail("create", place)(errno)),
        }
    }

    /// Moves a file, in place of one that is there, and makes the directory above it if need be.
    pub(crate) fn rename(&self, from: &str, to: &str) -> Result<()> {
        let outcome = self.making_parent(to, || self.replace(from, to))?;
        outcome.map_err(self.fail("write", to))
    }

    /// ext4 brings a file to the disk that takes another one's place (`auto_da_alloc`), and who renames waits for that. Not so when both change places,
    /// and the old one is removed then.
    fn replace(&self, from: &str, to: &str) -> std::result::Result<(), Errno> {
        let rename = |flags| renameat_with(&self.dir, from, &self.dir, to, flags);
        match rename(RenameFlags::NOREPLACE) {
            Err(Errno::EXIST) if rename(RenameFlags::EXCHANGE).is_ok() => {
                // Else it is left among what is removed with the lease.
                drop(self.remove(from));
                Ok(())
            }
            outcome @ (Ok(()) | Err(Errno::NOENT)) => outcome,
            // Not every file system knows these flags.
            Err(_) => renameat(&self.dir, from, &self.dir, to),
        }
    }

    /// Tries, and where a directory is missing makes the one above `to` and tries again: only the first blob of 256 needs that.
    fn making_parent<T>(
        &self,
        to: &str,
        attempt: impl Fn() -> std::result::Result<T, Errno>,
    ) -> Result<std::result::Result<T, Errno>> {
        match (attempt(), to.rsplit_once('/')) {
            (Err(Errno::NOENT), Some((parent, _))) => {
                self.make_dir(parent)?;
                Ok(attempt())
            }
            (outcome, _) => Ok(outcome),
        }
    }

    /// Like [`Disk::rename`], of a file from outside; whether the file system could do that.
    pub(crate) fn bring_in(&self, from: &Path, to: &str) -> Result<bool> {
        self.making_parent(to, || renameat(CWD, from, &self.dir, to))
            .map(|outcome| outcome.is_ok())
    }

    /// Moves a file; whether it was there to be moved. With `replace` unset, one at the new place stays, and so does this.
    pub(crate) fn move_if_there(&self, from: &str, to: &str, replace: bool) -> Result<bool> {
        let flags = if replace {
            RenameFlags::empty()
        } else {
            RenameFlags::NOREPLACE
        };
        match renameat_with(&self.dir, from, &self.dir, to, flags) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT | Errno::EXIST) => Ok(false),
            Err(errno) => Err(self.fail("move", from)(errno)),
        }
    }

    /// Removes a file; whether it was there.
    pub(crate) fn remove(&self, place: &str) -> Result<bool> {
        self.unlink(place, AtFlags::empty())
    }

    /// Removes an empty directory; whether that was possible.
    pub(crate) fn remove_dir(&self, place: &str) -> Result<bool> {
        match self.unlink(place, AtFlags::REMOVEDIR) {
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::DirectoryNotEmpty => {
                Ok(false)
            }
            outcome => outcome,
        }
    }

    fn unlink(&self, place: &str, flags: AtFlags) -> Result<bool> {
        match unlinkat(&self.dir, place, flags) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(self.fail("remove", place)(errno)),
        }
    }

    /// What is at a place, links not followed; `None` if nothing is.
    pub(crate) fn stat(&self, place: &str) -> Result<Option<Stat>> {
        match statat(&self.dir, place, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(self.fail("read", place)(errno)),
        }
    }

    /// Marks a file as used now; whether it was there. This goes by the path, not by an open file: garbage collection, which moves a file
    /// aside before it looks at its times, relies on that.
    pub(crate) fn touch(&self, place: &str) -> Result<bool> {
        self.set_times(place, UTIME_NOW, UTIME_OMIT)
    }

    /// Marks a file as used and written now; whether it was there.
    pub(crate) fn touch_written(&self, place: &str) -> Result<bool> {
        self.set_times(place, UTIME_NOW, UTIME_NOW)
    }

    fn set_times(&self, place: &str, read: i64, written: i64) -> Result<bool> {
        let time = |nanos: i64| Timespec {
            tv_sec: 0,
            tv_nsec: nanos as _,
        };
        let times = Timestamps {
            last_access: time(read),
            last_modification: time(written),
        };
        match utimensat(&self.dir, place, &times, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(self.fail("touch", place)(errno)),
        }
    }

    /// The names in a directory, in no order; none if the directory is not there. Names that are not UTF-8 are nobody's of ours.
    pub(crate) fn list(&self, place: &str) -> Result<Vec<String>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = match openat(&self.dir, place, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(Vec::new()),
            Err(errno) => return Err(self.fail("list", place)(errno)),
        };
        let entries = Dir::new(fd).map_err(self.fail("list", place))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(self.fail("list", place))?;
            match entry.file_name().to_str() {
                Ok("." | "..") | Err(_) => {}
                Ok(name) => names.push(name.to_owned()),
            }
        }
        Ok(names)
    }
}

/// Bytes that a file takes on disk.
pub(crate) const fn allocated(stat: &Stat) -> u64 {
    stat.st_blocks as u64 * 512
}

/// Whether this is a directory.
pub(crate) fn is_dir(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

/// Bytes of room with which the standard library reads straight into a vector.
const PROBE: usize = 32;

const FILE_MODE: Mode = Mode::from_raw_mode(0o644);

/// A store holds files of images whose own permissions are not on disk: nobody else gets in.
const DIRECTORY_MODE: Mode = Mode::from_raw_mode(0o700);

#[cfg(test)]
mod tests {
    use crate::testing;

    #[test]
    fn a_file_takes_the_place_of_another_and_leaves_nothing_behind() {
        let (_scratch, store) = testing::store();
        let disk = store.disk();
        for text in ["first", "second"] {
            store.publish("work/aside", text.as_bytes()).unwrap();
            disk.rename("work/aside", "memo/place").unwrap();
            assert_eq!(disk.read("memo/place").unwrap().unwrap(), text.as_bytes());
            assert!(disk.stat("work/aside").unwrap().is_none());
        }
        assert!(disk.rename("work/aside", "memo/place").is_err());
        assert_eq!(disk.read("memo/place").unwrap().unwrap(), b"second");
    }
}
