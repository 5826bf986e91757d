//! A directory: sorted names and their entries, with its digest computed once.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, OnceLock},
};

use wharf_oci::Digest;

use crate::{
    encode,
    entry::{Entry, Node},
    index::PackIndex,
    objects::Packed,
    path::Name,
    times::Records,
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
/// children stay shared. One that comes out of a pack makes its entries when they are first asked for.
#[derive(Clone, Default)]
pub struct Dir {
    entries: OnceLock<BTreeMap<Name, Entry>>,
    /// Where the entries are, as long as nobody may have changed them.
    packed: Option<Packed>,
    digest: OnceLock<Digest>,
    summary: OnceLock<Summary>,
}

/// What holds for a directory and all below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Entries at all levels, each counted as often as it appears.
    pub entries: u64,
    /// Those of them that have a time: all but whiteouts and structural directories.
    pub timed: u64,
    /// Levels of directories, this one included.
    pub height: u32,
    /// Something has an extended attribute.
    pub xattrs: bool,
    /// Something has a POSIX access control list.
    pub acls: bool,
    /// There is a whiteout, or a directory that is structural or opaque.
    pub partial: bool,
}

/// What one entry has to do with the [`Summary`] of its directory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    pub(crate) xattrs: bool,
    pub(crate) acls: bool,
    pub(crate) whiteout: bool,
    pub(crate) dir: Option<(Summary, DirRole)>,
}

/// A little of an entry.
#[derive(Debug, Clone, Copy)]
pub struct Glimpse<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes, if it is a regular file.
    pub size: Option<u64>,
    /// If it is a directory.
    pub dir: Option<&'a Dir>,
}

impl<'a> Glimpse<'a> {
    fn of(name: &'a Name, entry: &'a Entry) -> Self {
        Self {
            name: name.as_bytes(),
            uid: entry.attrs.uid,
            gid: entry.attrs.gid,
            size: match entry.node {
                Node::File { size, .. } => Some(size),
                _ => None,
            },
            dir: entry.node.as_dir().map(AsRef::as_ref),
        }
    }
}

impl Dir {
    /// A directory of these entries.
    pub fn new(entries: BTreeMap<Name, Entry>) -> Self {
        Self {
            entries: OnceLock::from(entries),
            ..Self::default()
        }
    }

    /// A directory whose entries nobody has looked at.
    pub(crate) fn packed(packed: Packed) -> Self {
        Self {
            entries: OnceLock::new(),
            digest: OnceLock::from(packed.digest()),
            summary: OnceLock::from(packed.summary()),
            packed: Some(packed),
        }
    }

    /// Names and entries, sorted by the bytes of the name.
    pub fn entries(&self) -> &BTreeMap<Name, Entry> {
        self.entries
            .get_or_init(|| self.packed.as_ref().map(Packed::entries).unwrap_or_default())
    }

    /// What the check of its pack found, if it comes out of one and nobody may have changed it.
    pub(crate) fn pack_index(&self) -> Option<PackIndex> {
        self.packed.as_ref().map(|packed| PackIndex::of(packed.objects()))
    }

    /// The entries for changing; forgets what was computed from them.
    pub fn entries_mut(&mut self) -> &mut BTreeMap<Name, Entry> {
        self.digest = OnceLock::new();
        self.summary = OnceLock::new();
        self.times_mut()
    }

    /// The entries for changing what is in no digest: their times, and nothing else.
    pub(crate) fn times_mut(&mut self) -> &mut BTreeMap<Name, Entry> {
        self.entries();
        self.packed = None;
        self.entries.get_mut().expect("they were made just now")
    }

    /// Sets the times of all entries at all levels, of which `times` has enough. Equal directories are shared after decoding;
    /// those get their own times here.
    pub(crate) fn set_times(&mut self, times: &mut Records) {
        if self.entries.get().is_none()
            && let Some(packed) = &self.packed
        {
            self.packed = Some(packed.with_times(times.split(packed.summary().timed)));
            return;
        }
        for entry in self.times_mut().values_mut() {
            entry.set_times(times);
        }
    }

    /// Whether both are known to be the same without a look at them, times included.
    pub(crate) fn is(self: &Arc<Self>, other: &Arc<Self>) -> bool {
        let same = |packed: &Packed| other.packed.as_ref().is_some_and(|others| packed.is(others));
        Arc::ptr_eq(self, other) || self.packed.as_ref().is_some_and(same)
    }

    /// The entry called `name`.
    pub fn get(&self, name: &[u8]) -> Option<&Entry> {
        self.entries().get(name)
    }

    /// Tells `visit` about every entry, in order, without making the entries of a directory that nobody has looked at.
    pub fn glimpse<E>(&self, visit: &mut dyn FnMut(Glimpse<'_>) -> Result<(), E>) -> Result<(), E> {
        match (self.entries.get(), &self.packed) {
            (None, Some(packed)) => packed.glimpse(visit),
            _ => self
                .entries()
                .iter()
                .try_for_each(|(name, entry)| visit(Glimpse::of(name, entry))),
        }
    }

    /// What holds for all below; computed once.
    pub fn summary(&self) -> Summary {
        *self.summary.get_or_init(|| {
            let mut summary = Summary::EMPTY;
            for entry in self.entries().values() {
                summary.add(Part::of(entry));
            }
            summary
        })
    }

    /// SHA-256 of this directory's canonical bytes; computed once.
    pub fn digest(&self) -> Digest {
        *self.digest.get_or_init(|| Digest::of(&encode::object(self)))
    }
}

impl Summary {
    /// Of a directory without entries.
    pub(crate) const EMPTY: Self = Self {
        entries: 0,
        timed: 0,
        height: 1,
        xattrs: false,
        acls: false,
        partial: false,
    };

    /// Adds one more entry.
    pub(crate) fn add(&mut self, part: Part) {
        let structural = matches!(part.dir, Some((_, DirRole::Structural)));
        self.entries = self.entries.saturating_add(1);
        self.timed = self
            .timed
            .saturating_add(u64::from(!part.whiteout && !structural));
        self.xattrs |= part.xattrs;
        self.acls |= part.acls;
        self.partial |= part.whiteout;
        if let Some((below, role)) = part.dir {
            self.entries = self.entries.saturating_add(below.entries);
            self.timed = self.timed.saturating_add(below.timed);
            self.height = self.height.max(below.height + 1);
            self.xattrs |= below.xattrs;
            self.acls |= below.acls;
            self.partial |= below.partial || role != DirRole::Full;
        }
    }
}

impl Part {
    fn of(entry: &Entry) -> Self {
        Self {
            xattrs: entry.attrs.xattrs.is_some(),
            acls: entry.attrs.has_acl(),
            whiteout: entry.node == Node::Whiteout,
            dir: match &entry.node {
                Node::Dir(dir, role) => Some((dir.summary(), *role)),
                _ => None,
            },
        }
    }
}

impl fmt::Debug for Dir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.entries()).finish()
    }
}

/// Times included: two directories are equal when nothing at all differs.
impl PartialEq for Dir {
    fn eq(&self, other: &Self) -> bool {
        match (&self.packed, &other.packed) {
            (Some(packed), Some(others)) if packed.is(others) => true,
            _ => self.entries() == other.entries(),
        }
    }
}

impl Eq for Dir {}
