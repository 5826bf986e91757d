//! Reading canonical bytes, with every rule checked: what decodes encodes to the same bytes again.

use std::{collections::BTreeMap, sync::Arc};

use wharf_oci::Digest;

use crate::{
    dir::{Dir, DirRole},
    encode::kind,
    entry::{Attrs, Device, Entry, Mtime, Node, Xattrs},
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

/// Gives the directory of a digest, which must have been read before.
pub(crate) type Children<'c> = dyn FnMut(&Digest) -> Result<Arc<Dir>, DecodeError> + 'c;

/// A directory of the entries in `object`.
pub(crate) fn object(object: &[u8], children: &mut Children<'_>) -> Result<Dir, DecodeError> {
    let mut cursor = Cursor(object);
    // A file's entry with a short name has 50 bytes.
    let mut entries = Vec::<(Name, Entry)>::with_capacity(object.len() / 50 + 1);
    while !cursor.0.is_empty() {
        let kind = cursor.byte()?;
        let length = cursor.byte()?;
        let name = Name::new(cursor.take(length.into())?)?;
        if entries.last().is_some_and(|(last, _)| *last >= name) {
            return Err(DecodeError::Order("names"));
        }
        entries.push((name, cursor.entry(kind, children)?));
    }
    Ok(Dir::new(BTreeMap::from_iter(entries)))
}

/// The entry and links of a root object, which is all that `cursor` has left.
pub(crate) fn root(
    mut cursor: Cursor<'_>,
    children: &mut Children<'_>,
) -> Result<(Entry, HardLinks), DecodeError> {
    let kind = cursor.byte()?;
    let entry = cursor.entry(kind, children)?;
    if !entry.node.is_dir() {
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

    fn entry(&mut self, kind: u8, children: &mut Children<'_>) -> Result<Entry, DecodeError> {
        let bare_kind = kind & !kind::XATTRS;
        let attrs = match bare_kind {
            kind::STRUCTURAL | kind::WHITEOUT if kind == bare_kind => Attrs::default(),
            kind::STRUCTURAL | kind::WHITEOUT => return Err(DecodeError::Kind(kind)),
            _ => self.attrs(kind != bare_kind)?,
        };
        Ok(Entry {
            attrs,
            mtime: Mtime::default(),
            node: self.node(bare_kind, children)?,
        })
    }

    fn attrs(&mut self, xattrs: bool) -> Result<Attrs, DecodeError> {
        let mode = u16::from_le_bytes(self.array()?);
        if mode > 0o7777 {
            return Err(DecodeError::Range("mode"));
        }
        Ok(Attrs {
            mode,
            uid: self.number("owner")?,
            gid: self.number("group")?,
            xattrs: if xattrs {
                Some(Arc::new(self.xattrs()?))
            } else {
                None
            },
        })
    }

    fn xattrs(&mut self) -> Result<Xattrs, DecodeError> {
        let mut xattrs = Xattrs::new();
        let count = self.varint()?;
        if count == 0 {
            return Err(DecodeError::Range("count of extended attributes"));
        }
        for _ in 0..count {
            let name = self.bytes(1..=255, "name of an extended attribute")?.to_vec();
            if xattrs.last_key_value().is_some_and(|(last, _)| *last >= name) {
                return Err(DecodeError::Order("extended attributes"));
            }
            let value = self.bytes(0..=XATTR_SIZE_MAX, "extended attribute")?;
            xattrs.insert(name, value.to_vec());
        }
        Ok(xattrs)
    }

    fn node(&mut self, kind: u8, children: &mut Children<'_>) -> Result<Node, DecodeError> {
        Ok(match kind {
            kind::DIR => Node::Dir(children(&self.digest()?)?, DirRole::Full),
            kind::STRUCTURAL => Node::Dir(children(&self.digest()?)?, DirRole::Structural),
            kind::OPAQUE => Node::Dir(children(&self.digest()?)?, DirRole::Opaque),
            kind::FILE => Node::File {
                digest: self.digest()?,
                size: self.varint()?,
            },
            kind::SYMLINK => Node::Symlink(self.bytes(1..=PATH_MAX - 1, "link target")?.into()),
            kind::CHAR_DEVICE => Node::CharDevice(self.device()?),
            kind::BLOCK_DEVICE => Node::BlockDevice(self.device()?),
            kind::FIFO => Node::Fifo,
            kind::SOCKET => Node::Socket,
            kind::WHITEOUT => Node::Whiteout,
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

/// `XATTR_SIZE_MAX` of Linux, in bytes.
pub(crate) const XATTR_SIZE_MAX: usize = 1 << 16;
