//! Trees and layers from lines of text, and back: what the tests of this crate speak.

use std::{
    collections::HashMap,
    io::{self, Read},
    sync::Arc,
};

use wharf_oci::Digest;

use crate::{
    blob::{BlobRead, BlobSink},
    build::{LayerBuilder, TreeBuilder},
    dir::{Dir, DirRole},
    entry::{Attrs, Device, Entry, Mtime, Node},
    links::HardLinks,
    path::TreePath,
    tree::{Layer, Tree},
};

/// A tree of lines `PATH/ dir`, `PATH file [CONTENT]`, `PATH -> TARGET`, `PATH = HARDLINKED`, `PATH fifo`, `PATH dev`;
/// each may end in ` @MODE[:UID[:GID]]`.
pub(crate) fn tree(lines: &[&str]) -> Tree {
    let mut builder = TreeBuilder::new();
    for line in lines {
        match parse(line) {
            (path, Line::Entry(entry)) => builder.insert(&path, entry).unwrap(),
            (path, Line::Link(target)) => builder.hard_link(&target, &path).unwrap(),
            (_, Line::Opaque) => panic!("{line}: not in a tree"),
        }
    }
    builder.finish()
}

/// A layer: as [`tree`], and `PATH gone`, `PATH/ opaque`.
pub(crate) fn layer(lines: &[&str]) -> Layer {
    let mut builder = LayerBuilder::new();
    for line in lines {
        match parse(line) {
            (path, Line::Entry(entry)) if entry.node == Node::Whiteout => builder.whiteout(&path).unwrap(),
            (path, Line::Entry(entry)) => builder.insert(&path, entry).unwrap(),
            (path, Line::Link(target)) => builder.hard_link(&target, &path).unwrap(),
            (path, Line::Opaque) => builder.opaque(&path).unwrap(),
        }
    }
    builder.finish()
}

enum Line {
    Entry(Entry),
    Link(TreePath),
    Opaque,
}

fn parse(line: &str) -> (TreePath, Line) {
    let (line, attrs) = match line.rsplit_once(" @") {
        Some((line, attrs)) => (line, Some(attrs)),
        None => (line, None),
    };
    let mut words = line.splitn(3, ' ');
    let path = TreePath::new(words.next().unwrap()).unwrap();
    let kind = words.next().unwrap();
    let rest = words.next().unwrap_or_default();
    let (node, mode) = match kind {
        "dir" => (Node::Dir(Arc::default(), DirRole::Full), 0o755),
        "file" => (file(rest.as_bytes()), 0o644),
        "->" => (Node::Symlink(rest.as_bytes().into()), 0o777),
        "fifo" => (Node::Fifo, 0o644),
        "dev" => (Node::CharDevice(Device { major: 1, minor: 3 }), 0o666),
        "gone" => return (path, Line::Entry(Entry::whiteout())),
        "opaque" => return (path, Line::Opaque),
        "=" => return (path, Line::Link(TreePath::new(rest).unwrap())),
        _ => panic!("{line}"),
    };
    let attrs = parse_attrs(attrs, mode);
    let mtime = Mtime { secs: 1, nanos: 0 };
    (path, Line::Entry(Entry { attrs, mtime, node }))
}

fn parse_attrs(text: Option<&str>, mode: u16) -> Attrs {
    let mut parts = text.into_iter().flat_map(|text| text.split(':'));
    let mode = parts
        .next()
        .map_or(mode, |mode| u16::from_str_radix(mode, 8).unwrap());
    let uid = parts.next().map_or(0, |uid| uid.parse().unwrap());
    let gid = parts.next().map_or(uid, |gid| gid.parse().unwrap());
    Attrs {
        mode,
        uid,
        gid,
        xattrs: None,
    }
}

/// A file of this content.
pub(crate) fn file(content: &[u8]) -> Node {
    Node::File {
        digest: Digest::of(content),
        size: content.len() as u64,
    }
}

/// [`show`], and the hard links.
pub(crate) fn show_all(root: &Entry, links: &HardLinks) -> String {
    let links = links.0.iter().map(|group| {
        let paths: Vec<_> = group.iter().map(ToString::to_string).collect();
        format!("linked {}\n", paths.join(" "))
    });
    show(root) + &links.collect::<String>()
}

/// The paths of a tree or layer with what is worth seeing, one a line.
pub(crate) fn show(root: &Entry) -> String {
    let mut out = String::new();
    show_entry(&mut out, &TreePath::root(), root);
    out
}

fn show_entry(out: &mut String, path: &TreePath, entry: &Entry) {
    use std::fmt::Write;
    let Attrs { mode, uid, gid, .. } = entry.attrs;
    let owner = if (uid, gid) == (0, 0) {
        String::new()
    } else {
        format!(" {uid}:{gid}")
    };
    let kind = match &entry.node {
        Node::Dir(_, DirRole::Full) => format!("dir {mode:o}{owner}"),
        Node::Dir(_, DirRole::Structural) => "structural".into(),
        Node::Dir(_, DirRole::Opaque) => format!("opaque {mode:o}{owner}"),
        Node::File { digest, size } => format!("file {mode:o}{owner} {size} {}", &digest.short()[..4]),
        Node::Symlink(target) => format!("-> {}{owner}", String::from_utf8_lossy(target)),
        Node::CharDevice(Device { major, minor }) => format!("char {mode:o}{owner} {major}:{minor}"),
        Node::BlockDevice(Device { major, minor }) => format!("block {mode:o}{owner} {major}:{minor}"),
        Node::Fifo => format!("fifo {mode:o}{owner}"),
        Node::Socket => format!("socket {mode:o}{owner}"),
        Node::Whiteout => "gone".into(),
    };
    writeln!(out, "{path} {kind}").unwrap();
    for (name, entry) in entry
        .node
        .as_dir()
        .into_iter()
        .flat_map(|dir: &Arc<Dir>| dir.entries())
    {
        show_entry(out, &path.join(name), entry);
    }
}

/// Contents in memory.
#[derive(Debug, Default)]
pub(crate) struct Blobs(pub(crate) HashMap<Digest, Vec<u8>>);

impl Blobs {
    /// With these contents.
    pub(crate) fn of(contents: &[&[u8]]) -> Self {
        Self(
            contents
                .iter()
                .map(|content| (Digest::of(content), content.to_vec()))
                .collect(),
        )
    }
}

impl BlobSink for Blobs {
    fn put(&mut self, content: &mut dyn Read, size: u64) -> io::Result<Digest> {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes)?;
        assert_eq!(bytes.len() as u64, size);
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
