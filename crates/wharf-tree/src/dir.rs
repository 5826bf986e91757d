//! A directory: sorted names and their entries, with its digest computed once.

use std::{collections::BTreeMap, sync::OnceLock};

use wharf_oci::Digest;

use crate::{entry::Entry, path::Name};

/// What a directory's entry in a *layer* says about the directory below it. In a tree, all are [`DirRole::Full`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DirRole {
    /// Its attributes count; its children are merged with those below.
    #[default]
    Full,
    /// It has no attributes of its own (they are zero) and takes those of the directory below; children are merged.
    Structural,
    /// Its attributes count; it hides the children below.
    Opaque,
}

/// An immutable directory. Clone its map, change that and make a new one; untouched children are shared.
#[derive(Debug, Clone, Default)]
pub struct Dir {
    entries: BTreeMap<Name, Entry>,
    digest: OnceLock<Digest>,
}

impl Dir {
    /// A directory of these entries.
    pub fn new(entries: BTreeMap<Name, Entry>) -> Self {
        Self {
            entries,
            digest: OnceLock::new(),
        }
    }

    /// Names and entries, sorted by the bytes of the name.
    pub const fn entries(&self) -> &BTreeMap<Name, Entry> {
        &self.entries
    }

    /// The entry called `name`.
    pub fn get(&self, name: &[u8]) -> Option<&Entry> {
        self.entries.get(name)
    }
}

/// Times included: two directories are equal when nothing at all differs.
impl PartialEq for Dir {
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries
    }
}

impl Eq for Dir {}
