//! The directories of a pack: their bytes, and their entries, made when somebody looks at them.
//!
//! A step looks at few of the directories of its root, and to make every entry of a large base takes longer than a build in
//! which nothing has to run.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use wharf_oci::Digest;

use crate::{
    decode::{RawEntries, RawEntry, RawNode},
    dir::{Dir, Glimpse, Summary},
    entry::{Entry, Mtime},
    path::Name,
    times::Records,
};

/// The directory objects of one pack.
#[derive(Debug)]
pub(crate) struct Objects {
    pack: Arc<Vec<u8>>,
    /// Sorted by digest.
    each: Vec<Object>,
    /// Whether the bytes of all of them have been checked. If not, those of each are when somebody looks at it.
    checked: bool,
}

/// Where an object is in its pack, and what was found when it was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) digest: Digest,
    pub(crate) bytes: Range<usize>,
    pub(crate) summary: Summary,
}

impl Objects {
    /// Those that a check of all bytes of `pack` has found.
    pub(crate) fn checked(pack: &Arc<Vec<u8>>, each: Vec<Object>) -> Self {
        Self::new(pack, each, true)
    }

    /// Those that an earlier check has found.
    pub(crate) fn known(pack: &Arc<Vec<u8>>, each: Vec<Object>) -> Self {
        Self::new(pack, each, false)
    }

    fn new(pack: &Arc<Vec<u8>>, mut each: Vec<Object>, checked: bool) -> Self {
        if !each.is_sorted_by_key(|object| object.digest) {
            each.sort_unstable_by_key(|object| object.digest);
        }
        Self {
            pack: Arc::clone(pack),
            each,
            checked,
        }
    }

    /// All of them, sorted by digest.
    pub(crate) fn each(&self) -> &[Object] {
        &self.each
    }

    /// The length of the pack in bytes.
    pub(crate) fn pack_length(&self) -> usize {
        self.pack.len()
    }

    fn find(&self, digest: &Digest) -> Option<usize> {
        self.each
            .binary_search_by_key(digest, |object| object.digest)
            .ok()
    }

    /// The bytes of an object, which are its own.
    ///
    /// # Panics
    ///
    /// When they are not: the disk has changed what was checked. Nothing could be made of them, and to go on with something else would be
    /// worse.
    fn bytes(&self, index: usize) -> &[u8] {
        let object = &self.each[index];
        let bytes = &self.pack[object.bytes.clone()];
        assert!(
            self.checked || Digest::of(bytes) == object.digest,
            "the directory {} has decayed in the store: `wharf store verify` removes it, and it is made anew",
            object.digest
        );
        bytes
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

    fn raw_entries(&self) -> impl Iterator<Item = (&[u8], RawEntry<'_>)> {
        let object = self.objects.bytes(self.index as usize);
        RawEntries::new(object).map(|entry| entry.expect("every object was checked"))
    }

    /// As [`Dir::glimpse`].
    pub(crate) fn glimpse<E>(&self, visit: &mut dyn FnMut(Glimpse<'_>) -> Result<(), E>) -> Result<(), E> {
        for (name, entry) in self.raw_entries() {
            let dir = match entry.node {
                RawNode::Dir(digest, _) => Some(Dir::packed(Self::new(&self.objects, &digest))),
                _ => None,
            };
            visit(Glimpse {
                name,
                uid: entry.uid,
                gid: entry.gid,
                dir: dir.as_ref(),
            })?;
        }
        Ok(())
    }

    /// The entries, with what lies below them still packed.
    pub(crate) fn entries(&self) -> BTreeMap<Name, Entry> {
        let mut times = self.times.clone();
        let entries = self.raw_entries().map(|(name, entry)| {
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
