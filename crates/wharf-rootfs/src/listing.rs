//! Directory listings: sorted, with the types that a look-up would tell.
//!
//! A name's number is that of its path, also where a look-up tells that of another name of the same file: who lists a directory has
//! not asked which of its files have names elsewhere, and is not told. Nor which are large: in both layers of a root a directory has all its names, in one
//! order, for the kernel puts the names of the lowest layer first.

use std::sync::Arc;

use fuser::FileType;
use wharf_tree::{Name, Node as Kind};

use crate::{inodes::Inodes, nodes::Node, slots::Slots};

/// One name of a listing.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) number: u64,
    pub(crate) file_type: FileType,
    /// `None` is a name that no entry has: `.`, then `..`.
    pub(crate) name: Option<Name>,
}

impl Listed {
    pub(crate) fn bytes(&self, index: usize) -> &[u8] {
        match &self.name {
            Some(name) => name.as_bytes(),
            None if index == 0 => b".",
            None => b"..",
        }
    }
}

/// A directory's names in the order of its offsets.
pub(crate) fn list(node: &Node, number: u64, inodes: &Inodes) -> Vec<Listed> {
    let dot = |number| Listed {
        number,
        file_type: FileType::Directory,
        name: None,
    };
    let mut listed = vec![dot(number), dot(inodes.number_of(node.parent()))];
    let entries = node.dir().into_iter().flat_map(|dir| dir.entries());
    listed.extend(entries.filter_map(|(name, entry)| {
        Some(Listed {
            number: node.hash().join(name.as_bytes()).number(),
            file_type: file_type(&entry.node)?,
            name: Some(name.clone()),
        })
    }));
    listed
}

/// FUSE's word for the type; a whiteout has none.
pub(crate) const fn file_type(node: &Kind) -> Option<FileType> {
    Some(match node {
        Kind::Dir(..) => FileType::Directory,
        Kind::File { .. } => FileType::RegularFile,
        Kind::Symlink(_) => FileType::Symlink,
        Kind::CharDevice(_) => FileType::CharDevice,
        Kind::BlockDevice(_) => FileType::BlockDevice,
        Kind::Fifo => FileType::NamedPipe,
        Kind::Socket => FileType::Socket,
        Kind::Whiteout => return None,
    })
}

/// The last few listings: the kernel asks for a long one piece by piece, by offset.
#[derive(Debug)]
pub(crate) struct Listings(Slots<u64, Arc<Vec<Listed>>, 8>);

impl Listings {
    pub(crate) fn new() -> Self {
        Self(Slots::new())
    }

    /// The listing of `node`, whose number is `number`.
    pub(crate) fn get(&self, node: &Node, number: u64, inodes: &Inodes) -> Arc<Vec<Listed>> {
        self.0.get(number, &number).unwrap_or_else(|| {
            let listing = Arc::new(list(node, number, inodes));
            self.0.put(number, number, listing.clone());
            listing
        })
    }
}
