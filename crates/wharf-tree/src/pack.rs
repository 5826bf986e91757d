//! Packs: the bytes of a whole tree or layer, every distinct directory once (docs/formats.md, "Trees").

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use wharf_oci::Digest;

use crate::{
    decode::{self, Cursor, DecodeError},
    dir::Dir,
    encode,
    entry::{Entry, Node},
    links::{HardLinks, linkable},
    path::{PATH_MAX, TreePath},
    tree::{Layer, Tree, TreeDigest},
};

/// First bytes of a pack; the last is the version of the format.
const PACK: &[u8; 8] = b"whrfpak\x01";
/// First bytes of a tree's root object.
const TREE: &[u8; 8] = b"whrftre\x01";
/// First bytes of a layer's root object.
const LAYER: &[u8; 8] = b"whrflay\x01";

/// Most levels of directories: a path of [`PATH_MAX`] bytes has no more. Bounds recursion everywhere in this crate.
pub(crate) const MAX_HEIGHT: u32 = (PATH_MAX / 2) as u32;
/// Most entries. The largest images have a tenth of that; a pack of a few hundred bytes, in which each directory holds
/// the next one twice, can claim any number.
pub(crate) const MAX_ENTRIES: u64 = 1 << 24;

impl Tree {
    /// What names this tree. Times do not count. O(changed) after a merge: untouched directories know their digest.
    pub fn digest(&self) -> TreeDigest {
        TreeDigest(Digest::of(&encode::root(TREE, &self.root, &self.links)))
    }

    /// The bytes that a store keeps.
    pub fn to_pack(&self) -> Vec<u8> {
        write(&encode::root(TREE, &self.root, &self.links), self.dir())
    }

    /// Checks and reads a pack. All times are zero until [`Tree::apply_times`].
    pub fn from_pack(pack: &[u8]) -> Result<Self, DecodeError> {
        let (root, links) = read(TREE, "a tree", pack)?;
        if is_partial(&root) {
            return Err(DecodeError::Partial);
        }
        Ok(Self {
            root,
            links: Arc::new(links),
        })
    }
}

impl Layer {
    /// What names this layer. Times do not count.
    pub fn digest(&self) -> TreeDigest {
        TreeDigest(Digest::of(&encode::root(LAYER, &self.root, &self.links)))
    }

    /// The bytes that a store keeps.
    pub fn to_pack(&self) -> Vec<u8> {
        write(&encode::root(LAYER, &self.root, &self.links), self.dir())
    }

    /// Checks and reads a pack. All times are zero until [`Layer::apply_times`].
    pub fn from_pack(pack: &[u8]) -> Result<Self, DecodeError> {
        let (root, links) = read(LAYER, "a layer", pack)?;
        Ok(Self {
            root,
            links: Arc::new(links),
        })
    }
}

fn is_partial(root: &Entry) -> bool {
    match &root.node {
        Node::Dir(dir, role) => *role != crate::DirRole::Full || dir.summary().partial,
        _ => true,
    }
}

fn write(root: &[u8], dir: &Dir) -> Vec<u8> {
    let mut out = PACK.to_vec();
    encode::put_bytes(&mut out, root);
    write_below(&mut out, dir, &mut HashSet::new());
    out
}

/// Children before parents, each directory where it is met first.
fn write_below(out: &mut Vec<u8>, dir: &Dir, written: &mut HashSet<Digest>) {
    if !written.insert(dir.digest()) {
        return;
    }
    for child in dir.entries().values().filter_map(|entry| entry.node.as_dir()) {
        write_below(out, child, written);
    }
    encode::put_bytes(out, &encode::object(dir));
}

/// The root entry and links of a pack whose root object starts with `magic`.
fn read(magic: &[u8; 8], what: &'static str, pack: &[u8]) -> Result<(Entry, HardLinks), DecodeError> {
    let mut cursor = Cursor(pack);
    if cursor.array()? != *PACK {
        return Err(DecodeError::Magic("a pack"));
    }
    let mut root = Cursor(cursor.bytes(0..=usize::MAX, "length")?);
    if root.array()? != *magic {
        return Err(DecodeError::Magic(what));
    }
    let mut objects = Objects::default();
    while !cursor.0.is_empty() {
        objects.add(cursor.bytes(0..=usize::MAX, "length")?)?;
    }
    let (entry, links) = decode::root(root, &mut |digest| objects.child(digest))?;
    objects.all_used()?;
    check_links(&entry, &links)?;
    Ok((entry, links))
}

/// The directories read so far, and whether something has referred to them.
#[derive(Default)]
struct Objects(HashMap<Digest, (Arc<Dir>, bool)>);

impl Objects {
    fn add(&mut self, object: &[u8]) -> Result<(), DecodeError> {
        let digest = Digest::of(object);
        let dir = decode::object(object, &mut |child| self.child(child))?;
        let summary = dir.summary();
        if summary.height > MAX_HEIGHT {
            return Err(DecodeError::TooMuch(MAX_HEIGHT.into(), "levels of directories"));
        }
        if summary.entries > MAX_ENTRIES {
            return Err(DecodeError::TooMuch(MAX_ENTRIES, "entries"));
        }
        match self.0.insert(digest, (Arc::new(dir.with_digest(digest)), false)) {
            None => Ok(()),
            Some(_) => Err(DecodeError::Superfluous(digest)),
        }
    }

    fn child(&mut self, digest: &Digest) -> Result<Arc<Dir>, DecodeError> {
        let (dir, used) = self.0.get_mut(digest).ok_or(DecodeError::Missing(*digest))?;
        *used = true;
        Ok(Arc::clone(dir))
    }

    fn all_used(&self) -> Result<(), DecodeError> {
        match self.0.iter().find(|(_, (_, used))| !used) {
            None => Ok(()),
            Some((digest, _)) => Err(DecodeError::Superfluous(*digest)),
        }
    }
}

/// What [`HardLinks`] promises about the tree below `root`.
fn check_links(root: &Entry, links: &HardLinks) -> Result<(), DecodeError> {
    let mut seen = HashSet::new();
    for group in &links.0 {
        let first = root.below(&group[0]);
        for path in group {
            let entry = root.below(path).filter(|entry| linkable(entry));
            if entry.is_none() || entry != first || !seen.insert(path) {
                return Err(DecodeError::Link(TreePath::clone(path)));
            }
        }
    }
    Ok(())
}
