//! The times object: the mtimes of a tree or layer, which its digest leaves out (docs/formats.md, "Trees").

use std::{collections::BTreeMap, sync::Arc};

use wharf_oci::Digest;

use crate::{
    dir::{Dir, DirRole},
    entry::{Entry, Mtime, Node},
    path::Name,
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
    let below = root.node.as_dir().map_or(0, |dir| dir.summary().entries);
    let mut out = Vec::with_capacity(MAGIC.len() + RECORD * (below as usize + 1));
    out.extend_from_slice(MAGIC);
    put(&mut out, root);
    out
}

/// Sets all times at and below `root` from a times object. Digests stay as they are. `root` is changed even when this
/// fails.
pub fn apply(root: &mut Entry, times: &[u8]) -> Result<(), TimesError> {
    let records = times.strip_prefix(MAGIC).ok_or(TimesError::Magic)?;
    let mut left = Records {
        left: records,
        bytes: times.len(),
    };
    left.set(root)?;
    if left.left.is_empty() {
        Ok(())
    } else {
        Err(left.count())
    }
}

impl Tree {
    /// The times object and its name.
    pub fn times(&self) -> (TimesDigest, Vec<u8>) {
        named(encode(&self.root))
    }

    /// Sets all times from a times object. After a failure the tree's times mean nothing.
    pub fn apply_times(&mut self, times: &[u8]) -> Result<(), TimesError> {
        apply(&mut self.root, times)
    }
}

impl Layer {
    /// The times object and its name.
    pub fn times(&self) -> (TimesDigest, Vec<u8>) {
        named(encode(&self.root))
    }

    /// Sets all times from a times object. After a failure the layer's times mean nothing.
    pub fn apply_times(&mut self, times: &[u8]) -> Result<(), TimesError> {
        apply(&mut self.root, times)
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

struct Records<'t> {
    left: &'t [u8],
    bytes: usize,
}

impl Records<'_> {
    const fn count(&self) -> TimesError {
        TimesError::Count { bytes: self.bytes }
    }

    fn next(&mut self) -> Result<Mtime, TimesError> {
        let (record, rest) = self
            .left
            .split_first_chunk::<RECORD>()
            .ok_or_else(|| self.count())?;
        self.left = rest;
        let [secs @ .., n0, n1, n2, n3] = *record;
        let nanos = u32::from_le_bytes([n0, n1, n2, n3]);
        if nanos >= 1_000_000_000 {
            return Err(TimesError::Nanos(nanos));
        }
        Ok(Mtime {
            secs: i64::from_le_bytes(secs),
            nanos,
        })
    }

    fn set(&mut self, entry: &mut Entry) -> Result<(), TimesError> {
        if is_timed(entry) {
            entry.mtime = self.next()?;
        }
        match &mut entry.node {
            Node::Dir(dir, _) if !dir.entries().is_empty() => self.set_below(dir),
            _ => Ok(()),
        }
    }

    /// Equal directories are shared after decoding; those get their own times here.
    fn set_below(&mut self, dir: &mut Arc<Dir>) -> Result<(), TimesError> {
        let entries: &mut BTreeMap<Name, Entry> = Arc::make_mut(dir).times_mut();
        entries.values_mut().try_for_each(|entry| self.set(entry))
    }
}
