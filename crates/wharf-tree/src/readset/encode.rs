//! Path sets and read sets as bytes: one encoding for one set.

use super::{Answer, Asked, FileType, Kind, PathSet, Place, Presence, ReadSet, Stat};
use crate::{Mtime, Xattrs};

pub(super) const PATH_SET_MAGIC: [u8; 8] = *b"whpaths1";
pub(super) const READ_SET_MAGIC: [u8; 8] = *b"whreads1";

/// First byte of an answer.
pub(super) mod tag {
    pub(in super::super) const ABSENT: u8 = 0;
    pub(in super::super) const UNFIT: u8 = 1;
    pub(in super::super) const PRESENT: u8 = 2;
    pub(in super::super) const XATTRS: u8 = 3;
    pub(in super::super) const XATTR: u8 = 4;
    pub(in super::super) const NO_XATTR: u8 = 5;
    pub(in super::super) const STAT: u8 = 6;
    pub(in super::super) const TARGET: u8 = 7;
    pub(in super::super) const LISTING: u8 = 8;
    pub(in super::super) const CONTENT: u8 = 9;
}

impl PathSet {
    /// The canonical encoding: what `paths/` of a store and a team's cache hold.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = PATH_SET_MAGIC.to_vec();
        number(&mut bytes, self.places.len() as u64);
        let mut before = None;
        for (at, questions) in &self.places {
            place(&mut bytes, before, at);
            asked(&mut bytes, questions);
            before = Some(at);
        }
        bytes
    }
}

impl ReadSet {
    /// The canonical encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = READ_SET_MAGIC.to_vec();
        number(&mut bytes, self.places.len() as u64);
        let mut before = None;
        for (at, told) in &self.places {
            place(&mut bytes, before, at);
            asked(&mut bytes, &told.asked());
            for (_, given) in &told.answers {
                answer(&mut bytes, given);
            }
            time(&mut bytes, told.mtime);
            before = Some(at);
        }
        bytes
    }
}

fn time(bytes: &mut Vec<u8>, time: Option<Mtime>) {
    bytes.push(u8::from(time.is_some()));
    if let Some(time) = time {
        bytes.extend(time.secs.to_le_bytes());
        bytes.extend(time.nanos.to_le_bytes());
    }
}

/// A place as the difference to the one before: root, bytes shared with its path, the rest.
fn place(bytes: &mut Vec<u8>, before: Option<&Place>, place: &Place) {
    let path = place.path.as_bytes();
    let shared = match before {
        Some(before) if before.root == place.root => common_prefix(before.path.as_bytes(), path),
        _ => 0,
    };
    number(bytes, place.root.into());
    number(bytes, shared as u64);
    string(bytes, &path[shared..]);
}

fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

fn asked(bytes: &mut Vec<u8>, asked: &Asked) {
    bytes.push(asked.bits());
    if asked.bits() & Kind::Xattr(Vec::new()).bit() != 0 {
        number(bytes, asked.names().len() as u64);
        for name in asked.names() {
            string(bytes, name);
        }
    }
}

/// One answer. Self-delimiting, so that a sequence of them has one reading.
pub(super) fn answer(bytes: &mut Vec<u8>, answer: &Answer) {
    match answer {
        Answer::Absent => bytes.push(tag::ABSENT),
        Answer::Unfit => bytes.push(tag::UNFIT),
        Answer::Present(found) => presence(bytes, found),
        Answer::Xattrs(found) => xattrs(bytes, found.as_deref()),
        Answer::Xattr(None) => bytes.push(tag::NO_XATTR),
        Answer::Xattr(Some(value)) => {
            bytes.push(tag::XATTR);
            string(bytes, value);
        }
        Answer::Stat(found) => stat(bytes, found),
        Answer::Target(target) => {
            bytes.push(tag::TARGET);
            string(bytes, target);
        }
        Answer::Listing(names) => {
            bytes.push(tag::LISTING);
            number(bytes, names.len() as u64);
            for (name, kind) in names {
                bytes.push(file_type(*kind));
                string(bytes, name.as_bytes());
            }
        }
        Answer::Content(digest) => {
            bytes.push(tag::CONTENT);
            bytes.extend(digest.as_bytes());
        }
    }
}

fn presence(bytes: &mut Vec<u8>, found: &Presence) {
    bytes.extend([tag::PRESENT, file_type(found.file_type), u8::from(found.empty)]);
    number(bytes, found.mode.into());
    number(bytes, found.uid.into());
    number(bytes, found.gid.into());
    if let Some(device) = found.device {
        number(bytes, device.major.into());
        number(bytes, device.minor.into());
    }
}

fn xattrs(bytes: &mut Vec<u8>, found: Option<&Xattrs>) {
    bytes.push(tag::XATTRS);
    number(bytes, found.map_or(0, |found| found.len() as u64));
    for (name, value) in found.into_iter().flatten() {
        string(bytes, name);
        string(bytes, value);
    }
}

fn stat(bytes: &mut Vec<u8>, found: &Stat) {
    bytes.push(tag::STAT);
    number(bytes, found.size);
    number(bytes, found.links.len() as u64);
    for path in &found.links {
        string(bytes, path.as_bytes());
    }
}

pub(super) const FILE_TYPES: [FileType; 7] = [
    FileType::File,
    FileType::Dir,
    FileType::Symlink,
    FileType::CharDevice,
    FileType::BlockDevice,
    FileType::Fifo,
    FileType::Socket,
];

/// The place in [`FILE_TYPES`].
const fn file_type(file_type: FileType) -> u8 {
    file_type as u8
}

/// LEB128, as short as possible.
pub(super) fn number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn string(bytes: &mut Vec<u8>, string: &[u8]) {
    number(bytes, string.len() as u64);
    bytes.extend_from_slice(string);
}
