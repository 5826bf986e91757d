//! The directories of a pack: their bytes, all checked at once, and their entries, made when somebody looks at them.
//!
//! A step looks at few of the directories of its root, and to make every entry of a large base takes longer than a build in
//! which nothing has to run.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
    sync::Arc,
};

use wharf_oci::Digest;

use crate::{
    decode::{Cursor, DecodeError, RawEntries, RawEntry, RawNode},
    dir::{Dir, Glimpse, Part, Summary},
    entry::{Entry, Mtime},
    pack::{MAX_ENTRIES, MAX_HEIGHT},
    path::Name,
    times::Records,
};

/// The directory objects of one pack, children before parents.
#[derive(Debug)]
pub(crate) struct Objects {
    pack: Arc<Vec<u8>>,
    each: Vec<Object>,
    by_digest: HashMap<Digest, u32>,
}

#[derive(Debug)]
struct Object {
    /// Where it is in the pack.
    bytes: Range<usize>,
    digest: Digest,
    summary: Summary,
    /// Something has referred to it.
    used: bool,
}

impl Objects {
    /// Those of `pack` from `start` to its end, each after its length. Every rule is checked but that all of them are referred to.
    pub(crate) fn read(pack: &Arc<Vec<u8>>, start: usize) -> Result<Self, DecodeError> {
        let mut objects = Self {
            pack: Arc::clone(pack),
            each: Vec::new(),
            by_digest: HashMap::new(),
        };
        let mut cursor = Cursor(&pack[start..]);
        while !cursor.0.is_empty() {
            let object = cursor.bytes(0..=usize::MAX, "length")?;
            objects.add(object, pack.len() - cursor.0.len())?;
        }
        Ok(objects)
    }

    /// Checks the next object, which ends at `end`.
    fn add(&mut self, bytes: &[u8], end: usize) -> Result<(), DecodeError> {
        let digest = Digest::of(bytes);
        let summary = self.summary(bytes)?;
        if summary.height > MAX_HEIGHT {
            return Err(DecodeError::TooMuch(MAX_HEIGHT.into(), "levels of directories"));
        }
        if summary.entries > MAX_ENTRIES {
            return Err(DecodeError::TooMuch(MAX_ENTRIES, "entries"));
        }
        let index = u32::try_from(self.each.len()).map_err(|_| DecodeError::Range("count of objects"))?;
        if self.by_digest.insert(digest, index).is_some() {
            return Err(DecodeError::Superfluous(digest));
        }
        self.each.push(Object {
            bytes: end - bytes.len()..end,
            digest,
            summary,
            used: false,
        });
        Ok(())
    }

    fn summary(&mut self, object: &[u8]) -> Result<Summary, DecodeError> {
        let mut summary = Summary::EMPTY;
        for entry in RawEntries::new(object) {
            let (_, entry) = entry?;
            let part = self.part(&entry)?;
            summary.add(part);
        }
        Ok(summary)
    }

    fn part(&mut self, entry: &RawEntry<'_>) -> Result<Part, DecodeError> {
        Ok(Part {
            xattrs: entry.has_xattrs(),
            acls: entry.acls,
            whiteout: entry.is_whiteout(),
            dir: match entry.node {
                RawNode::Dir(digest, role) => Some((self.refer(&digest)?, role)),
                _ => None,
            },
        })
    }

    /// Notes that something refers to the directory of this digest.
    pub(crate) fn refer(&mut self, digest: &Digest) -> Result<Summary, DecodeError> {
        let index = self.by_digest.get(digest).ok_or(DecodeError::Missing(*digest))?;
        let object = &mut self.each[*index as usize];
        object.used = true;
        Ok(object.summary)
    }

    /// Whether there is nothing that nobody refers to.
    pub(crate) fn all_used(&self) -> Result<(), DecodeError> {
        match self.each.iter().find(|object| !object.used) {
            None => Ok(()),
            Some(object) => Err(DecodeError::Superfluous(object.digest)),
        }
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
        let index = objects.by_digest.get(digest);
        Self {
            objects: Arc::clone(objects),
            index: *index.expect("what is referred to was found before"),
            times: None,
        }
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
        let object = &self.objects.pack[self.object().bytes.clone()];
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
