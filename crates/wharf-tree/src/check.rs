//! The check of a pack: every byte of its directory objects, each of which is hashed once.

use std::{collections::HashMap, sync::Arc};

use wharf_oci::Digest;

use crate::{
    decode::{Cursor, DecodeError, RawEntries, RawEntry, RawNode},
    dir::{Part, Summary},
    objects::{Object, Objects},
    pack::{MAX_ENTRIES, MAX_HEIGHT},
};

/// What a check has found so far: children come before parents.
#[derive(Debug, Default)]
pub(crate) struct Check {
    found: Vec<Object>,
    by_digest: HashMap<Digest, Found>,
}

#[derive(Debug)]
struct Found {
    summary: Summary,
    /// Something has referred to it.
    used: bool,
}

impl Check {
    /// Checks the objects of `pack` from `start` to its end, each after its length. Every rule is checked but that all of them are
    /// referred to.
    pub(crate) fn read(pack: &[u8], start: usize) -> Result<Self, DecodeError> {
        let mut check = Self::default();
        let mut cursor = Cursor(&pack[start..]);
        while !cursor.0.is_empty() {
            let object = cursor.bytes(0..=usize::MAX, "length")?;
            check.add(object, pack.len() - cursor.0.len())?;
        }
        Ok(check)
    }

    /// The objects, if there is none that nobody refers to.
    pub(crate) fn finish(self, pack: &Arc<Vec<u8>>) -> Result<Objects, DecodeError> {
        let unused = self
            .found
            .iter()
            .find(|object| !self.by_digest[&object.digest].used);
        match unused {
            Some(object) => Err(DecodeError::Superfluous(object.digest)),
            None => Ok(Objects::checked(pack, self.found)),
        }
    }

    /// Notes that something refers to the directory of this digest.
    pub(crate) fn refer(&mut self, digest: &Digest) -> Result<Summary, DecodeError> {
        let found = self
            .by_digest
            .get_mut(digest)
            .ok_or(DecodeError::Missing(*digest))?;
        found.used = true;
        Ok(found.summary)
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
        if u32::try_from(self.found.len()).is_err() {
            return Err(DecodeError::Range("count of objects"));
        }
        let found = Found { summary, used: false };
        if self.by_digest.insert(digest, found).is_some() {
            return Err(DecodeError::Superfluous(digest));
        }
        self.found.push(Object {
            bytes: end - bytes.len()..end,
            digest,
            summary,
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
}
