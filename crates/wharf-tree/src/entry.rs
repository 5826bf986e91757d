//! One entry of a directory: what it is, and the attributes that count.

use std::{collections::BTreeMap, sync::Arc};

use wharf_oci::Digest;

use crate::{
    dir::{Dir, DirRole},
    path::TreePath,
};

/// Extended attributes by full name (`user.x`, `security.capability`, `system.posix_acl_access`), sorted.
pub type Xattrs = BTreeMap<Vec<u8>, Vec<u8>>;

/// Owner, permissions and extended attributes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Attrs {
    /// The low twelve bits of `st_mode`: permissions, set-uid, set-gid, sticky. Symbolic links have 0o777.
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// `None` when there is none, which is nearly always.
    pub xattrs: Option<Arc<Xattrs>>,
}

impl Attrs {
    /// Attributes of root:root without extended attributes.
    pub const fn root(mode: u16) -> Self {
        Self {
            mode,
            uid: 0,
            gid: 0,
            xattrs: None,
        }
    }
}

impl Attrs {
    /// Whether there is a POSIX access control list, which kernels enforce only when told to.
    pub fn has_acl(&self) -> bool {
        let xattrs = self.xattrs.as_ref();
        xattrs.is_some_and(|xattrs| xattrs.keys().any(|name| is_acl(name)))
    }
}

/// Whether this is the name of a POSIX access control list.
pub(crate) fn is_acl(name: &[u8]) -> bool {
    name.starts_with(b"system.posix_acl_")
}

/// A modification time. Never part of a tree's digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mtime {
    /// Seconds since the epoch; negative before it.
    pub secs: i64,
    /// Nanoseconds, 0 to 999,999,999.
    pub nanos: u32,
}

/// Device numbers, as far as Linux has them: 12 bits of major and 20 of minor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Device {
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
}

impl Device {
    /// The highest numbers that Linux can hold.
    pub const MAX: Self = Self {
        major: 0xfff,
        minor: 0xf_ffff,
    };

    /// Device numbers, `None` when Linux has no such.
    pub const fn new(major: u32, minor: u32) -> Option<Self> {
        if major > Self::MAX.major || minor > Self::MAX.minor {
            return None;
        }
        Some(Self { major, minor })
    }
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A directory.
    Dir(Arc<Dir>, DirRole),
    /// A regular file by the digest of its content.
    File {
        /// Digest of the whole content.
        digest: Digest,
        /// Length in bytes.
        size: u64,
    },
    /// A symbolic link and its target, as it stands.
    Symlink(Arc<[u8]>),
    /// A character device.
    CharDevice(Device),
    /// A block device.
    BlockDevice(Device),
    /// A named pipe.
    Fifo,
    /// A socket's name.
    Socket,
    /// Only in layers: the name exists below and is gone. Its attributes and time mean nothing and are zero.
    Whiteout,
}

impl Node {
    /// The directory, if this is one.
    pub const fn as_dir(&self) -> Option<&Arc<Dir>> {
        match self {
            Self::Dir(dir, _) => Some(dir),
            _ => None,
        }
    }

    /// Whether this is a directory.
    pub const fn is_dir(&self) -> bool {
        matches!(self, Self::Dir(..))
    }
}

/// An entry: attributes, time and node. The name is the directory's affair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Owner, permissions, extended attributes.
    pub attrs: Attrs,
    /// Modification time.
    pub mtime: Mtime,
    /// What it is.
    pub node: Node,
}

impl Entry {
    /// An entry of a layer that says "gone".
    pub const fn whiteout() -> Self {
        Self {
            attrs: Attrs::root(0),
            mtime: Mtime { secs: 0, nanos: 0 },
            node: Node::Whiteout,
        }
    }

    /// A directory that is wholly known: attributes and children.
    pub fn dir(attrs: Attrs, mtime: Mtime, dir: impl Into<Arc<Dir>>) -> Self {
        Self {
            attrs,
            mtime,
            node: Node::Dir(dir.into(), DirRole::Full),
        }
    }

    /// The entry at exactly `path` below this one (itself, for the root path); no link is followed.
    pub fn below(&self, path: &TreePath) -> Option<&Self> {
        path.components()
            .try_fold(self, |entry, name| entry.node.as_dir()?.get(name))
    }
}
