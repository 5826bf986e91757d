//! Reading canonical bytes, with every rule checked: what decodes encodes to the same bytes again.

use std::sync::Arc;

use wharf_oci::Digest;

use crate::{
    dir::{Dir, DirRole},
    encode::kind,
    entry::{Attrs, Device, Entry, Mtime, Node, Xattrs, is_acl},
    links::HardLinks,
    path::{Name, PATH_MAX, PathError, TreePath},
};

/// Bytes that are not what they claim to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end in the middle of something.
    #[error("truncated")]
    Truncated,
    /// Something follows the end.
    #[error("{0} bytes too many")]
    Trailing(usize),
    /// Not a pack, or a layer's pack where a tree's was wanted, or of another format version.
    #[error("not {0} of a known version")]
    Magic(&'static str),
    /// A number in more bytes than it needs, or above 64 bits.
    #[error("a number is not in its shortest form")]
    Number,
    /// A value that no file system has: a mode above 07777, say.
    #[error("{0} out of range")]
    Range(&'static str),
    /// A kind of entry that is not known, or cannot stand here.
    #[error("entry of kind {0:#04x} is not known here")]
    Kind(u8),
    /// A name or path that no file can have.
    #[error(transparent)]
    Name(#[from] PathError),
    /// A path that is not normalised.
    #[error("{0} is not in its normal form")]
    Path(TreePath),
    /// Names, paths or attributes that are not in ascending order.
    #[error("{0} are not sorted")]
    Order(&'static str),
    /// A directory whose object does not come before it.
    #[error("directory {0} is missing")]
    Missing(Digest),
    /// A directory that nothing refers to, or that comes twice.
    #[error("directory {0} is superfluous")]
    Superfluous(Digest),
    /// A tree with whiteouts, or with structural or opaque directories.
    #[error("a tree holds entries that only a layer may hold")]
    Partial,
    /// More levels or entries than any image has: an attack.
    #[error("more than {0} {1}")]
    TooMuch(u64, &'static str),
    /// Hard-linked names that are not equal files.
    #[error("{0} is not what it is hard-linked with")]
    Link(TreePath),
}

/// An entry as it stands in the bytes: every rule that one entry can break is checked, nothing is copied.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawEntry<'b> {
    mode: u16,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// From their count on.
    xattrs: Option<&'b [u8]>,
    pub(crate) acls: bool,
    pub(crate) node: RawNode<'b>,
}

/// What a [`RawEntry`] is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RawNode<'b> {
    /// By the digest of its object.
    Dir(Digest, DirRole),
    File {
        digest: Digest,
        size: u64,
    },
    Symlink(&'b [u8]),
    /// All that has no bytes of others in it.
    Plain(Plain),
}

/// Nodes that are only numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plain {
    CharDevice(Device),
    BlockDevice(Device),
    Fifo,
    Socket,
    Whiteout,
}

impl RawEntry<'_> {
    pub(crate) const fn has_xattrs(&self) -> bool {
        self.xattrs.is_some()
    }

    pub(crate) const fn is_whiteout(&self) -> bool {
        matches!(self.node, RawNode::Plain(Plain::Whiteout))
    }

    /// Whether it has a time: all have but whiteouts and structural directories.
    pub(crate) const fn is_timed(&self) -> bool {
        !self.is_whiteout() && !matches!(self.node, RawNode::Dir(_, DirRole::Structural))
    }

    /// The entry; `child` gives the directory of a digest.
    pub(crate) fn to_entry(self, mtime: Mtime, child: impl FnOnce(&Digest) -> Arc<Dir>) -> Entry {
        let node = match self.node {
            RawNode::Dir(digest, role) => Node::Dir(child(&digest), role),
            RawNode::File { digest, size } => Node::File { digest, size },
            RawNode::Symlink(target) => Node::Symlink(target.into()),
            RawNode::Plain(Plain::CharDevice(device)) => Node::CharDevice(device),
            RawNode::Plain(Plain::BlockDevice(device)) => Node::BlockDevice(device),
            RawNode::Plain(Plain::Fifo) => Node::Fifo,
            RawNode::Plain(Plain::Socket) => Node::Socket,
            RawNode::Plain(Plain::Whiteout) => Node::Whiteout,
        };
        let attrs = Attrs {
            mode: self.mode,
            uid: self.uid,
            gid: self.gid,
            xattrs: self.xattrs.map(|bytes| Arc::new(xattrs(bytes))),
        };
        Entry { attrs, mtime, node }
    }
}

/// The attributes in bytes that were checked.
fn xattrs(bytes: &[u8]) -> Xattrs {
    let mut xattrs = Xattrs::new();
    let mut keep = |name: &[u8], value: &[u8]| drop(xattrs.insert(name.to_vec(), value.to_vec()));
    Cursor(bytes).xattrs(&mut keep).expect("these bytes were checked");
    xattrs
}

/// The entries of a directory's object. After an error nothing that follows means anything.
pub(crate) struct RawEntries<'b> {
    cursor: Cursor<'b>,
    last: &'b [u8],
}

impl<'b> RawEntries<'b> {
    pub(crate) const fn new(object: &'b [u8]) -> Self {
        Self {
            cursor: Cursor(object),
            last: b"",
        }
    }

    fn take(&mut self) -> Result<(&'b [u8], RawEntry<'b>), DecodeError> {
        let kind = self.cursor.byte()?;
        let length = self.cursor.byte()?;
        let name = self.cursor.take(length.into())?;
        Name::check(name)?;
        if self.last >= name {
            return Err(DecodeError::Order("names"));
        }
        self.last = name;
        Ok((name, self.cursor.entry(kind)?))
    }
}

impl<'b> Iterator for RawEntries<'b> {
    type Item = Result<(&'b [u8], RawEntry<'b>), DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        (!self.cursor.0.is_empty()).then(|| self.take())
    }
}

/// The entry and links of a root object, which is all that `cursor` has left. The entry is a directory.
pub(crate) fn root(mut cursor: Cursor<'_>) -> Result<(RawEntry<'_>, HardLinks), DecodeError> {
    let kind = cursor.byte()?;
    let entry = cursor.entry(kind)?;
    if !matches!(entry.node, RawNode::Dir(..)) {
        return Err(DecodeError::Kind(kind));
    }
    let links = cursor.links()?;
    cursor.end()?;
    Ok((entry, links))
}

/// What is left to read.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'b>(pub(crate) &'b [u8]);

impl<'b> Cursor<'b> {
    pub(crate) fn take(&mut self, length: usize) -> Result<&'b [u8], DecodeError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                let shortest = shift == 0 || byte != 0;
                let fits = shift < 63 || byte == 1;
                return if shortest && fits {
                    Ok(number)
                } else {
                    Err(DecodeError::Number)
                };
            }
        }
        Err(DecodeError::Number)
    }

    fn number(&mut self, what: &'static str) -> Result<u32, DecodeError> {
        self.varint()?.try_into().map_err(|_| DecodeError::Range(what))
    }

    /// Bytes after their length, which `range` bounds.
    pub(crate) fn bytes(
        &mut self,
        range: std::ops::RangeInclusive<usize>,
        what: &'static str,
    ) -> Result<&'b [u8], DecodeError> {
        let length = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
        if !range.contains(&length) {
            return Err(DecodeError::Range(what));
        }
        self.take(length)
    }

    pub(crate) fn end(self) -> Result<(), DecodeError> {
        match self.0.len() {
            0 => Ok(()),
            left => Err(DecodeError::Trailing(left)),
        }
    }

    fn entry(&mut self, kind: u8) -> Result<RawEntry<'b>, DecodeError> {
        let bare_kind = kind & !kind::XATTRS;
        let mut entry = match bare_kind {
            kind::STRUCTURAL | kind::WHITEOUT if kind == bare_kind => NOTHING,
            kind::STRUCTURAL | kind::WHITEOUT => return Err(DecodeError::Kind(kind)),
            _ => self.attrs(kind != bare_kind)?,
        };
        entry.node = self.node(bare_kind)?;
        Ok(entry)
    }

    /// An entry that still needs its node.
    fn attrs(&mut self, with_xattrs: bool) -> Result<RawEntry<'b>, DecodeError> {
        let mode = u16::from_le_bytes(self.array()?);
        if mode > 0o7777 {
            return Err(DecodeError::Range("mode"));
        }
        let mut entry = RawEntry {
            mode,
            uid: self.number("owner")?,
            gid: self.number("group")?,
            ..NOTHING
        };
        if with_xattrs {
            let start = self.0;
            self.xattrs(&mut |name, _| entry.acls |= is_acl(name))?;
            entry.xattrs = Some(&start[..start.len() - self.0.len()]);
        }
        Ok(entry)
    }

    /// Tells `visit` name and value of each.
    fn xattrs(&mut self, visit: &mut dyn FnMut(&'b [u8], &'b [u8])) -> Result<(), DecodeError> {
        let count = self.varint()?;
        if count == 0 {
            return Err(DecodeError::Range("count of extended attributes"));
        }
        let mut last: &[u8] = b"";
        for _ in 0..count {
            let name = self.bytes(1..=255, "name of an extended attribute")?;
            if last >= name {
                return Err(DecodeError::Order("extended attributes"));
            }
            last = name;
            visit(name, self.bytes(0..=XATTR_SIZE_MAX, "extended attribute")?);
        }
        Ok(())
    }

    fn node(&mut self, kind: u8) -> Result<RawNode<'b>, DecodeError> {
        Ok(match kind {
            kind::DIR => RawNode::Dir(self.digest()?, DirRole::Full),
            kind::STRUCTURAL => RawNode::Dir(self.digest()?, DirRole::Structural),
            kind::OPAQUE => RawNode::Dir(self.digest()?, DirRole::Opaque),
            kind::FILE => RawNode::File {
                digest: self.digest()?,
                size: self.varint()?,
            },
            kind::SYMLINK => RawNode::Symlink(self.bytes(1..=PATH_MAX - 1, "link target")?),
            kind::CHAR_DEVICE => RawNode::Plain(Plain::CharDevice(self.device()?)),
            kind::BLOCK_DEVICE => RawNode::Plain(Plain::BlockDevice(self.device()?)),
            kind::FIFO => RawNode::Plain(Plain::Fifo),
            kind::SOCKET => RawNode::Plain(Plain::Socket),
            kind::WHITEOUT => RawNode::Plain(Plain::Whiteout),
            _ => return Err(DecodeError::Kind(kind)),
        })
    }

    fn digest(&mut self) -> Result<Digest, DecodeError> {
        self.array().map(Digest::from_bytes)
    }

    fn device(&mut self) -> Result<Device, DecodeError> {
        let (major, minor) = (self.number("device")?, self.number("device")?);
        Device::new(major, minor).ok_or(DecodeError::Range("device"))
    }

    fn links(&mut self) -> Result<HardLinks, DecodeError> {
        let mut groups = Vec::new();
        for _ in 0..self.varint()? {
            let group = self.link_group()?;
            if groups.last().is_some_and(|last| *last >= group) {
                return Err(DecodeError::Order("hard links"));
            }
            groups.push(group);
        }
        Ok(HardLinks(groups))
    }

    fn link_group(&mut self) -> Result<Vec<TreePath>, DecodeError> {
        let count = self.varint()?;
        if count < 2 {
            return Err(DecodeError::Range("count of hard links"));
        }
        let mut group = Vec::new();
        for _ in 0..count {
            let path = self.path()?;
            if group.last().is_some_and(|last| *last >= path) {
                return Err(DecodeError::Order("hard links"));
            }
            group.push(path);
        }
        Ok(group)
    }

    fn path(&mut self) -> Result<TreePath, DecodeError> {
        let bytes = self.bytes(1..=PATH_MAX, "path")?;
        let path = TreePath::new(bytes)?;
        if path.as_bytes() == bytes {
            Ok(path)
        } else {
            Err(DecodeError::Path(path))
        }
    }
}

/// The attributes of what has none.
const NOTHING: RawEntry<'static> = RawEntry {
    mode: 0,
    uid: 0,
    gid: 0,
    xattrs: None,
    acls: false,
    node: RawNode::Plain(Plain::Whiteout),
};

/// `XATTR_SIZE_MAX` of Linux, in bytes.
pub(crate) const XATTR_SIZE_MAX: usize = 1 << 16;
