//! Small trees and layers in which much collides.

use std::{
    collections::{BTreeMap, HashMap},
    io::{self, Read},
    sync::Arc,
};

use proptest::prelude::*;
use wharf_oci::Digest;
use wharf_tree::{
    Attrs, BlobRead, BlobSink, Device, Dir, DirRole, Entry, HardLinks, Layer, LayerBuilder, Mtime, Name,
    Node, Tree, TreeBuilder, TreePath, Xattrs,
};

const CONTENTS: [&[u8]; 3] = [b"", b"one", b"another content"];

/// The contents of all generated files.
pub(crate) struct Blobs(HashMap<Digest, Vec<u8>>);

impl Blobs {
    pub(crate) fn all() -> Self {
        Self(
            CONTENTS
                .iter()
                .map(|content| (Digest::of(content), content.to_vec()))
                .collect(),
        )
    }
}

impl BlobSink for Blobs {
    fn put(&mut self, content: &mut dyn Read, _: u64) -> io::Result<Digest> {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes)?;
        let digest = Digest::of(&bytes);
        self.0.insert(digest, bytes);
        Ok(digest)
    }
}

impl BlobRead for Blobs {
    fn open(&self, digest: &Digest) -> io::Result<Box<dyn Read>> {
        let bytes = self.0.get(digest).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(io::Cursor::new(bytes.clone())))
    }
}

fn names() -> impl Strategy<Value = Name> {
    let long = "long-".repeat(40);
    let names = [&b"a"[..], b"b", b"c", b"a.b", b"\xff\xfe", long.as_bytes()]
        .map(|name| Name::new(name).expect("a name"));
    prop::sample::select(names.to_vec())
}

fn mtimes() -> impl Strategy<Value = Mtime> {
    prop_oneof![
        Just(Mtime::default()),
        Just(Mtime {
            secs: 1_700_000_000,
            nanos: 5
        }),
        Just(Mtime {
            secs: -3,
            nanos: 999_999_999
        }),
    ]
}

fn attrs() -> impl Strategy<Value = Attrs> {
    let xattrs = Xattrs::from([
        (b"user.a".to_vec(), b"1\n\0".to_vec()),
        (b"user.b".to_vec(), Vec::new()),
    ]);
    let xattrs = prop_oneof![5 => Just(None), 1 => Just(Some(Arc::new(xattrs)))];
    (
        prop::sample::select(vec![0o644, 0o755, 0o4711, 0o1777]),
        prop::sample::select(vec![0, 1000, 3_000_000]),
        xattrs,
    )
        .prop_map(|(mode, uid, xattrs)| Attrs {
            mode,
            uid,
            gid: uid / 2,
            xattrs,
        })
}

fn leaves() -> impl Strategy<Value = Node> {
    let device = Device { major: 8, minor: 300 };
    let file = |content: &[u8]| Node::File {
        digest: Digest::of(content),
        size: content.len() as u64,
    };
    prop_oneof![
        6 => prop::sample::select(CONTENTS.map(file).to_vec()),
        2 => prop::sample::select(vec![Node::Symlink(b"a"[..].into()), Node::Symlink([b'x'; 300][..].into())]),
        1 => prop::sample::select(vec![Node::Fifo, Node::CharDevice(device), Node::BlockDevice(device)]),
    ]
}

fn entry(node: impl Strategy<Value = Node>) -> impl Strategy<Value = Entry> {
    (attrs(), mtimes(), node).prop_map(|(attrs, mtime, node)| Entry {
        attrs: if matches!(node, Node::Symlink(_)) {
            Attrs { mode: 0o777, ..attrs }
        } else {
            attrs
        },
        mtime,
        node,
    })
}

fn directories(
    entries: impl Strategy<Value = Entry> + 'static,
    roles: Vec<DirRole>,
) -> impl Strategy<Value = Entry> {
    let entries = prop::collection::btree_map(names(), entries, 0..5);
    let node = (entries, prop::sample::select(roles))
        .prop_map(|(entries, role)| Node::Dir(Arc::new(Dir::new(entries)), role));
    entry(node).prop_map(|entry| match entry.node {
        Node::Dir(_, DirRole::Structural) => Entry {
            attrs: Attrs::default(),
            mtime: Mtime::default(),
            ..entry
        },
        _ => entry,
    })
}

/// Complete trees with hard links.
pub(crate) fn trees() -> impl Strategy<Value = Tree> {
    let full = vec![DirRole::Full];
    let below = entry(leaves()).prop_recursive(4, 40, 5, {
        let full = full.clone();
        move |inner| directories(inner, full.clone()).boxed()
    });
    (directories(below, full), links()).prop_map(|(root, links)| {
        let links = linked(&root, &links);
        let mut builder = TreeBuilder::from_tree(&Tree {
            root,
            links: Arc::default(),
        });
        for (existing, new) in links {
            builder.hard_link(&existing, &new).expect("both are files");
        }
        builder.finish()
    })
}

/// Layers of every shape, with hard links.
pub(crate) fn layers() -> impl Strategy<Value = Layer> {
    let roles = vec![
        DirRole::Full,
        DirRole::Structural,
        DirRole::Structural,
        DirRole::Opaque,
    ];
    let whiteout = Just(Entry::whiteout());
    let below = prop_oneof![3 => entry(leaves()), 1 => whiteout].prop_recursive(4, 40, 5, {
        let roles = roles.clone();
        move |inner| directories(inner, roles.clone()).boxed()
    });
    (directories(below, roles), links()).prop_map(|(root, links)| {
        let links = linked(&root, &links);
        let mut builder = LayerBuilder::from_layer(&Layer {
            root,
            links: Arc::default(),
        });
        for (existing, new) in links {
            builder.hard_link(&existing, &new).expect("both are files");
        }
        builder.finish()
    })
}

fn links() -> impl Strategy<Value = Vec<(prop::sample::Index, prop::sample::Index)>> {
    prop::collection::vec(any::<(prop::sample::Index, prop::sample::Index)>(), 0..4)
}

fn linked(root: &Entry, picks: &[(prop::sample::Index, prop::sample::Index)]) -> Vec<(TreePath, TreePath)> {
    let mut files = Vec::new();
    collect(&mut files, &TreePath::root(), root);
    if files.is_empty() {
        return Vec::new();
    }
    picks
        .iter()
        .map(|(one, other)| (one.get(&files).clone(), other.get(&files).clone()))
        .collect()
}

fn collect(files: &mut Vec<TreePath>, path: &TreePath, entry: &Entry) {
    match &entry.node {
        Node::Dir(dir, _) => dir
            .entries()
            .iter()
            .for_each(|(name, entry)| collect(files, &path.join(name), entry)),
        Node::Whiteout => {}
        _ => files.push(path.clone()),
    }
}

fn map(entry: &Entry, change: &dyn Fn(&mut Entry)) -> Entry {
    let mut entry = entry.clone();
    if let Node::Dir(dir, _) = &mut entry.node {
        let entries = dir
            .entries()
            .iter()
            .map(|(name, entry)| (name.clone(), map(entry, change)));
        *dir = Arc::new(Dir::new(entries.collect::<BTreeMap<_, _>>()));
    }
    change(&mut entry);
    entry
}

pub(crate) fn without_times(tree: &Tree) -> (Entry, Arc<HardLinks>) {
    (
        map(&tree.root, &|entry| entry.mtime = Mtime::default()),
        Arc::clone(&tree.links),
    )
}

pub(crate) fn without_directory_times(tree: &Tree) -> (Entry, Arc<HardLinks>) {
    let clear = |entry: &mut Entry| {
        if entry.node.is_dir() {
            entry.mtime = Mtime::default();
        }
    };
    (map(&tree.root, &clear), Arc::clone(&tree.links))
}

/// Whole seconds.
pub(crate) fn as_in_a_tar(tree: &Tree) -> (Entry, Arc<HardLinks>) {
    (
        map(&tree.root, &|entry| entry.mtime.nanos = 0),
        Arc::clone(&tree.links),
    )
}
