//! Canonical bytes of a directory and of a root (docs/formats.md, "Trees"). Times are left out.

use crate::{
    dir::{Dir, DirRole},
    entry::{Attrs, Entry, Node, Xattrs},
    links::HardLinks,
};

/// What an entry is, in the low bits of its first byte.
pub(crate) mod kind {
    pub(crate) const DIR: u8 = 1;
    pub(crate) const STRUCTURAL: u8 = 2;
    pub(crate) const OPAQUE: u8 = 3;
    pub(crate) const FILE: u8 = 4;
    pub(crate) const SYMLINK: u8 = 5;
    pub(crate) const CHAR_DEVICE: u8 = 6;
    pub(crate) const BLOCK_DEVICE: u8 = 7;
    pub(crate) const FIFO: u8 = 8;
    pub(crate) const SOCKET: u8 = 9;
    pub(crate) const WHITEOUT: u8 = 10;
    /// Extended attributes follow the other attributes.
    pub(crate) const XATTRS: u8 = 0x80;
}

/// Most entries need less: a kind, a name of 14, six bytes of attributes, a digest and a size.
const USUAL_ENTRY: usize = 64;

/// The bytes of a directory: its entries, one after the other.
pub(crate) fn object(dir: &Dir) -> Vec<u8> {
    let mut out = Vec::with_capacity(dir.entries().len() * USUAL_ENTRY);
    for (name, entry) in dir.entries() {
        put_entry(&mut out, Some(name.as_bytes()), entry);
    }
    out
}

/// The bytes of a root: `magic`, its own entry, the groups of hard links.
pub(crate) fn root(magic: [u8; 8], root: &Entry, links: &HardLinks) -> Vec<u8> {
    let mut out = magic.to_vec();
    put_entry(&mut out, None, root);
    put_varint(&mut out, links.0.len() as u64);
    for group in &links.0 {
        put_varint(&mut out, group.len() as u64);
        for path in group {
            put_bytes(&mut out, path.as_bytes());
        }
    }
    out
}

fn put_entry(out: &mut Vec<u8>, name: Option<&[u8]>, entry: &Entry) {
    let xattrs = entry.attrs.xattrs.as_deref().filter(|xattrs| !xattrs.is_empty());
    let kind = kind_of(&entry.node);
    let bare = matches!(kind, kind::STRUCTURAL | kind::WHITEOUT);
    let flag = if xattrs.is_some() && !bare {
        kind::XATTRS
    } else {
        0
    };
    out.push(kind | flag);
    if let Some(name) = name {
        out.push(u8::try_from(name.len()).expect("a name has at most 255 bytes"));
        out.extend_from_slice(name);
    }
    if !bare {
        put_attrs(out, &entry.attrs, xattrs);
    }
    put_node(out, &entry.node);
}

const fn kind_of(node: &Node) -> u8 {
    match node {
        Node::Dir(_, DirRole::Full) => kind::DIR,
        Node::Dir(_, DirRole::Structural) => kind::STRUCTURAL,
        Node::Dir(_, DirRole::Opaque) => kind::OPAQUE,
        Node::File { .. } => kind::FILE,
        Node::Symlink(_) => kind::SYMLINK,
        Node::CharDevice(_) => kind::CHAR_DEVICE,
        Node::BlockDevice(_) => kind::BLOCK_DEVICE,
        Node::Fifo => kind::FIFO,
        Node::Socket => kind::SOCKET,
        Node::Whiteout => kind::WHITEOUT,
    }
}

fn put_attrs(out: &mut Vec<u8>, attrs: &Attrs, xattrs: Option<&Xattrs>) {
    out.extend_from_slice(&attrs.mode.to_le_bytes());
    put_varint(out, attrs.uid.into());
    put_varint(out, attrs.gid.into());
    if let Some(xattrs) = xattrs {
        put_varint(out, xattrs.len() as u64);
        for (name, value) in xattrs {
            put_bytes(out, name);
            put_bytes(out, value);
        }
    }
}

fn put_node(out: &mut Vec<u8>, node: &Node) {
    match node {
        Node::Dir(dir, _) => out.extend_from_slice(dir.digest().as_bytes()),
        Node::File { digest, size } => {
            out.extend_from_slice(digest.as_bytes());
            put_varint(out, *size);
        }
        Node::Symlink(target) => put_bytes(out, target),
        Node::CharDevice(device) | Node::BlockDevice(device) => {
            put_varint(out, device.major.into());
            put_varint(out, device.minor.into());
        }
        Node::Fifo | Node::Socket | Node::Whiteout => {}
    }
}

pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// How many bytes [`put_varint`] writes for this number.
pub(crate) fn varint_length(number: usize) -> usize {
    let mut bytes = Vec::with_capacity(10);
    put_varint(&mut bytes, number as u64);
    bytes.len()
}

/// LEB128, low bits first, in the fewest bytes.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}
