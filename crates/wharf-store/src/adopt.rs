//! Files of others made blobs: cloned, moved or copied, whatever is cheapest here.

use std::{
    fs::File,
    io,
    os::unix::fs::{FileExt, MetadataExt},
    path::Path,
};

use rustix::{
    fs::{
        CWD, Gid, Mode, OFlags, Timespec, Timestamps, UTIME_NOW, Uid, fchmod, fchown, flistxattr,
        fremovexattr, futimens, ioctl_ficlone, openat,
    },
    process::{getegid, geteuid},
};
use wharf_oci::{Digest, Hasher};

use crate::{
    error::{BlobError, StoreError},
    layout,
    store::Store,
};

/// A blob that was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// Digest of the content.
    pub digest: Digest,
    /// Length in bytes.
    pub size: u64,
}

impl Store {
    /// Keeps a copy of a regular file's whole content (wherever the file's offset stands): a clone where the file system can
    /// (`FICLONE`), else a copy that keeps large holes. A file that is written meanwhile gives a blob of what was read, with the
    /// digest of that.
    pub fn put_file(&self, file: &File) -> Result<Stored, BlobError> {
        let size = file.metadata().map_err(BlobError::Input)?.len();
        if size > CLONE_FROM
            && let Some(stored) = self.put_clone(file)?
        {
            return Ok(stored);
        }
        self.put(&mut FromStart { file, at: 0 })
    }

    /// Like [`Store::put_file`], but the file at `path` is given away: it may be moved into the store, or be left where it is. For
    /// scratch files that nobody writes any more and whose owner, mode and xattrs are already known to the caller.
    ///
    /// Moving is the rule, for small files too: a copy makes an inode here and frees one there, and ext4, which does not use a freed
    /// inode again for a minute or more, looks at each of those whenever it makes a file nearby.
    pub fn take_file(&self, path: &Path) -> Result<Stored, BlobError> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(CWD, path, flags, Mode::empty()).map_err(|errno| BlobError::Input(errno.into()))?;
        let file = File::from(file);
        let stored = hash(&file).map_err(BlobError::Input)?;
        if self.keep_blob(&stored.digest, stored.size)? || self.move_in(&file, path, &stored.digest)? {
            return Ok(stored);
        }
        self.put_file(&file)
    }

    /// Clones first and hashes the clone, so that nobody can write in between. `None` where cloning is not possible.
    fn put_clone(&self, file: &File) -> Result<Option<Stored>, BlobError> {
        self.boots()?;
        let aside = self.lease()?.scratch(self.disk())?;
        let clone = self.disk().create(&aside)?;
        if ioctl_ficlone(&clone, file).is_err() {
            self.disk().remove(&aside)?;
            return Ok(None);
        }
        let outcome = self.name_clone(&clone, &aside);
        // After a success nothing is there any more, or a copy that nobody needs.
        self.disk().remove(&aside)?;
        self.inner.syncer.wrote(self);
        outcome.map(Some)
    }

    fn name_clone(&self, clone: &File, aside: &str) -> Result<Stored, BlobError> {
        let stored = hash(clone).map_err(self.disk().fail("read", aside))?;
        if !self.keep_blob(&stored.digest, stored.size)? {
            self.disk().rename(aside, &layout::blob(&stored.digest))?;
        }
        Ok(stored)
    }

    /// Moves a file into the store if it can be made as plain as a blob: one name, the caller's, without xattrs.
    fn move_in(&self, file: &File, path: &Path, digest: &Digest) -> Result<bool, StoreError> {
        self.boots()?;
        // Before the file gets its time, so that garbage collection takes it for this handle's.
        self.lease()?;
        let moved = make_plain(file).unwrap_or(false) && self.disk().bring_in(path, &layout::blob(digest))?;
        if moved {
            self.inner.syncer.wrote(self);
        }
        Ok(moved)
    }
}

/// Below this, a copy is as cheap as a clone, and packs the file system better.
const CLONE_FROM: u64 = 128 * 1024;

/// Whether the file now has a blob's owner, mode and times and nothing else.
fn make_plain(file: &File) -> io::Result<bool> {
    let metadata = file.metadata()?;
    if metadata.nlink() != 1 || !metadata.is_file() {
        return Ok(false);
    }
    let (uid, gid) = (geteuid(), getegid());
    if (metadata.uid(), metadata.gid()) != (uid.as_raw(), gid.as_raw()) {
        fchown(
            file,
            Some(Uid::from_raw(uid.as_raw())),
            Some(Gid::from_raw(gid.as_raw())),
        )?;
    }
    fchmod(file, Mode::from_raw_mode(0o644))?;
    for name in xattr_names(file)? {
        fremovexattr(file, &name[..])?;
    }
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_NOW as _,
    };
    futimens(
        file,
        &Timestamps {
            last_access: now,
            last_modification: now,
        },
    )?;
    Ok(true)
}

/// Names longer than this in all are no scratch file's; it is then copied.
const XATTR_NAMES: usize = 4096;

fn xattr_names(file: &File) -> io::Result<Vec<Vec<u8>>> {
    let mut names = vec![0; XATTR_NAMES];
    let length = match flistxattr(file, &mut names[..]) {
        Ok(length) => length,
        Err(rustix::io::Errno::OPNOTSUPP) => 0,
        Err(errno) => return Err(errno.into()),
    };
    let names = names[..length].split(|byte| *byte == 0);
    Ok(names
        .filter(|name| !name.is_empty())
        .map(<[u8]>::to_vec)
        .collect())
}

/// Reads a file from its start without moving its offset.
struct FromStart<'a> {
    file: &'a File,
    at: u64,
}

impl io::Read for FromStart<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read_at(buffer, self.at)?;
        self.at += length as u64;
        Ok(length)
    }
}

fn hash(file: &File) -> io::Result<Stored> {
    let mut hasher = Hasher::new();
    io::copy(
        &mut io::BufReader::with_capacity(128 * 1024, FromStart { file, at: 0 }),
        &mut hasher,
    )?;
    let size = hasher.length();
    Ok(Stored {
        digest: hasher.finish(),
        size,
    })
}
