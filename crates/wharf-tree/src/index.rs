//! Indexes of packs: what a check of a pack found, so that whoever reads the same bytes again need not check all of them
//! (docs/formats.md, "Pack indexes").

use wharf_oci::Digest;

use crate::{
    dir::Summary,
    objects::{Object, Objects},
};

/// First bytes of an index; the last is the version of the format.
const MAGIC: [u8; 8] = *b"whrfidx\x01";
/// Magic, the length of the pack, and where its directories start.
const HEADER: usize = 24;
/// Digest, start, length, entries, timed entries, height, marks.
const RECORD: usize = 32 + 4 * 8 + 2 * 4;

const XATTRS: u32 = 1;
const ACLS: u32 = 2;
const PARTIAL: u32 = 4;

/// The directories of a pack that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackIndex {
    pub(crate) pack_length: usize,
    /// What comes before the directories.
    pub(crate) head_length: usize,
    pub(crate) objects: Vec<Object>,
}

impl PackIndex {
    pub(crate) fn of(objects: &Objects) -> Self {
        Self {
            pack_length: objects.pack_length(),
            head_length: objects.head_length(),
            objects: objects.each().to_vec(),
        }
    }

    /// Whether it may be one of a pack of this many bytes.
    pub fn fits(&self, pack_length: usize) -> bool {
        self.pack_length == pack_length
    }

    /// The bytes that a store keeps.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER + self.objects.len() * RECORD);
        bytes.extend_from_slice(&MAGIC);
        for number in [self.pack_length, self.head_length] {
            bytes.extend_from_slice(&(number as u64).to_le_bytes());
        }
        for object in &self.objects {
            put(&mut bytes, object);
        }
        bytes
    }

    /// Reads what [`PackIndex::to_bytes`] wrote; `None` for anything that is no index, or has an
    /// object that lies outside of its pack.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (header, records) = bytes.split_at_checked(HEADER)?;
        let (magic, lengths) = header.split_first_chunk()?;
        let length = |at: usize| usize::try_from(u64::from_le_bytes(lengths.as_chunks().0[at])).ok();
        let (pack_length, head_length) = (length(0)?, length(1)?);
        let (records, rest) = records.as_chunks::<RECORD>();
        if *magic != MAGIC || !rest.is_empty() || head_length > pack_length {
            return None;
        }
        let objects: Option<Vec<Object>> = records
            .iter()
            .map(|record| take(record).filter(|object| object.bytes.end <= pack_length))
            .collect();
        Some(Self {
            pack_length,
            head_length,
            objects: objects?,
        })
    }
}

fn put(
    bytes: &mut Vec<u8>,
    Object {
        digest,
        bytes: place,
        summary,
    }: &Object,
) {
    bytes.extend_from_slice(digest.as_bytes());
    for number in [
        place.start as u64,
        place.len() as u64,
        summary.entries,
        summary.timed,
    ] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    let mark = |holds: bool, mark: u32| if holds { mark } else { 0 };
    let marks = mark(summary.xattrs, XATTRS) | mark(summary.acls, ACLS) | mark(summary.partial, PARTIAL);
    for number in [summary.height, marks] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
}

fn take(record: &[u8; RECORD]) -> Option<Object> {
    let (digest, rest) = record.split_first_chunk::<32>()?;
    let (wide, narrow) = rest.split_at(4 * 8);
    let wide = |at: usize| u64::from_le_bytes(wide.as_chunks().0[at]);
    let narrow = |at: usize| u32::from_le_bytes(narrow.as_chunks().0[at]);
    let start = usize::try_from(wide(0)).ok()?;
    let marks = Some(narrow(1)).filter(|marks| *marks <= XATTRS | ACLS | PARTIAL)?;
    Some(Object {
        digest: Digest::from_bytes(*digest),
        bytes: start..start.checked_add(usize::try_from(wide(1)).ok()?)?,
        summary: Summary {
            entries: wide(2),
            timed: wide(3),
            height: narrow(0),
            xattrs: marks & XATTRS != 0,
            acls: marks & ACLS != 0,
            partial: marks & PARTIAL != 0,
        },
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        Dir, Layer, Tree,
        testing::{layer, tree},
    };

    fn sample() -> (Tree, Vec<u8>, PackIndex) {
        let mut sample = tree(&[
            "a/x file 1",
            "a/y/ dir",
            "b/x file 1",
            "b/y/ dir",
            "c -> b",
            "c.d/e dev",
        ]);
        let pack = sample.to_pack();
        let times = sample.times().1;
        sample = Tree::from_pack(pack.clone()).unwrap();
        let index = sample.pack_index().unwrap();
        sample.apply_times(times).unwrap();
        (sample, pack, index)
    }

    #[test]
    fn a_pack_reads_the_same_with_its_index() {
        let (sample, pack, index) = sample();
        let read = PackIndex::from_bytes(&index.to_bytes()).unwrap();
        assert_eq!(read, index);
        assert!(read.fits(pack.len()) && !read.fits(pack.len() + 1));
        let mut again = Tree::from_checked_pack(Arc::new(pack.clone()), read).unwrap();
        again.apply_times(sample.times().1).unwrap();
        assert_eq!(again, sample);
        assert_eq!((again.digest(), again.to_pack()), (sample.digest(), pack));
    }

    #[test]
    fn layers_have_one_too() {
        let changes = layer(&["a/x gone", "b/ dir @700", "b/ opaque", "b/c file 1"]);
        let pack = changes.to_pack();
        let index = Layer::from_pack(pack.clone()).unwrap().pack_index().unwrap();
        let again = Layer::from_checked_pack(Arc::new(pack), index).unwrap();
        assert_eq!(again.digest(), changes.digest());
        assert!(again.dir().summary().partial);
    }

    #[test]
    fn what_was_never_in_a_pack_has_none() {
        assert!(tree(&["a file 1"]).pack_index().is_none());
    }

    #[test]
    fn anything_else_is_none() {
        let (_, _, index) = sample();
        let bytes = index.to_bytes();
        for length in 0..bytes.len() {
            let cut = PackIndex::from_bytes(&bytes[..length]);
            assert!(
                cut.is_none_or(|cut| cut.objects.len() < index.objects.len()),
                "{length}"
            );
        }
        let mut outside = bytes.clone();
        outside[HEADER + 32 + 7] = 1;
        assert_eq!(PackIndex::from_bytes(&outside), None);
        let mut marked = bytes.clone();
        *marked.last_mut().unwrap() = 1;
        assert_eq!(PackIndex::from_bytes(&marked), None);
        let mut other = bytes;
        other[7] += 1;
        assert_eq!(PackIndex::from_bytes(&other), None);
    }

    /// A tree whose last directory has changed since it was checked.
    fn decayed() -> Tree {
        let (_, mut pack, index) = sample();
        *pack.last_mut().unwrap() ^= 1;
        Tree::from_checked_pack(Arc::new(pack), index).unwrap()
    }

    #[test]
    #[should_panic(expected = "has decayed")]
    fn bytes_that_changed_after_the_check_are_noticed() {
        decayed().dir().entries();
    }

    #[test]
    #[should_panic(expected = "has decayed")]
    fn and_so_they_are_at_a_glimpse() {
        let _ = decayed().dir().glimpse::<()>(&mut |_| Ok(()));
    }

    #[test]
    fn a_glimpse_shows_what_entries_are() {
        let (sample, pack, index) = sample();
        let read = Tree::from_checked_pack(Arc::new(pack), index).unwrap();
        let names = |tree: &Tree| {
            let mut names = Vec::new();
            let _ = tree.dir().glimpse::<()>(&mut |seen| {
                names.push((seen.name.to_vec(), seen.dir.map(Dir::digest)));
                Ok(())
            });
            names
        };
        assert_eq!(names(&read), names(&sample));
    }
}
