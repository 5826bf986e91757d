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
mod tests;
