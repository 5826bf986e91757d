//! Packs: the bytes of a whole tree or layer, every distinct directory once (docs/formats.md, "Trees").

use std::{collections::HashSet, sync::Arc};

use wharf_oci::Digest;

use crate::{
    check::Check,
    decode::{self, Cursor, DecodeError, RawEntry, RawNode},
    dir::Dir,
    encode,
    entry::{Entry, Mtime, Node},
    index::PackIndex,
    links::{HardLinks, linkable},
    objects::{Objects, PackFile, Packed},
    path::{PATH_MAX, TreePath},
    tree::{Layer, Tree, TreeDigest},
};

/// First bytes of a pack; the last is the version of the format.
const PACK: [u8; 8] = *b"whrfpak\x01";
/// First bytes of a tree's root object.
const TREE: [u8; 8] = *b"whrftre\x01";
/// First bytes of a layer's root object.
const LAYER: [u8; 8] = *b"whrflay\x01";

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
    pub fn from_pack(pack: impl Into<Vec<u8>>) -> Result<Self, DecodeError> {
        Self::whole(read(TREE, "a tree", pack.into())?)
    }

    /// Reads a pack that an earlier [`Tree::from_pack`] has checked. Directories are hashed when somebody looks at them.
    pub fn from_checked_pack(pack: Arc<dyn PackFile>, index: PackIndex) -> Result<Self, DecodeError> {
        Self::whole(read_checked(TREE, "a tree", pack, index)?)
    }

    /// What the check of the pack found that this was read from, and nothing has changed since.
    pub fn pack_index(&self) -> Option<PackIndex> {
        self.dir().pack_index()
    }

    fn whole((root, links): (Entry, HardLinks)) -> Result<Self, DecodeError> {
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
    pub fn from_pack(pack: impl Into<Vec<u8>>) -> Result<Self, DecodeError> {
        Ok(Self::of(read(LAYER, "a layer", pack.into())?))
    }

    /// Like [`Tree::from_checked_pack`].
    pub fn from_checked_pack(pack: Arc<dyn PackFile>, index: PackIndex) -> Result<Self, DecodeError> {
        Ok(Self::of(read_checked(LAYER, "a layer", pack, index)?))
    }

    /// Like [`Tree::pack_index`].
    pub fn pack_index(&self) -> Option<PackIndex> {
        self.dir().pack_index()
    }

    fn of((root, links): (Entry, HardLinks)) -> Self {
        Self {
            root,
            links: Arc::new(links),
        }
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

/// The root entry and links of a pack whose root object starts with `magic`. Every byte is checked here; a directory's entries
/// are made of its bytes when somebody looks at them.
fn read(magic: [u8; 8], what: &'static str, pack: Vec<u8>) -> Result<(Entry, HardLinks), DecodeError> {
    let pack = Arc::new(pack);
    let (root, start) = parts(magic, what, &pack)?;
    let mut check = Check::read(&pack, start)?;
    let (entry, links) = decode::root(root)?;
    if let RawNode::Dir(digest, _) = entry.node {
        check.refer(&digest)?;
    }
    let entry = root_entry(entry, check.finish(&pack)?)?;
    check_links(&entry, &links)?;
    Ok((entry, links))
}

/// The same of a pack that [`read`] has checked before.
fn read_checked(
    magic: [u8; 8],
    what: &'static str,
    pack: Arc<dyn PackFile>,
    index: PackIndex,
) -> Result<(Entry, HardLinks), DecodeError> {
    let head = pack.read(0..index.head_length);
    let head = head.map_err(|_| DecodeError::Truncated)?;
    let (root, _) = parts(magic, what, &head)?;
    let (entry, links) = decode::root(root)?;
    let entry = root_entry(entry, Objects::known(pack, index.pack_length, index.objects))?;
    Ok((entry, links))
}

/// What is left of the root object behind its magic, and where the directories start.
fn parts<'p>(magic: [u8; 8], what: &'static str, pack: &'p [u8]) -> Result<(Cursor<'p>, usize), DecodeError> {
    let mut cursor = Cursor(pack);
    if cursor.array()? != PACK {
        return Err(DecodeError::Magic("a pack"));
    }
    let mut root = Cursor(cursor.bytes(0..=usize::MAX, "length")?);
    if root.array()? != magic {
        return Err(DecodeError::Magic(what));
    }
    Ok((root, pack.len() - cursor.0.len()))
}

fn root_entry(entry: RawEntry<'_>, objects: Objects) -> Result<Entry, DecodeError> {
    let objects = Arc::new(objects);
    let dir = match entry.node {
        RawNode::Dir(digest, _) => Packed::find(&objects, &digest).ok_or(DecodeError::Missing(digest))?,
        _ => unreachable!("a root is a directory"),
    };
    Ok(entry.to_entry(Mtime::default(), |_| Arc::new(Dir::packed(dir))))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        DirRole, Name,
        encode::put_bytes,
        testing::{layer, tree},
    };

    /// These bytes are on people's disks: a change is a new version of the format.
    #[test]
    fn golden_digests() {
        let sample = tree(&[
            "bin -> usr/bin",
            "usr/bin/tool file tool @4755",
            "usr/bin/alias = usr/bin/tool",
            "etc/ dir @750:3:300",
            "dev/null dev",
            "run/pipe fifo @600:1000",
            "srv/a/ dir",
            "srv/b/ dir",
        ]);
        let changes = layer(&[
            "etc/conf file c",
            "usr/bin/tool gone",
            "srv/ dir @700",
            "srv/ opaque",
        ]);
        let digests = [
            Tree::empty().digest().to_string(),
            Tree::empty().times().0.to_string(),
            sample.digest().to_string(),
            sample.times().0.to_string(),
            Digest::of(&sample.to_pack()).to_string(),
            Layer::empty().digest().to_string(),
            changes.digest().to_string(),
            changes.times().0.to_string(),
            Digest::of(&changes.to_pack()).to_string(),
        ];
        insta::assert_snapshot!(digests.join("\n"), @"
        sha256:430696b4dcbb00d9110737dedc7affecdd47f63f0ca7ad87fea50c2c6e6f1037
        sha256:964986e81d2ec8b6dd8069b18740fd9b77a7731cb86f9b0c298d745736f21b6e
        sha256:514a6c4691922c08180c0848af90c43b27005ef53ca084746d74ad7674445eb6
        sha256:6c6beecc040a6c228a50e0bf4b69754a5a28e791fb9e9b38eef0ac76b2ec19b5
        sha256:007497dc210316d8dfb91fc840d4e5c54163a32efdc07a8404052c451523ee49
        sha256:73ec5a0dc36211dae2c724685210ff0483489f1d8da8de4eec5a28b524dba0d1
        sha256:5dd0b9ec3caa21500bd1e2f7cdb8f02d72d565683a66c772518fa09796602348
        sha256:bca97b2c5848feaf9c9015e21cb5b594ad018671d36009a77f4b029f0cc387af
        sha256:3ff7329eb20b46ceb3be296a5938593ca68686e4f52eb03bb7a7797ebc28cc04
        ");
    }

    #[test]
    fn equal_directories_are_written_once() {
        let one = tree(&["a/x file 1", "a/y file 2"]).to_pack().len();
        let two = tree(&["a/x file 1", "a/y file 2", "b/x file 1", "b/y file 2"])
            .to_pack()
            .len();
        assert!(two < one + 60, "{one} {two}");
    }

    /// A pack of this root object and these directories.
    fn pack(root: &[u8], objects: &[&[u8]]) -> Vec<u8> {
        let mut pack = PACK.to_vec();
        put_bytes(&mut pack, root);
        for object in objects {
            put_bytes(&mut pack, object);
        }
        pack
    }

    /// A root of mode 0755 whose directory is `object`.
    fn root(magic: [u8; 8], object: &[u8], links: &[u8]) -> Vec<u8> {
        [
            &magic[..],
            &[1, 0xed, 1, 0, 0][..],
            Digest::of(object).as_bytes(),
            links,
        ]
        .concat()
    }

    fn check(object: &[u8], expected: impl Into<Option<DecodeError>>) {
        let found = Tree::from_pack(pack(&root(TREE, object, &[0]), &[object]));
        assert_eq!(found.err(), expected.into(), "{object:?}");
    }

    /// Kind 8, name `a`, mode 0644, 0:0.
    const FIFO: &[u8] = b"\x08\x01a\xa4\x01\0\0";

    #[test]
    fn refuses_what_is_not_canonical() {
        check(FIFO, None);
        check(b"", None);
        check(&FIFO[..6], DecodeError::Truncated);
        check(&[FIFO, FIFO].concat(), DecodeError::Order("names"));
        check(b"\x08\x01a\xa4\x01\x80\0\0", DecodeError::Number);
        check(
            b"\x08\x01a\xa4\x01\xff\xff\xff\xff\x10\0",
            DecodeError::Range("owner"),
        );
        check(b"\x08\x01a\xa4\x11\0\0", DecodeError::Range("mode"));
        check(b"\x0b\x01a\xa4\x01\0\0", DecodeError::Kind(0x0b));
        check(
            b"\x88\x01a\xa4\x01\0\0\0",
            DecodeError::Range("count of extended attributes"),
        );
        check(b"\x8a\x01a", DecodeError::Kind(0x8a));
        check(b"\x0a\x01a", DecodeError::Partial);
        check(b"\x05\x01a\xff\x01\0\0\0", DecodeError::Range("link target"));
        check(b"\x06\x01a\xa4\x01\0\0\x80\x20\0", DecodeError::Range("device"));
        for name in [
            &b"\x08\x01/\xa4\x01\0\0"[..],
            b"\x08\x02..\xa4\x01\0\0",
            b"\x08\0\xa4\x01\0\0",
        ] {
            let refused = Tree::from_pack(pack(&root(TREE, name, &[0]), &[name]));
            assert!(matches!(refused, Err(DecodeError::Name(_))), "{name:?}");
        }
    }

    #[test]
    fn refuses_objects_that_do_not_fit_together() {
        let tree = root(TREE, FIFO, &[0]);
        let read = |pack: &[u8]| Tree::from_pack(pack).map(drop);
        assert_eq!(
            read(&pack(&tree, &[])),
            Err(DecodeError::Missing(Digest::of(FIFO)))
        );
        assert_eq!(
            read(&pack(&tree, &[b"", FIFO])),
            Err(DecodeError::Superfluous(Digest::of(b"")))
        );
        assert_eq!(
            read(&pack(&tree, &[FIFO, FIFO])),
            Err(DecodeError::Superfluous(Digest::of(FIFO)))
        );
        assert_eq!(
            read(&pack(&[&tree[..], b"x"].concat(), &[FIFO])),
            Err(DecodeError::Trailing(1))
        );
        assert_eq!(
            read(&pack(&root(LAYER, FIFO, &[0]), &[FIFO])),
            Err(DecodeError::Magic("a tree"))
        );
        assert_eq!(read(b"whrfpak\x02"), Err(DecodeError::Magic("a pack")));
    }

    #[test]
    fn refuses_hard_links_that_are_none() {
        let path = |path: &str| TreePath::new(path).unwrap();
        for (links, error) in [
            (&[1, 2, 1, b'a', 1, b'b'][..], DecodeError::Link(path("b"))),
            (&[1, 2, 1, b'b', 1, b'a'], DecodeError::Order("hard links")),
            (&[1, 1, 1, b'a'], DecodeError::Range("count of hard links")),
            (&[1, 2, 2, b'a', b'/'], DecodeError::Path(path("a"))),
        ] {
            let read = Tree::from_pack(pack(&root(TREE, FIFO, links), &[FIFO]));
            assert_eq!(read, Err(error));
        }
    }

    /// A directory object with a directory of each name, all of them `below`.
    fn holding(below: &[u8], names: &[u8]) -> Vec<u8> {
        let entry = |name: &u8| [&[1, 1, *name, 0xed, 1, 0, 0][..], Digest::of(below).as_bytes()].concat();
        names.iter().flat_map(entry).collect()
    }

    fn chain(length: u32, names: &[u8]) -> Result<Tree, DecodeError> {
        let mut objects = vec![Vec::new()];
        for _ in 1..length {
            objects.push(holding(objects.last().unwrap(), names));
        }
        let objects: Vec<_> = objects.iter().map(Vec::as_slice).collect();
        Tree::from_pack(pack(&root(TREE, objects.last().unwrap(), &[0]), &objects))
    }

    #[test]
    fn refuses_trees_that_are_too_deep_or_too_many() {
        let deep = chain(MAX_HEIGHT + 1, b"a").map(drop);
        assert_eq!(
            deep,
            Err(DecodeError::TooMuch(MAX_HEIGHT.into(), "levels of directories"))
        );
        assert_eq!(
            chain(25, b"ab").map(drop),
            Err(DecodeError::TooMuch(MAX_ENTRIES, "entries"))
        );
    }

    /// The stack of a test's thread is 2 MiB, as that of any thread.
    #[test]
    fn the_deepest_tree_fits_the_stack() {
        let mut tree = chain(MAX_HEIGHT, b"a").unwrap();
        assert_eq!(Tree::from_pack(tree.to_pack()).unwrap(), tree);
        let times = tree.times().1;
        tree.apply_times(times).unwrap();
        let layer = crate::diff(&Tree::empty(), &tree);
        assert_eq!(
            layer.digest(),
            Layer::from_pack(layer.to_pack()).unwrap().digest()
        );
        assert_eq!(
            crate::merge(&crate::merge(&Tree::empty(), &layer), &layer).digest(),
            tree.digest()
        );
        assert_eq!(
            crate::diff(&tree, &Tree::from_pack(tree.to_pack()).unwrap()),
            Layer::empty()
        );
    }

    #[test]
    fn times_are_beside_the_tree() {
        let mut tree = tree(&["a/x file 1", "b/x file 1"]);
        let digest = tree.digest();
        let (_, mut times) = tree.times();
        assert_eq!(times.len(), 8 + 5 * 12);
        // The second of two equal directories, which decoding shares.
        let last = times.len() - 12;
        times[last] = 99;
        tree = Tree::from_pack(tree.to_pack()).unwrap();
        tree.apply_times(times.clone()).unwrap();
        assert_eq!(tree.digest(), digest);
        let secs = |path: &str| tree.get(&TreePath::new(path).unwrap()).unwrap().mtime.secs;
        assert_eq!((secs("a/x"), secs("b/x")), (1, 99));
        assert_eq!(
            tree.clone().apply_times(&times[..last]),
            Err(crate::TimesError::Count { bytes: last })
        );
        times.push(0);
        assert_eq!(
            tree.clone().apply_times(times),
            Err(crate::TimesError::Count { bytes: last + 13 })
        );
        assert_eq!(tree.apply_times(b"whrftim\x02"), Err(crate::TimesError::Magic));
    }

    #[test]
    fn layers_have_no_times_for_what_is_not_theirs() {
        let layer = layer(&["a/x file 1", "b gone"]);
        assert_eq!(layer.times().1.len(), 8 + 12);
        let unlike = Entry {
            mtime: Mtime { secs: 5, nanos: 5 },
            ..Entry::whiteout()
        };
        let dir = Dir::new([(Name::new(b"w").unwrap(), unlike)].into());
        let node = Node::Dir(Arc::new(dir), DirRole::Structural);
        assert_eq!(crate::times::encode(&Entry { node, ..layer.root }).len(), 8);
    }
}
