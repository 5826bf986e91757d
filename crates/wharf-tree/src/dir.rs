//! A directory: sorted names and their entries, with its digest computed once.

use std::{collections::BTreeMap, fmt, sync::OnceLock};

use wharf_oci::Digest;

use crate::{
    encode,
    entry::{Entry, Node},
    path::Name,
};

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

/// A directory of a tree. Shared by `Arc`: to change one, `Arc::make_mut` it and use [`Dir::entries_mut`]; untouched
/// children stay shared.
#[derive(Clone, Default)]
pub struct Dir {
    entries: BTreeMap<Name, Entry>,
    digest: OnceLock<Digest>,
    summary: OnceLock<Summary>,
}

/// What holds for a directory and all below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Entries at all levels, each counted as often as it appears.
    pub entries: u64,
    /// Levels of directories, this one included.
    pub height: u32,
    /// Something has an extended attribute.
    pub xattrs: bool,
    /// Something has a POSIX access control list.
    pub acls: bool,
    /// There is a whiteout, or a directory that is structural or opaque.
    pub partial: bool,
}

impl Dir {
    /// A directory of these entries.
    pub fn new(entries: BTreeMap<Name, Entry>) -> Self {
        Self {
            entries,
            ..Self::default()
        }
    }

    /// Names and entries, sorted by the bytes of the name.
    pub const fn entries(&self) -> &BTreeMap<Name, Entry> {
        &self.entries
    }

    /// The entries for changing; forgets what was computed from them.
    pub fn entries_mut(&mut self) -> &mut BTreeMap<Name, Entry> {
        self.digest = OnceLock::new();
        self.summary = OnceLock::new();
        &mut self.entries
    }

    /// The entries for changing what is in no digest: their times, and nothing else.
    pub(crate) const fn times_mut(&mut self) -> &mut BTreeMap<Name, Entry> {
        &mut self.entries
    }

    /// The entry called `name`.
    pub fn get(&self, name: &[u8]) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// What holds for all below; computed once.
    pub fn summary(&self) -> Summary {
        *self.summary.get_or_init(|| {
            let start = Summary {
                height: 1,
                ..Summary::default()
            };
            self.entries.values().fold(start, Summary::with)
        })
    }

    /// SHA-256 of this directory's canonical bytes; computed once.
    pub fn digest(&self) -> Digest {
        *self.digest.get_or_init(|| Digest::of(&encode::object(self)))
    }

    /// Says what [`Dir::digest`] is, which the caller has computed from this directory's canonical bytes.
    pub(crate) fn with_digest(self, digest: Digest) -> Self {
        Self {
            digest: OnceLock::from(digest),
            ..self
        }
    }
}

impl Summary {
    /// This and one more entry.
    fn with(mut self, entry: &Entry) -> Self {
        self.entries = self.entries.saturating_add(1);
        self.xattrs |= entry.attrs.xattrs.is_some();
        self.acls |= entry.attrs.has_acl();
        match &entry.node {
            Node::Dir(dir, role) => {
                let below = dir.summary();
                self.entries = self.entries.saturating_add(below.entries);
                self.height = self.height.max(below.height + 1);
                self.xattrs |= below.xattrs;
                self.acls |= below.acls;
                self.partial |= below.partial || *role != DirRole::Full;
            }
            Node::Whiteout => self.partial = true,
            _ => {}
        }
        self
    }
}

impl fmt::Debug for Dir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.entries).finish()
    }
}

/// Times included: two directories are equal when nothing at all differs.
impl PartialEq for Dir {
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries
    }
}

impl Eq for Dir {}
