//! Layer or tree → tar.

use std::{collections::BTreeMap, io::Write};

pub use super::error::ExportError;
use super::{
    import::{OPAQUE, WHITEOUT},
    writer::{Out, Writer},
};
use crate::{
    blob::BlobRead,
    dir::{Dir, DirRole},
    entry::{Attrs, Device, Entry, Node},
    links::HardLinks,
    path::{Name, TreePath},
    tree::{Layer, Tree},
};

/// What may vary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExportOptions {
    /// No time is later than this (SOURCE_DATE_EPOCH with rewriting), in seconds since the epoch.
    pub clamp_mtimes: Option<i64>,
}

/// Writes `layer` as a layer tar. `merged` is the tree after the layer, of which structural directories take their
/// attributes and times.
///
/// Members are in the order of names, a directory before what it holds; the first name of a hard-linked file carries the
/// content. Times are cut to whole seconds, as containerd cuts them. Sockets are left out: no tar can hold them. The root
/// is a member (`./`) only when the layer changes it.
pub fn export(
    layer: &Layer,
    merged: &Tree,
    blobs: &dyn BlobRead,
    options: &ExportOptions,
    out: &mut dyn Write,
) -> Result<(), ExportError> {
    let mut export = Export::new(&layer.links, Names::Layer, blobs, options, out);
    export.directory(&layer.root, Some(&merged.root), &mut TreePath::root())?;
    Ok(export.out.finish()?)
}

/// Writes a whole tree (`type=tar`): as [`export`], but names that start with `.wh.` are names.
pub fn export_tree(
    tree: &Tree,
    blobs: &dyn BlobRead,
    options: &ExportOptions,
    out: &mut dyn Write,
) -> Result<(), ExportError> {
    let mut export = Export::new(&tree.links, Names::Plain, blobs, options, out);
    export.directory(&tree.root, None, &mut TreePath::root())?;
    Ok(export.out.finish()?)
}

/// Whether `.wh.` is special.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    Layer,
    Plain,
}

struct Export<'e> {
    /// The group of each hard-linked path, and the first path of each group that was written.
    groups: BTreeMap<&'e TreePath, usize>,
    written: BTreeMap<usize, TreePath>,
    names: Names,
    blobs: &'e dyn BlobRead,
    options: &'e ExportOptions,
    out: Writer<'e>,
}

impl<'e> Export<'e> {
    fn new(
        links: &'e HardLinks,
        names: Names,
        blobs: &'e dyn BlobRead,
        options: &'e ExportOptions,
        out: &'e mut dyn Write,
    ) -> Self {
        let (groups, written) = (links.index(), BTreeMap::new());
        Self {
            groups,
            written,
            names,
            blobs,
            options,
            out: Writer(out),
        }
    }

    /// A directory and all below it. `merged` is the same directory in the merged tree.
    fn directory(
        &mut self,
        entry: &Entry,
        merged: Option<&Entry>,
        path: &mut TreePath,
    ) -> Result<(), ExportError> {
        let Node::Dir(dir, role) = &entry.node else {
            unreachable!("called for directories");
        };
        match role {
            DirRole::Structural if path.is_root() => {}
            DirRole::Structural => {
                let below = merged.filter(|below| below.node.is_dir());
                let below = below.ok_or_else(|| ExportError::NotMerged { path: path.clone() })?;
                self.header(b'5', path, below, &Content::None)?;
            }
            DirRole::Full | DirRole::Opaque => self.header(b'5', path, entry, &Content::None)?,
        }
        if *role == DirRole::Opaque {
            self.absence(path, OPAQUE)?;
        }
        self.entries(dir, merged, path)
    }

    fn entries(&mut self, dir: &Dir, merged: Option<&Entry>, path: &mut TreePath) -> Result<(), ExportError> {
        let merged = merged.and_then(|merged| merged.node.as_dir());
        for (name, entry) in dir.entries() {
            path.push(name);
            match &entry.node {
                Node::Whiteout => self.whiteout(path, name)?,
                _ if self.names == Names::Layer && name.as_bytes().starts_with(WHITEOUT) => {
                    return Err(ExportError::Reserved { path: path.clone() });
                }
                Node::Dir(..) => {
                    self.directory(entry, merged.and_then(|dir| dir.get(name.as_bytes())), path)?;
                }
                _ => self.leaf(entry, path)?,
            }
            path.pop();
        }
        Ok(())
    }

    fn whiteout(&mut self, path: &TreePath, name: &Name) -> Result<(), ExportError> {
        let parent = path.parent().unwrap_or_default();
        let mark = [WHITEOUT, name.as_bytes()].concat();
        Name::new(&mark).map_err(|_| ExportError::Whiteout { path: path.clone() })?;
        self.absence(&parent, &mark)
    }

    /// An empty file called `mark`, of nobody in particular.
    fn absence(&mut self, parent: &TreePath, mark: &[u8]) -> Result<(), ExportError> {
        let slash: &[u8] = if parent.is_root() { b"" } else { b"/" };
        let path = [parent.as_bytes(), slash, mark].concat();
        let attrs = Attrs::root(0);
        let member = Out {
            kind: b'0',
            path: &path,
            link: b"",
            attrs: &attrs,
            mtime: 0,
            size: 0,
            device: None,
        };
        Ok(self.out.header(&member)?)
    }

    fn leaf(&mut self, entry: &Entry, path: &TreePath) -> Result<(), ExportError> {
        if let Some(first) = self.first_name(entry, path) {
            return self.header(b'1', path, entry, &Content::Link(first.as_bytes()));
        }
        match &entry.node {
            Node::File { digest, size } => {
                self.header(b'0', path, entry, &Content::Bytes(*size))?;
                let content = |source| ExportError::Content {
                    path: path.clone(),
                    source,
                };
                let mut file = self.blobs.open(digest).map_err(content)?;
                // A failing reader and a failing writer look alike here; the path helps with both.
                self.out.content(&mut *file, *size).map_err(content)
            }
            Node::Symlink(target) => self.header(b'2', path, entry, &Content::Link(target)),
            Node::CharDevice(device) => self.header(b'3', path, entry, &Content::Device(*device)),
            Node::BlockDevice(device) => self.header(b'4', path, entry, &Content::Device(*device)),
            Node::Fifo => self.header(b'6', path, entry, &Content::None),
            Node::Socket | Node::Whiteout | Node::Dir(..) => Ok(()),
        }
    }

    /// The name under which a hard-linked file was written already; else remembers this one.
    fn first_name(&mut self, entry: &Entry, path: &TreePath) -> Option<TreePath> {
        let group = *self.groups.get(path)?;
        if entry.node == Node::Socket {
            return None;
        }
        if let Some(first) = self.written.get(&group) {
            return Some(first.clone());
        }
        self.written.insert(group, path.clone());
        None
    }

    fn header(
        &mut self,
        kind: u8,
        path: &TreePath,
        entry: &Entry,
        content: &Content<'_>,
    ) -> Result<(), ExportError> {
        let unsayable = |name: &Vec<u8>| name.is_empty() || name.contains(&b'=');
        if entry
            .attrs
            .xattrs
            .as_ref()
            .is_some_and(|xattrs| xattrs.keys().any(unsayable))
        {
            return Err(ExportError::Xattr { path: path.clone() });
        }
        let name = match (kind, path.is_root()) {
            (b'5', true) => b"./".to_vec(),
            (b'5', false) => [path.as_bytes(), b"/"].concat(),
            _ => path.as_bytes().to_vec(),
        };
        let latest = self.options.clamp_mtimes.unwrap_or(i64::MAX);
        let member = Out {
            kind,
            path: &name,
            link: if let Content::Link(target) = content {
                target
            } else {
                b""
            },
            attrs: &entry.attrs,
            mtime: entry.mtime.secs.min(latest),
            size: if let Content::Bytes(size) = content {
                *size
            } else {
                0
            },
            device: if let Content::Device(device) = content {
                Some(*device)
            } else {
                None
            },
        };
        Ok(self.out.header(&member)?)
    }
}

/// What a header says beside attributes.
enum Content<'c> {
    None,
    Bytes(u64),
    Link(&'c [u8]),
    Device(Device),
}

#[cfg(test)]
mod tests {
    use wharf_oci::Digest;

    use super::*;
    use crate::{
        Mtime, merge,
        tar::reader::Archive,
        testing::{Blobs, layer, tree},
    };

    /// A line for each member: kind, mode, owner, time, size, name and target.
    fn members(tar: &[u8]) -> String {
        let mut archive = Archive::new(tar);
        let mut lines = Vec::new();
        while let Some(member) = archive.next().map_err(|error| error.to_string()).unwrap() {
            let [path, link] = [&member.path, &member.link].map(|bytes| String::from_utf8_lossy(bytes));
            let kind = char::from(member.kind);
            let secs = member.mtime.secs;
            let line = format!(
                "{kind} {:o} {}:{} @{secs} {} {path} {link}",
                member.mode, member.uid, member.gid, member.size
            );
            lines.push(line.trim_end().to_owned());
        }
        lines.join("\n")
    }

    fn exported(layer: &Layer, lower: &Tree, options: &ExportOptions) -> Vec<u8> {
        let blobs = Blobs::of(&[b"", b"one", b"two"]);
        let mut out = Vec::new();
        export(layer, &merge(lower, layer), &blobs, options, &mut out).unwrap();
        out
    }

    fn sample() -> (Tree, Layer) {
        let lower = tree(&["etc/ dir @750:5", "etc/old file", "opaque/x file"]);
        let layer = layer(&[
            "etc/old gone",
            "etc/new file one @4755:3000000:7",
            "opaque/ dir @700",
            "opaque/ opaque",
            "a.b file two",
            "a/b = a.b",
            "dev/null dev",
            "link -> target",
            "run/fifo fifo",
        ]);
        (lower, layer)
    }

    /// Image digests of people's builds hang on these bytes.
    #[test]
    fn golden_bytes() {
        let (lower, layer) = sample();
        let tar = exported(&layer, &lower, &ExportOptions::default());
        insta::assert_snapshot!(members(&tar), @"
        5 755 0:0 @0 0 a/
        0 644 0:0 @1 3 a/b
        1 644 0:0 @1 0 a.b a/b
        5 755 0:0 @0 0 dev/
        3 666 0:0 @1 0 dev/null
        5 750 5:5 @1 0 etc/
        0 4755 3000000:7 @1 3 etc/new
        0 0 0:0 @0 0 etc/.wh.old
        2 777 0:0 @1 0 link target
        5 700 0:0 @1 0 opaque/
        0 0 0:0 @0 0 opaque/.wh..wh..opq
        5 755 0:0 @0 0 run/
        6 644 0:0 @1 0 run/fifo
        ");
        insta::assert_snapshot!(Digest::of(&tar), @"sha256:f80695149e94853874b6700e69cb31376cbccfc852e983265540fbaf609bc07b");
    }

    #[test]
    fn times_are_whole_and_clamped() {
        let mut layer = layer(&["a file one"]);
        let path = TreePath::new("a").unwrap();
        let mut builder = crate::LayerBuilder::from_layer(&layer);
        let time = |secs| Mtime {
            secs,
            nanos: 999_999_999,
        };
        for (secs, clamp, expected) in [
            (100, None, 100),
            (100, Some(7), 7),
            (5, Some(7), 5),
            (-2, None, -2),
        ] {
            let entry = Entry {
                mtime: time(secs),
                ..layer.root.below(&path).unwrap().clone()
            };
            builder.insert(&path, entry).unwrap();
            layer = builder.clone().finish();
            let tar = exported(&layer, &Tree::empty(), &ExportOptions { clamp_mtimes: clamp });
            assert_eq!(members(&tar), format!("0 644 0:0 @{expected} 3 a"));
        }
    }

    #[test]
    fn what_no_archive_can_say_is_an_error() {
        let refused = |lines: &[&str], merged: &Tree| {
            let error = export(
                &layer(lines),
                merged,
                &Blobs::of(&[b""]),
                &ExportOptions::default(),
                &mut Vec::new(),
            );
            error.unwrap_err().to_string()
        };
        let long = "x".repeat(252);
        let whiteout = format!("{long} gone");
        for (lines, expected) in [
            (
                &[".wh.x file"][..],
                "/.wh.x cannot be in a layer archive: names that start with `.wh.` mean that something is gone",
            ),
            (
                &[&whiteout],
                &format!("the name of /{long} is too long to say in a layer archive that it is gone"),
            ),
            (
                &["dir/x file"],
                "/dir is a directory of the layer, but not of the merged tree",
            ),
            (&["x file missing"], "cannot archive the content of /x"),
        ] {
            assert_eq!(refused(lines, &Tree::empty()), expected);
        }
        let mut short = Blobs::default();
        short.0.insert(Digest::of(b"one"), b"on".to_vec());
        let mut long = Blobs::default();
        long.0.insert(Digest::of(b"one"), b"ones".to_vec());
        for blobs in [short, long] {
            let layer = layer(&["x file one"]);
            let refused = export(
                &layer,
                &Tree::empty(),
                &blobs,
                &ExportOptions::default(),
                &mut Vec::new(),
            );
            assert!(matches!(refused, Err(ExportError::Content { .. })));
        }
    }

    #[test]
    fn trees_have_their_root_and_any_name() {
        let mut out = Vec::new();
        let tree = tree(&[".wh.x file", "d/ dir"]);
        export_tree(&tree, &Blobs::of(&[b""]), &ExportOptions::default(), &mut out).unwrap();
        insta::assert_snapshot!(members(&out), @"
        5 755 0:0 @0 0 ./
        0 644 0:0 @1 0 .wh.x
        5 755 0:0 @1 0 d/
        ");
    }
}
