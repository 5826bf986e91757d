//! A directory as it lies on disk: attributes and names, without contents, in the step's own terms.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use rustix::fs::{FileType, Stat};
use wharf_tree::{Attrs, Device, Mtime, Name, TreePath};

use super::{CommitError, CommitOptions, Found};
use crate::xattr;

/// Device and inode: which names are one file.
pub(super) type Inode = (u64, u64);

/// An entry on disk.
#[derive(Debug)]
pub(super) struct OnDisk {
    pub(super) attrs: Attrs,
    pub(super) mtime: Mtime,
    pub(super) node: NodeOnDisk,
}

#[derive(Debug)]
pub(super) enum NodeOnDisk {
    Dir {
        entries: BTreeMap<Name, OnDisk>,
        /// Overlayfs hides what is below.
        opaque: bool,
    },
    Symlink(Vec<u8>),
    CharDevice(Device),
    BlockDevice(Device),
    Fifo,
    Socket,
    File(Inode),
    /// The name below is gone.
    Whiteout,
}

/// All that is in a directory.
#[derive(Debug)]
pub(super) struct Scanned {
    pub(super) root: OnDisk,
    /// One path of each regular file, on disk and as the step knew it.
    pub(super) files: BTreeMap<Inode, (PathBuf, TreePath)>,
    /// All names of what has more than one link.
    pub(super) names: BTreeMap<Inode, Vec<TreePath>>,
}

/// Reads `dir` and all below it. Links are not followed.
pub(super) fn scan(dir: &Path, options: &CommitOptions) -> Result<Scanned, CommitError> {
    let mut scan = Scan {
        options,
        files: BTreeMap::new(),
        names: BTreeMap::new(),
    };
    let root = scan.entry(dir, &TreePath::root())?;
    Ok(Scanned {
        root,
        files: scan.files,
        names: scan.names,
    })
}

struct Scan<'a> {
    options: &'a CommitOptions,
    files: BTreeMap<Inode, (PathBuf, TreePath)>,
    names: BTreeMap<Inode, Vec<TreePath>>,
}

impl Scan<'_> {
    fn entry(&mut self, disk: &Path, path: &TreePath) -> Result<OnDisk, CommitError> {
        let failed = |source: io::Error| CommitError::Read {
            path: disk.to_owned(),
            source,
        };
        let stat = rustix::fs::lstat(disk).map_err(|errno| failed(errno.into()))?;
        if self.is_whiteout(&stat) {
            return Ok(whiteout());
        }
        let markers = self.options.found.markers();
        let xattrs = xattr::read(disk, markers, &self.options.owners).map_err(failed)?;
        let node = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => NodeOnDisk::Dir {
                entries: self.entries(disk, path)?,
                opaque: xattrs.opaque,
            },
            FileType::Symlink => {
                let target = fs::read_link(disk).map_err(failed)?;
                NodeOnDisk::Symlink(target.as_os_str().as_bytes().to_vec())
            }
            FileType::CharacterDevice => NodeOnDisk::CharDevice(device(&stat)),
            FileType::BlockDevice => NodeOnDisk::BlockDevice(device(&stat)),
            FileType::Fifo => NodeOnDisk::Fifo,
            FileType::Socket => NodeOnDisk::Socket,
            _ => NodeOnDisk::File(inode(&stat)),
        };
        self.remember(disk, path, &stat, &node);
        Ok(OnDisk {
            attrs: self.attrs(path, &stat, xattrs.visible)?,
            mtime: Mtime {
                secs: stat.st_mtime,
                nanos: stat.st_mtime_nsec as u32,
            },
            node,
        })
    }

    fn entries(&mut self, disk: &Path, path: &TreePath) -> Result<BTreeMap<Name, OnDisk>, CommitError> {
        let failed = |source: io::Error| CommitError::Read {
            path: disk.to_owned(),
            source,
        };
        let mut entries = BTreeMap::new();
        for entry in fs::read_dir(disk).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let name = Name::new(name.as_bytes()).expect("the kernel lists names");
            let below = disk.join(OsStr::from_bytes(name.as_bytes()));
            let entry = self.entry(&below, &path.join(&name))?;
            entries.insert(name, entry);
        }
        Ok(entries)
    }

    /// Whiteouts are char 0/0 in both modes (filesystems/overlayfs.rst); steps cannot make such a device.
    fn is_whiteout(&self, stat: &Stat) -> bool {
        matches!(self.options.found, Found::Upper(_))
            && FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice
            && stat.st_rdev == 0
    }

    fn remember(&mut self, disk: &Path, path: &TreePath, stat: &Stat, node: &NodeOnDisk) {
        let inode = inode(stat);
        if let NodeOnDisk::File(_) = node {
            self.files
                .entry(inode)
                .or_insert_with(|| (disk.to_owned(), path.clone()));
        }
        if stat.st_nlink > 1 && !matches!(node, NodeOnDisk::Dir { .. }) {
            self.names.entry(inode).or_default().push(path.clone());
        }
    }

    fn attrs(&self, path: &TreePath, stat: &Stat, xattrs: wharf_tree::Xattrs) -> Result<Attrs, CommitError> {
        let owner = self.options.owners.inside(stat.st_uid, stat.st_gid);
        let (uid, gid) = owner.ok_or_else(|| CommitError::UnmappedOwner {
            path: path.clone(),
            uid: stat.st_uid,
            gid: stat.st_gid,
        })?;
        Ok(Attrs {
            mode: (stat.st_mode & 0o7777) as u16,
            uid,
            gid,
            xattrs: xattr::some(xattrs),
        })
    }
}

fn whiteout() -> OnDisk {
    OnDisk {
        attrs: Attrs::default(),
        mtime: Mtime::default(),
        node: NodeOnDisk::Whiteout,
    }
}

fn inode(stat: &Stat) -> Inode {
    (stat.st_dev, stat.st_ino)
}

fn device(stat: &Stat) -> Device {
    Device {
        major: rustix::fs::major(stat.st_rdev),
        minor: rustix::fs::minor(stat.st_rdev),
    }
}
