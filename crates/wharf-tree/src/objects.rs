//! The directories of a pack: their bytes, and their entries, made when somebody looks at them.
//!
//! A step looks at few of the directories of its root, and to make every entry of a large base takes longer than a build in
//! which nothing has to run.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt, io,
    ops::Range,
    sync::{Arc, OnceLock},
};

use wharf_oci::Digest;

use crate::{
    decode::{RawEntries, RawEntry, RawNode},
    dir::{Dir, Glimpse, Summary},
    encode,
    entry::{Entry, Mtime},
    path::Name,
    times::Records,
};

/// Where a pack lies that was checked before. Parts of it are read when they are wanted.
pub trait PackFile: fmt::Debug + Send + Sync {
    /// The bytes in this range.
    fn read(&self, range: Range<usize>) -> io::Result<Vec<u8>>;
}

impl PackFile for Vec<u8> {
    fn read(&self, range: Range<usize>) -> io::Result<Self> {
        let part = self.get(range).ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(part.to_vec())
    }
}

/// The directory objects of one pack.
#[derive(Debug)]
pub(crate) struct Objects {
    pack: Pack,
    /// Of the pack, in bytes.
    length: usize,
    /// Sorted by digest.
    each: Vec<Object>,
}

/// The bytes of a pack.
#[derive(Debug)]
enum Pack {
    /// All of them have been checked.
    Checked(Arc<Vec<u8>>),
    /// They were checked once. Each object is hashed when somebody looks at it, or all at once when somebody looks at many.
    Known {
        file: Arc<dyn PackFile>,
        whole: OnceLock<Vec<u8>>,
    },
}

/// Where an object is in its pack, and what was found when it was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) digest: Digest,
    pub(crate) bytes: Range<usize>,
    pub(crate) summary: Summary,
}

impl Object {
    /// # Panics
    ///
    /// When these bytes are not its own: the disk has changed what was checked, or cannot read it any more. Nothing could be made of
    /// them, and to go on with something else would be worse.
    fn check(&self, bytes: &[u8]) {
        assert!(
            Digest::of(bytes) == self.digest,
            "the directory {} has decayed in the store: `wharf store verify` removes it, and it is made anew",
            self.digest
        );
    }
}

impl Objects {
    /// Those that a check of all bytes of `pack` has found.
    pub(crate) fn checked(pack: &Arc<Vec<u8>>, each: Vec<Object>) -> Self {
        Self::new(Pack::Checked(Arc::clone(pack)), pack.len(), each)
    }

    /// Those that an earlier check has found.
    pub(crate) fn known(file: Arc<dyn PackFile>, length: usize, each: Vec<Object>) -> Self {
        let whole = OnceLock::new();
        Self::new(Pack::Known { file, whole }, length, each)
    }

    fn new(pack: Pack, length: usize, mut each: Vec<Object>) -> Self {
        if !each.is_sorted_by_key(|object| object.digest) {
            each.sort_unstable_by_key(|object| object.digest);
        }
        Self { pack, length, each }
    }

    /// All of them, sorted by digest.
    pub(crate) fn each(&self) -> &[Object] {
        &self.each
    }

    /// The length of the pack in bytes.
    pub(crate) const fn pack_length(&self) -> usize {
        self.length
    }

    /// The length of what comes before the objects: it ends where the first of them has its length.
    pub(crate) fn head_length(&self) -> usize {
        let first = self
            .each
            .iter()
            .map(|object| &object.bytes)
            .min_by_key(|bytes| bytes.start);
        first.map_or(self.length, |bytes| {
            bytes.start - encode::varint_length(bytes.len())
        })
    }

    fn find(&self, digest: &Digest) -> Option<usize> {
        self.each
            .binary_search_by_key(digest, |object| object.digest)
            .ok()
    }

    /// The bytes of an object, which are its own.
    fn bytes(&self, index: usize) -> Cow<'_, [u8]> {
        let object = &self.each[index];
        let range = object.bytes.clone();
        match &self.pack {
            Pack::Checked(pack) => Cow::Borrowed(&pack[range]),
            Pack::Known { file, whole } => match whole.get() {
                Some(whole) => Cow::Borrowed(&whole[range]),
                None => {
                    let bytes = file.read(range).unwrap_or_default();
                    object.check(&bytes);
                    Cow::Owned(bytes)
                }
            },
        }
    }

    /// Reads all that is not here yet, for somebody who looks at all of it.
    fn read_whole(&self) {
        let Pack::Known { file, whole } = &self.pack else {
            return;
        };
        whole.get_or_init(|| {
            let bytes = file.read(0..self.length).unwrap_or_default();
            for object in &self.each {
                object.check(bytes.get(object.bytes.clone()).unwrap_or_default());
            }
            bytes
        });
    }
}

/// Where a directory that nobody has looked at yet has its entries.
#[derive(Debug, Clone)]
pub(crate) struct Packed {
    objects: Arc<Objects>,
    index: u32,
    times: Option<Records>,
}

impl Packed {
    /// The directory of this digest, to which something refers; without times, which are zero then.
    pub(crate) fn new(objects: &Arc<Objects>, digest: &Digest) -> Self {
        Self::find(objects, digest).expect("what is referred to was found before")
    }

    /// The directory of this digest, if the pack has it.
    pub(crate) fn find(objects: &Arc<Objects>, digest: &Digest) -> Option<Self> {
        Some(Self {
            index: u32::try_from(objects.find(digest)?).ok()?,
            objects: Arc::clone(objects),
            times: None,
        })
    }

    /// All directories of its pack.
    pub(crate) fn objects(&self) -> &Objects {
        &self.objects
    }

    /// The same with the times of all entries, this directory's first.
    pub(crate) fn with_times(&self, times: Records) -> Self {
        Self {
            times: Some(times),
            ..self.clone()
        }
    }

    /// Whether both are the same bytes, times included.
    pub(crate) fn is(&self, other: &Self) -> bool {
        let same = Arc::ptr_eq(&self.objects, &other.objects) && self.index == other.index;
        same && match (&self.times, &other.times) {
            (None, None) => true,
            (Some(times), Some(others)) => times.is(others),
            _ => false,
        }
    }

    pub(crate) fn digest(&self) -> Digest {
        self.object().digest
    }

    pub(crate) fn summary(&self) -> Summary {
        self.object().summary
    }

    fn object(&self) -> &Object {
        &self.objects.each[self.index as usize]
    }

    fn bytes(&self) -> Cow<'_, [u8]> {
        self.objects.bytes(self.index as usize)
    }

    /// As [`Dir::glimpse`].
    pub(crate) fn glimpse<E>(&self, visit: &mut dyn FnMut(Glimpse<'_>) -> Result<(), E>) -> Result<(), E> {
        self.objects.read_whole();
        for (name, entry) in raw_entries(&self.bytes()) {
            let (dir, size) = match entry.node {
                RawNode::Dir(digest, _) => (Some(Dir::packed(Self::new(&self.objects, &digest))), None),
                RawNode::File { size, .. } => (None, Some(size)),
                _ => (None, None),
            };
            visit(Glimpse {
                name,
                uid: entry.uid,
                gid: entry.gid,
                size,
                dir: dir.as_ref(),
            })?;
        }
        Ok(())
    }

    /// The entries, with what lies below them still packed.
    pub(crate) fn entries(&self) -> BTreeMap<Name, Entry> {
        let mut times = self.times.clone();
        let bytes = self.bytes();
        let entries = raw_entries(&bytes).map(|(name, entry)| {
            let name = Name::new(name).expect("every name was checked");
            (name, self.entry(entry, times.as_mut()))
        });
        entries.collect()
    }

    fn entry(&self, entry: RawEntry<'_>, mut times: Option<&mut Records>) -> Entry {
        let mtime = match &mut times {
            Some(times) if entry.is_timed() => times.next(),
            _ => Mtime::default(),
        };
        entry.to_entry(mtime, |digest| {
            let mut below = Self::new(&self.objects, digest);
            if let Some(times) = times {
                below.times = Some(times.split(below.summary().timed));
            }
            Arc::new(Dir::packed(below))
        })
    }
}

fn raw_entries(object: &[u8]) -> impl Iterator<Item = (&[u8], RawEntry<'_>)> {
    RawEntries::new(object).map(|entry| entry.expect("every object was checked"))
}
