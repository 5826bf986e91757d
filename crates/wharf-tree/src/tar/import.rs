//! tar → layer.

use std::{
    io::{BufReader, Read},
    sync::Arc,
};

pub use super::error::ImportError;
use super::{
    convert::{attrs, device, lossy, path, symlink},
    reader::{Archive, Member},
};
use crate::{
    blob::BlobSink,
    build::{BuildError, LayerBuilder},
    dir::DirRole,
    entry::{Entry, Node},
    lookup::FollowLast,
    pack::MAX_ENTRIES,
    path::TreePath,
    tree::{Layer, Tree},
};

/// How much a tar may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Members.
    pub entries: u64,
    /// Bytes of all file contents together, holes included.
    pub bytes: u64,
}

impl Default for Limits {
    /// What no honest image reaches: 16 million members, a tebibyte.
    fn default() -> Self {
        Self {
            entries: MAX_ENTRIES,
            bytes: 1 << 40,
        }
    }
}

/// What may vary.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions<'a> {
    /// Where hard links to files of lower layers find their target. It is then made a member of the layer, as an unpacker
    /// on overlayfs would have it. Without a parent, such a link is [`ImportError::LinkTarget`].
    pub parent: Option<&'a Tree>,
    /// What is too much.
    pub limits: Limits,
}

/// Reads an uncompressed layer tar to its end, contents into `blobs` (OCI image specification, "Image Layer Filesystem
/// Changeset"). Leading slashes are ignored; a later member of the same name replaces an earlier one; parents that are not
/// listed are structural. A hard link has its target's attributes, whatever its own header says. Nothing is written
/// through symbolic links: a member below one is refused.
pub fn import(
    reader: impl Read,
    blobs: &mut dyn BlobSink,
    options: &ImportOptions<'_>,
) -> Result<Layer, ImportError> {
    Import::new(blobs, options, Whiteouts::Apply).run(reader)
}

/// Reads an uncompressed tar that is no image layer: names that start with `.wh.` are names. For ADD. The layer has no
/// whiteouts and nothing opaque.
pub fn import_archive(
    reader: impl Read,
    blobs: &mut dyn BlobSink,
    options: &ImportOptions<'_>,
) -> Result<Layer, ImportError> {
    Import::new(blobs, options, Whiteouts::Literal).run(reader)
}

/// Whether `reader`, uncompressed, starts as a tar does: what ADD unpacks. An empty one is none.
pub fn is_archive(reader: impl Read) -> bool {
    matches!(Archive::new(reader).next(), Ok(Some(_)))
}

/// What names that start with `.wh.` are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whiteouts {
    Apply,
    Literal,
}

pub(super) const WHITEOUT: &[u8] = b".wh.";
pub(super) const OPAQUE: &[u8] = b".wh..wh..opq";
/// Names that aufs kept for itself and that old Docker layers may hold.
const AUFS: &[u8] = b".wh..wh.";

/// Contents are read from a decompressor, whose calls cost; headers are small.
const BUFFER: usize = 128 << 10;

struct Import<'a> {
    blobs: &'a mut dyn BlobSink,
    options: &'a ImportOptions<'a>,
    whiteouts: Whiteouts,
    layer: LayerBuilder,
    bytes_left: u64,
}

impl<'a> Import<'a> {
    fn new(blobs: &'a mut dyn BlobSink, options: &'a ImportOptions<'a>, whiteouts: Whiteouts) -> Self {
        Self {
            blobs,
            options,
            whiteouts,
            layer: LayerBuilder::new(),
            bytes_left: options.limits.bytes,
        }
    }

    fn run(mut self, reader: impl Read) -> Result<Layer, ImportError> {
        let mut archive = Archive::new(BufReader::with_capacity(BUFFER, reader));
        let mut members = 0;
        while let Some(member) = archive.next()? {
            members += 1;
            if members > self.options.limits.entries {
                return Err(too_much(self.options.limits.entries, "members"));
            }
            self.member(&member, &mut archive)?;
        }
        // Whoever checks the digest of the stream wants all of it read.
        if archive.drain(self.bytes_left + 1)? > self.bytes_left {
            return Err(too_much(self.options.limits.bytes, "bytes"));
        }
        Ok(self.layer.finish())
    }

    fn member(&mut self, member: &Member, archive: &mut Archive<impl Read>) -> Result<(), ImportError> {
        let path = path(&member.path)?;
        if self.whiteouts == Whiteouts::Apply && self.whiteout(&path)? {
            return Ok(());
        }
        if member.kind == b'1' {
            return self.hard_link(member, &path);
        }
        let entry = Entry {
            attrs: attrs(member)?,
            mtime: member.mtime,
            node: self.node(member, archive)?,
        };
        self.insert(&path, entry)
    }

    fn insert(&mut self, path: &TreePath, entry: Entry) -> Result<(), ImportError> {
        self.layer.insert(path, entry).map_err(place(path))
    }

    /// Whether `path` stands for the absence of something.
    fn whiteout(&mut self, path: &TreePath) -> Result<bool, ImportError> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Ok(false);
        };
        let Some(gone) = name.strip_prefix(WHITEOUT) else {
            return Ok(false);
        };
        if name == OPAQUE {
            self.opaque(&parent).map_err(place(path))?;
        } else if !name.starts_with(AUFS) {
            let name = crate::Name::new(gone).map_err(|source| ImportError::Name {
                name: path.to_string(),
                source,
            })?;
            self.layer.whiteout(&parent.join(&name)).map_err(place(path))?;
        }
        Ok(true)
    }

    /// An opaque directory that the tar does not list keeps its attributes, which only the parent knows.
    fn opaque(&mut self, path: &TreePath) -> Result<(), BuildError> {
        let unlisted = |entry: &Entry| matches!(entry.node, Node::Dir(_, DirRole::Structural));
        let below = self.options.parent.and_then(|parent| parent.get(path));
        if self.layer.get(path).is_none_or(unlisted)
            && let Some(below) = below.filter(|below| below.node.is_dir())
        {
            let node = Node::Dir(Arc::default(), DirRole::Opaque);
            self.layer.insert(
                path,
                Entry {
                    node,
                    ..below.clone()
                },
            )?;
        }
        self.layer.opaque(path)
    }

    fn hard_link(&mut self, member: &Member, new: &TreePath) -> Result<(), ImportError> {
        let missing = || ImportError::LinkTarget {
            name: lossy(&member.path),
            target: lossy(&member.link),
        };
        let target = path(&member.link)?;
        match self.layer.get(&target) {
            Some(_) => {}
            None => {
                return self
                    .link_to_parent(&target, new)
                    .map_err(|error| error.unwrap_or_else(missing));
            }
        }
        self.layer.hard_link(&target, new).map_err(|error| match error {
            BuildError::NotLinkable { .. } => missing(),
            error => place(new)(error),
        })
    }

    /// Makes a file of the parent, and `new`, names of one file of this layer. `None` when there is no such file.
    fn link_to_parent(&mut self, target: &TreePath, new: &TreePath) -> Result<(), Option<ImportError>> {
        let found = self
            .options
            .parent
            .ok_or(None)?
            .lookup(target, FollowLast::No)
            .map_err(|_| None)?;
        if found.entry.node.is_dir() {
            return Err(None);
        }
        if self.layer.get(&found.path).is_none() {
            self.insert(&found.path, found.entry.clone())?;
        }
        self.layer.hard_link(&found.path, new).map_err(place(new))?;
        Ok(())
    }

    fn node(&mut self, member: &Member, archive: &mut Archive<impl Read>) -> Result<Node, ImportError> {
        Ok(match member.kind {
            b'0' => self.file(member, archive)?,
            b'2' => symlink(member)?,
            b'3' => Node::CharDevice(device(member)?),
            b'4' => Node::BlockDevice(device(member)?),
            b'5' => Node::Dir(Arc::default(), DirRole::Full),
            b'6' => Node::Fifo,
            kind => {
                return Err(ImportError::Kind {
                    name: lossy(&member.path),
                    kind,
                });
            }
        })
    }

    fn file(&mut self, member: &Member, archive: &mut Archive<impl Read>) -> Result<Node, ImportError> {
        let left = self.bytes_left.checked_sub(member.size);
        self.bytes_left = left.ok_or_else(|| too_much(self.options.limits.bytes, "bytes"))?;
        let mut content = archive.content(member).take(member.size);
        let digest = self
            .blobs
            .put(&mut content, member.size)
            .map_err(|source| ImportError::Content {
                name: lossy(&member.path),
                source,
            })?;
        Ok(Node::File {
            digest,
            size: member.size,
        })
    }
}

const fn too_much(limit: u64, what: &'static str) -> ImportError {
    ImportError::TooMuch { limit, what }
}

fn place(path: &TreePath) -> impl Fn(BuildError) -> ImportError + '_ {
    |source| ImportError::Place {
        name: path.to_string(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Attrs,
        tar::{
            header::{BLOCK, NewHeader},
            pax,
        },
        testing::{Blobs, show_all, tree},
    };

    /// A tar of these members, each made by [`member`].
    fn tar(members: &[Vec<u8>]) -> Vec<u8> {
        [members.concat(), vec![0; 2 * BLOCK]].concat()
    }

    fn member(kind: u8, name: &str, link: &str, content: &[u8]) -> Vec<u8> {
        let mut header = NewHeader::new(kind);
        assert!(header.path(name.as_bytes()) && header.link(link.as_bytes()));
        header.mode(0o644);
        header.size(content.len() as u64);
        let padding = vec![0; content.len().next_multiple_of(BLOCK) - content.len()];
        [&header.finish(), content, &padding].concat()
    }

    fn file(name: &str, content: &str) -> Vec<u8> {
        member(b'0', name, "", content.as_bytes())
    }

    fn pax_header(records: &[(&str, &[u8])]) -> Vec<u8> {
        let mut content = Vec::new();
        for (key, value) in records {
            pax::put(&mut content, key.as_bytes(), value);
        }
        member(b'x', "pax", "", &content)
    }

    fn read_with(bytes: &[u8], options: &ImportOptions<'_>) -> String {
        match import(bytes, &mut Blobs::default(), options) {
            Ok(layer) => show_all(&layer.root, &layer.links),
            Err(error) => format!("error: {error}"),
        }
    }

    fn read(members: &[Vec<u8>]) -> String {
        read_with(&tar(members), &ImportOptions::default())
    }

    #[test]
    fn members_of_every_kind() {
        let members = [
            member(b'5', "./", "", b""),
            file("/absolute", "a"),
            file("./dir/../dotted", "d"),
            member(b'\0', "old-directory/", "", b""),
            member(b'\0', "old-file", "", b"o"),
            member(b'2', "link", "/etc/../x", b""),
            member(b'1', "hard", "./absolute", b""),
            member(b'6', "fifo", "", b""),
            member(b'3', "char", "", b""),
            member(b'4', "block", "", b""),
            file("old-file", "again"),
            member(b'g', "global", "", b"17 comment=commit"),
        ];
        insta::assert_snapshot!(read(&members), @"
        / dir 644
        /absolute file 644 1 ca97
        /block block 644 0:0
        /char char 644 0:0
        /dotted file 644 1 18ac
        /fifo fifo 644
        /hard file 644 1 ca97
        /link -> /etc/../x
        /old-directory dir 644
        /old-file file 644 5 b4c9
        linked /absolute /hard
        ");
    }

    #[test]
    fn whiteouts() {
        let members = [
            file("dir/.wh.gone", ""),
            file(".wh..wh.plnk", ""),
            file("full/x", ""),
            file("full/.wh..wh..opq", ""),
            file("both/.wh..wh..opq", ""),
            member(b'5', "both", "", b""),
        ];
        insta::assert_snapshot!(read(&members), @"
        / structural
        /both opaque 644
        /dir structural
        /dir/gone gone
        /full opaque 755
        /full/x file 644 0 e3b0
        ");
        let literal = import_archive(
            &tar(&members)[..],
            &mut Blobs::default(),
            &ImportOptions::default(),
        )
        .unwrap();
        insta::assert_snapshot!(show_all(&literal.root, &literal.links), @"
        / structural
        /.wh..wh.plnk file 644 0 e3b0
        /both dir 644
        /both/.wh..wh..opq file 644 0 e3b0
        /dir structural
        /dir/.wh.gone file 644 0 e3b0
        /full structural
        /full/.wh..wh..opq file 644 0 e3b0
        /full/x file 644 0 e3b0
        ");
        assert_eq!(read(&[file(".wh.", "")]), "error: `/.wh.` cannot be a path");
    }

    #[test]
    fn hostile_names_are_refused() {
        for (members, error) in [
            (
                vec![file("../escape", "")],
                "`../escape` leads out of the archive",
            ),
            (
                vec![file("a/../../escape", "")],
                "`a/../../escape` leads out of the archive",
            ),
            (vec![file("/..", "")], "`/..` leads out of the archive"),
            (
                vec![member(b'2', "a", "/etc", b""), file("a/passwd", "")],
                "`/a/passwd` cannot be placed",
            ),
            (vec![file("a", ""), file("a/b", "")], "`/a/b` cannot be placed"),
            (
                vec![file("a", ""), file("a/.wh.b", "")],
                "`/a/.wh.b` cannot be placed",
            ),
            (
                vec![member(b'1', "a", "../../etc/shadow", b"")],
                "`../../etc/shadow` leads out of the archive",
            ),
            (
                vec![member(b'1', "a", "b", b"")],
                "`a` is a hard link to `b`, which is not there",
            ),
            (
                vec![member(b'5', "d", "", b""), member(b'1', "a", "d", b"")],
                "`a` is a hard link to `d`, which is not there",
            ),
            (
                vec![member(b'2', "l", "/", b""), member(b'1', "a", "l/etc", b"")],
                "`a` is a hard link to `l/etc`, which is not there",
            ),
            (vec![member(b'2', "a", "", b"")], "`a` has a bad link target"),
            (vec![member(b'Z', "a", "", b"")], "`a` is of unknown type `Z`"),
            (vec![file("", "")], "`/` cannot be placed"),
            (
                vec![pax_header(&[("path", &[b'x'; 300])]), file("a", "")],
                &format!("`{}` cannot be a path", "x".repeat(300)),
            ),
            (
                vec![pax_header(&[("path", b"a\0b")]), file("a", "")],
                "`a\0b` cannot be a path",
            ),
            (
                vec![pax_header(&[("uid", b"4294967296")]), file("a", "")],
                "`a` has a bad owner",
            ),
            (
                vec![pax_header(&[("uid", b"-1")]), file("a", "")],
                "bad number in the uid",
            ),
            (
                vec![pax_header(&[("SCHILY.xattr.", b"x")]), file("a", "")],
                "`a` has a bad extended attribute",
            ),
        ] {
            assert_eq!(read(&members), format!("error: {error}"));
        }
        let long = "d/".repeat(2100);
        let refused = read(&[
            pax_header(&[("path", long.as_bytes())]),
            member(b'5', "a", "", b""),
        ]);
        assert!(refused.ends_with("cannot be placed"), "{refused}");
    }

    #[test]
    fn damaged_archives_are_refused() {
        let bytes = tar(&[file("a", "content"), file("b", "content")]);
        let read = |bytes: &[u8]| read_with(bytes, &ImportOptions::default());
        assert_eq!(read(&bytes[..100]), "error: the archive is cut off");
        assert_eq!(read(&bytes[..BLOCK + 3]), "error: cannot take the content of `a`");
        assert_eq!(read(&bytes[..2 * BLOCK - 3]), "error: the archive is cut off");
        // Without the blocks of zeros at the end, as some writers leave it.
        assert_eq!(read(&bytes[..4 * BLOCK]), read(&bytes));
        let mut damaged = bytes.clone();
        damaged[2 * BLOCK + 5] ^= 1;
        assert_eq!(
            read(&damaged),
            "error: no header where one should be (wrong checksum)"
        );
        let gap = [file("a", ""), vec![0; BLOCK], file("b", "")];
        assert_eq!(
            read(&tar(&gap)),
            "error: no header where one should be (wrong checksum)"
        );
        assert_eq!(read(b""), "/ structural\n");
        let looks = [&bytes[..], &bytes[..BLOCK], &damaged, b"", b"text", &[0; 1024]].map(is_archive);
        assert_eq!(looks, [true, true, true, false, false, false]);
        let mut huge = NewHeader::new(b'x');
        huge.size((1 << 33) - 1);
        assert_eq!(read(&huge.finish()), "error: extended header of 8589934591 bytes");
        assert_eq!(
            read(&tar(&[
                pax_header(&[("size", b"99999999999999999999")]),
                file("a", "")
            ])),
            "error: bad number in the size"
        );
    }

    #[test]
    fn limits_hold() {
        let bytes = tar(&[file("a", "12345"), file("b", "12345")]);
        let with = |entries, bytes_limit| {
            let limits = Limits {
                entries,
                bytes: bytes_limit,
            };
            read_with(
                &bytes,
                &ImportOptions {
                    limits,
                    ..ImportOptions::default()
                },
            )
        };
        assert!(with(2, 10 + 1024).starts_with("/ structural"));
        assert_eq!(with(1, 2000), "error: the archive holds more than 1 members");
        assert_eq!(with(2, 9), "error: the archive holds more than 9 bytes");
        let mut trailing = bytes.clone();
        trailing.extend([1; 3000]);
        let limits = Limits {
            entries: 2,
            bytes: 2000,
        };
        let options = ImportOptions {
            limits,
            ..ImportOptions::default()
        };
        assert_eq!(
            read_with(&trailing, &options),
            "error: the archive holds more than 2000 bytes"
        );
    }

    #[test]
    fn pax_headers_are_obeyed() {
        let long = "long/".repeat(60) + "name";
        let members = [
            pax_header(&[
                ("path", long.as_bytes()),
                ("uid", b"3000000"),
                ("gid", b"7"),
                ("mtime", b"-1.5"),
                ("SCHILY.xattr.user.key", b"a=b\n"),
            ]),
            file("short", "x"),
            pax_header(&[("linkpath", &[b't'; 200])]),
            member(b'2', "link", "short", b""),
            file("after", ""),
        ];
        let layer = import(
            &tar(&members)[..],
            &mut Blobs::default(),
            &ImportOptions::default(),
        )
        .unwrap();
        let entry = layer.root.below(&TreePath::new(&long).unwrap()).unwrap();
        assert_eq!((entry.attrs.uid, entry.attrs.gid), (3_000_000, 7));
        assert_eq!((entry.mtime.secs, entry.mtime.nanos), (-2, 500_000_000));
        assert_eq!(entry.attrs.xattrs.as_ref().unwrap()[&b"user.key"[..]], b"a=b\n");
        let link = layer.root.below(&TreePath::new("link").unwrap()).unwrap();
        assert_eq!(link.node, Node::Symlink([b't'; 200][..].into()));
        let after = layer.root.below(&TreePath::new("after").unwrap()).unwrap();
        assert_eq!(after.attrs, Attrs::root(0o644));
    }

    #[test]
    fn hard_links_reach_into_the_parent() {
        let parent = tree(&[
            "usr/lib/real file r",
            "lib -> usr/lib",
            "dir/ dir @700:4",
            "dir/x file x",
        ]);
        let options = ImportOptions {
            parent: Some(&parent),
            ..ImportOptions::default()
        };
        let link = |target: &str| read_with(&tar(&[member(b'1', "new", target, b"")]), &options);
        insta::assert_snapshot!(link("lib/real"), @"
        / structural
        /new file 644 1 4543
        /usr structural
        /usr/lib structural
        /usr/lib/real file 644 1 4543
        linked /new /usr/lib/real
        ");
        assert_eq!(
            link("dir"),
            "error: `new` is a hard link to `dir`, which is not there"
        );
        assert_eq!(
            link("none"),
            "error: `new` is a hard link to `none`, which is not there"
        );
        let opaque = tar(&[file("dir/.wh..wh..opq", ""), file("dir/new", "n")]);
        insta::assert_snapshot!(read_with(&opaque, &options), @"
        / structural
        /dir opaque 700 4:4
        /dir/new file 644 1 1b16
        ");
    }

    /// Written by GNU tar 1.34 of the same files: two sparse ones, a long name, a long link and a hard link.
    #[test]
    fn archives_of_gnu_tar() {
        let read = |bytes: &[u8]| {
            let (_, reader) = crate::compress::decompress(bytes).unwrap();
            let layer = import(reader, &mut Blobs::default(), &ImportOptions::default()).unwrap();
            show_all(&layer.root, &layer.links)
        };
        let old = read(include_bytes!("../../tests/data/gnu-old.tar.gz"));
        assert_eq!(
            read(include_bytes!("../../tests/data/gnu-pax-sparse-0.0.tar.gz")),
            old
        );
        assert_eq!(
            read(include_bytes!("../../tests/data/gnu-pax-sparse-0.1.tar.gz")),
            old
        );
        assert_eq!(
            read(include_bytes!("../../tests/data/gnu-pax-sparse-1.0.tar.gz")),
            old
        );
        insta::assert_snapshot!(old, @"
        / structural
        /d dir 755 7:8
        /d/hard file 644 7:8 4 fc66
        /d/link -> tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt 7:8
        /d/nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn file 644 7:8 4 fc66
        /holes file 644 7:8 300000 045a
        /many file 644 7:8 780002 5155
        linked /d/hard /d/nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn
        ");
    }
}
