//! The times object: the mtimes of a tree or layer, which its digest leaves out (docs/formats.md, "Trees").

use std::sync::Arc;

use wharf_oci::Digest;

use crate::{
    dir::DirRole,
    entry::{Entry, Mtime, Node},
    tree::{Layer, TimesDigest, Tree},
};

/// First bytes of a times object; the last is the version of the format.
const MAGIC: &[u8; 8] = b"whrftim\x01";
/// Seconds (i64) and nanoseconds (u32), little-endian.
const RECORD: usize = 12;

/// A times object that does not fit its tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimesError {
    /// Not a times object, or of another version.
    #[error("not a times object of a known version")]
    Magic,
    /// It has fewer or more times than the tree has entries.
    #[error("the times object is of another tree: it has {bytes} bytes")]
    Count {
        /// Its length.
        bytes: usize,
    },
    /// Not below a second.
    #[error("{0} nanoseconds are a second or more")]
    Nanos(u32),
}

/// The times object of everything at and below `root`, which comes first, then in the order of names, what is below a
/// directory after it. Whiteouts and structural directories have no time.
pub fn encode(root: &Entry) -> Vec<u8> {
    let below = root.node.as_dir().map_or(0, |dir| dir.summary().timed);
    let mut out = Vec::with_capacity(MAGIC.len() + RECORD * (below as usize + 1));
    out.extend_from_slice(MAGIC);
    put(&mut out, root);
    out
}

/// Sets all times at and below `root` from a times object. Digests stay as they are. A times object that does not fit changes
/// nothing.
pub fn apply(root: &mut Entry, times: Vec<u8>) -> Result<(), TimesError> {
    let below = root.node.as_dir().map_or(0, |dir| dir.summary().timed);
    let mut records = Records::new(times, below + u64::from(is_timed(root)))?;
    root.set_times(&mut records);
    Ok(())
}

impl Tree {
    /// The times object and its name.
    pub fn times(&self) -> (TimesDigest, Vec<u8>) {
        named(encode(&self.root))
    }

    /// Sets all times from a times object of this tree.
    pub fn apply_times(&mut self, times: impl Into<Vec<u8>>) -> Result<(), TimesError> {
        apply(&mut self.root, times.into())
    }
}

impl Layer {
    /// The times object and its name.
    pub fn times(&self) -> (TimesDigest, Vec<u8>) {
        named(encode(&self.root))
    }

    /// Sets all times from a times object of this layer.
    pub fn apply_times(&mut self, times: impl Into<Vec<u8>>) -> Result<(), TimesError> {
        apply(&mut self.root, times.into())
    }
}

fn named(times: Vec<u8>) -> (TimesDigest, Vec<u8>) {
    (TimesDigest(Digest::of(&times)), times)
}

const fn is_timed(entry: &Entry) -> bool {
    !matches!(entry.node, Node::Whiteout | Node::Dir(_, DirRole::Structural))
}

fn put(out: &mut Vec<u8>, entry: &Entry) {
    if is_timed(entry) {
        out.extend_from_slice(&entry.mtime.secs.to_le_bytes());
        out.extend_from_slice(&entry.mtime.nanos.to_le_bytes());
    }
    if let Node::Dir(dir, _) = &entry.node {
        dir.entries().values().for_each(|entry| put(out, entry));
    }
}

impl Entry {
    /// Sets the times of this and all below, of which `times` has enough.
    pub(crate) fn set_times(&mut self, times: &mut Records) {
        if is_timed(self) {
            self.mtime = times.next();
        }
        if let Node::Dir(dir, _) = &mut self.node
            && dir.summary().timed > 0
        {
            Arc::make_mut(dir).set_times(times);
        }
    }
}

/// Checked records of a times object, from one place on.
#[derive(Debug, Clone)]
pub(crate) struct Records {
    /// The times object.
    times: Arc<Vec<u8>>,
    next: usize,
}

impl Records {
    /// The records of a times object that has `count` of them.
    fn new(times: Vec<u8>, count: u64) -> Result<Self, TimesError> {
        let records = times.strip_prefix(MAGIC).ok_or(TimesError::Magic)?;
        let (each, rest) = records.as_chunks::<RECORD>();
        if each.len() as u64 != count || !rest.is_empty() {
            return Err(TimesError::Count { bytes: times.len() });
        }
        for nanos in each.iter().map(|record| mtime(record).nanos) {
            if nanos >= 1_000_000_000 {
                return Err(TimesError::Nanos(nanos));
            }
        }
        Ok(Self {
            times: Arc::new(times),
            next: 0,
        })
    }

    /// The next time, which is there.
    pub(crate) fn next(&mut self) -> Mtime {
        let start = MAGIC.len() + self.next * RECORD;
        self.next += 1;
        mtime(self.times[start..].first_chunk().expect("they were counted"))
    }

    /// The next `count` of them, which are passed.
    pub(crate) fn split(&mut self, count: u64) -> Self {
        let split = self.clone();
        self.next += usize::try_from(count).expect("they are in memory");
        split
    }

    /// Whether both are the same place of one object.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.times, &other.times) && self.next == other.next
    }
}

fn mtime(record: &[u8; RECORD]) -> Mtime {
    let [secs @ .., n0, n1, n2, n3] = *record;
    Mtime {
        secs: i64::from_le_bytes(secs),
        nanos: u32::from_le_bytes([n0, n1, n2, n3]),
    }
}
