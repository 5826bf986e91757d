//! Entries of a tree made on disk.

use std::{fs, io, os::unix::ffi::OsStrExt, os::unix::fs::PermissionsExt, path::Path};

use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps};
use wharf_tree::{Attrs, Device, Entry, Mtime, Node};

use crate::{blobs::BlobOpen, overlay::Markers, owners::Owners, xattr};

/// How entries are written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placing<'a> {
    /// What owners mean.
    pub(crate) owners: &'a Owners,
    /// The overlay that is mounted on top, if any: what the tree has of its private attributes must not be obeyed.
    pub(crate) markers: Option<Markers>,
}

impl Placing<'_> {
    /// Owner, mode, attributes and time of what lies at `path`. In this order: a change of owner takes set-uid bits and
    /// capabilities away, and everything changes the time of something.
    pub(crate) fn attributes(&self, path: &Path, entry: &Entry) -> io::Result<()> {
        let Attrs {
            mode,
            uid,
            gid,
            xattrs,
        } = &entry.attrs;
        if let Some((uid, gid)) = self.owners.outside(*uid, *gid) {
            std::os::unix::fs::lchown(path, Some(uid), Some(gid))?;
        }
        if !matches!(entry.node, Node::Symlink(_)) {
            fs::set_permissions(path, fs::Permissions::from_mode((*mode).into()))?;
        }
        if let Some(xattrs) = xattrs {
            xattr::write(path, xattrs, self.markers, self.owners)?;
        }
        set_time(path, entry.mtime)
    }
}

/// Makes what `node` says at `path`, where nothing is; not yet with its attributes. Directories without their children.
pub(crate) fn make(path: &Path, node: &Node, blobs: &dyn BlobOpen) -> io::Result<()> {
    match node {
        Node::Dir(..) => fs::create_dir(path),
        // A mount point's empty file is nobody's content: no store has to have it.
        Node::File { size: 0, .. } => fs::File::create_new(path).map(drop),
        Node::File { digest, .. } => {
            let file = fs::File::create_new(path)?;
            copy(&mut blobs.open(digest)?, file)
        }
        Node::Symlink(target) => std::os::unix::fs::symlink(std::ffi::OsStr::from_bytes(target), path),
        Node::CharDevice(device) => special(path, FileType::CharacterDevice, Some(*device)),
        Node::BlockDevice(device) => special(path, FileType::BlockDevice, Some(*device)),
        Node::Fifo => special(path, FileType::Fifo, None),
        Node::Socket => special(path, FileType::Socket, None),
        Node::Whiteout => Err(io::ErrorKind::InvalidInput.into()),
    }
}

/// Shares the blocks where the file system can, else lets the kernel copy.
fn copy(content: &mut fs::File, mut file: fs::File) -> io::Result<()> {
    if rustix::fs::ioctl_ficlone(&file, &*content).is_err() {
        io::copy(content, &mut file)?;
    }
    Ok(())
}

fn special(path: &Path, file_type: FileType, device: Option<Device>) -> io::Result<()> {
    let device = device.map_or(0, |device| rustix::fs::makedev(device.major, device.minor));
    let owner_only = Mode::RUSR | Mode::WUSR;
    Ok(rustix::fs::mknodat(CWD, path, file_type, owner_only, device)?)
}

/// Sets the modification time of `path`, of a link itself, to the nanosecond; the access time is the same.
pub(crate) fn set_time(path: &Path, mtime: Mtime) -> io::Result<()> {
    let time = Timespec {
        tv_sec: mtime.secs,
        tv_nsec: mtime.nanos.into(),
    };
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    Ok(rustix::fs::utimensat(
        CWD,
        path,
        &times,
        AtFlags::SYMLINK_NOFOLLOW,
    )?)
}
