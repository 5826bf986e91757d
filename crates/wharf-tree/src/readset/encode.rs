//! Path sets and read sets as bytes: one encoding for one set.

use super::{Answer, Asked, FileType, Kind, PathSet, Place, Presence, ReadSet, Seen, Stat, Told};
use crate::Xattrs;

pub(super) const PATH_SET_MAGIC: [u8; 8] = *b"whpaths1";
pub(super) const READ_SET_MAGIC: [u8; 8] = *b"whreads1";

/// First byte of a time.
pub(super) const NOT_SEEN: u8 = 0;
pub(super) const SEEN: u8 = 1;
pub(super) const SEEN_UNREAD: u8 = 2;

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
        let mut writer = Writer::default();
        for (place, asked) in &self.places {
            writer.questions(place, asked);
        }
        with_head(PATH_SET_MAGIC, writer)
    }
}

impl ReadSet {
    /// The canonical encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (count, items) = self.parts();
        head(READ_SET_MAGIC, count, items)
    }

    /// The canonical encoding of the questions alone: that of [`ReadSet::path_set`].
    pub fn path_set_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        for (place, told) in self.places() {
            writer.questions(&place, &told.asked());
        }
        with_head(PATH_SET_MAGIC, writer)
    }
}

pub(super) fn with_head(magic: [u8; 8], writer: Writer) -> Vec<u8> {
    let (count, items) = writer.finish();
    head(magic, count, &items)
}

fn head(magic: [u8; 8], count: u64, items: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(magic.len() + 10 + items.len());
    bytes.extend(magic);
    number(&mut bytes, count);
    bytes.extend_from_slice(items);
    bytes
}

/// Items in the order of their places, each after its difference to the one before.
#[derive(Debug, Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
    count: u64,
    root: u16,
    path: Vec<u8>,
}

impl Writer {
    /// A place and what was asked of it.
    pub(super) fn questions(&mut self, place: &Place, questions: &Asked) {
        self.place(place);
        asked(&mut self.bytes, questions);
    }

    /// A place and all that was told about it.
    pub(super) fn told(&mut self, place: &Place, told: &Told) {
        self.questions(place, &told.asked());
        for (_, given) in &told.answers {
            answer(&mut self.bytes, given);
        }
        self.seen(told.seen);
    }

    /// Root, bytes shared with the path before, the rest.
    fn place(&mut self, place: &Place) {
        let path = place.path.as_bytes();
        let first = self.count == 0 || self.root != place.root;
        let shared = if first { 0 } else { common_prefix(&self.path, path) };
        self.count += 1;
        number(&mut self.bytes, place.root.into());
        number(&mut self.bytes, shared as u64);
        string(&mut self.bytes, &path[shared..]);
        self.root = place.root;
        self.path.truncate(shared);
        self.path.extend_from_slice(&path[shared..]);
    }

    pub(super) fn seen(&mut self, seen: Option<Seen>) {
        self::seen(&mut self.bytes, seen);
    }

    /// Where answers go.
    pub(super) const fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// How many items there are, and their bytes.
    pub(super) fn finish(mut self) -> (u64, Vec<u8>) {
        self.bytes.shrink_to_fit();
        (self.count, self.bytes)
    }
}

fn seen(bytes: &mut Vec<u8>, seen: Option<Seen>) {
    let Some(Seen { mtime, unread }) = seen else {
        return bytes.push(NOT_SEEN);
    };
    bytes.push(if unread.is_some() { SEEN_UNREAD } else { SEEN });
    bytes.extend(mtime.secs.to_le_bytes());
    bytes.extend(mtime.nanos.to_le_bytes());
    if let Some(digest) = unread {
        bytes.extend(digest.as_bytes());
    }
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
            let typed = names
                .iter()
                .map(|(name, file_type)| (name.as_bytes(), *file_type));
            listing(bytes, names.len(), typed);
        }
        Answer::Content(digest) => {
            bytes.push(tag::CONTENT);
            bytes.extend(digest.as_bytes());
        }
    }
}

pub(super) fn listing<'n>(
    bytes: &mut Vec<u8>,
    count: usize,
    names: impl Iterator<Item = (&'n [u8], FileType)>,
) {
    bytes.push(tag::LISTING);
    number(bytes, count as u64);
    for (name, kind) in names {
        bytes.push(file_type(kind));
        string(bytes, name);
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
