//! Trees and contents for tests.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        mpsc::{self, Sender},
    },
};

use wharf_oci::{Digest, Hasher};
use wharf_rootfs::{Adopted, BlobAdopt, BlobOpen};
use wharf_tree::{Attrs, Device, Dir, Entry, Mtime, Node, Tree, TreeBuilder, TreePath};

use super::mounts::BUSYBOX;

/// When everything in a test's tree was last changed, nanoseconds included.
pub const TIME: Mtime = Mtime {
    secs: 1_000_000_000,
    nanos: 123_456_789,
};

/// An entry of a test's tree.
pub enum Item<'a> {
    /// A file of mode 0644.
    File(&'a str),
    /// A file changed at this second.
    Dated(&'a str, i64),
    /// A file of this mode.
    Mode(&'a str, u16),
    /// A file of this owner and group.
    Owner(&'a str, u32),
    /// A file with one extended attribute.
    Xattr(&'a str, &'a str, &'a [u8]),
    /// A file of this mode with one extended attribute.
    Attributes(&'a str, u16, &'a str, &'a [u8]),
    /// This many zeros, all of them a hole.
    Sparse(u64),
    /// A directory of mode 0755.
    Dir,
    /// A directory of this mode.
    DirMode(u16),
    /// A symbolic link.
    Symlink(&'a str),
    /// Another name.
    Link(&'a str),
    /// A named pipe.
    Fifo,
    /// A character device.
    Char(u32, u32),
}

/// A normalised path.
pub fn path(text: &str) -> TreePath {
    TreePath::new(text).expect("a path")
}

/// A tree with `/bin/busybox`, `/bin/sh` and its usual programs, and these items.
pub fn tree(items: &[(&str, Item<'_>)], blobs: &Blobs) -> Tree {
    let mut builder = TreeBuilder::new();
    builder.root(Attrs::root(0o755), TIME);
    let busybox = file(blobs, &fs::read(BUSYBOX).unwrap_or_default(), Attrs::root(0o755));
    builder.insert(&path("bin/busybox"), busybox).expect("a place");
    for applet in PROGRAMS {
        let link = entry(Attrs::root(0o777), Node::Symlink(b"busybox"[..].into()));
        builder
            .insert(&path(&format!("bin/{applet}")), link)
            .expect("a place");
    }
    for (at, item) in items {
        add(&mut builder, &path(at), item, blobs);
    }
    builder.finish()
}

/// What scripts may use.
pub const PROGRAMS: [&str; 25] = [
    "cat",
    "chmod",
    "chown",
    "cp",
    "dd",
    "find",
    "head",
    "ln",
    "ls",
    "mkdir",
    "mkfifo",
    "mknod",
    "mv",
    "readlink",
    "rm",
    "rmdir",
    "sh",
    "sleep",
    "stat",
    "tar",
    "touch",
    "sha256sum",
    "truncate",
    "wc",
    "which",
];

fn add(builder: &mut TreeBuilder, at: &TreePath, item: &Item<'_>, blobs: &Blobs) {
    let made = match item {
        Item::File(text) => file(blobs, text.as_bytes(), Attrs::root(0o644)),
        Item::Mode(text, mode) => file(blobs, text.as_bytes(), Attrs::root(*mode)),
        Item::Dated(text, secs) => Entry {
            mtime: Mtime {
                secs: *secs,
                nanos: 0,
            },
            ..file(blobs, text.as_bytes(), Attrs::root(0o644))
        },
        Item::Owner(text, id) => {
            let attrs = Attrs {
                uid: *id,
                gid: *id,
                ..Attrs::root(0o644)
            };
            file(blobs, text.as_bytes(), attrs)
        }
        Item::Xattr(text, name, value) => attributed(blobs, text, 0o755, name, value),
        Item::Attributes(text, mode, name, value) => attributed(blobs, text, *mode, name, value),
        Item::Sparse(size) => entry(
            Attrs::root(0o644),
            Node::File {
                digest: blobs.put_hole(*size),
                size: *size,
            },
        ),
        Item::Dir => Entry::dir(Attrs::root(0o755), TIME, Dir::default()),
        Item::DirMode(mode) => Entry::dir(Attrs::root(*mode), TIME, Dir::default()),
        Item::Symlink(target) => entry(Attrs::root(0o777), Node::Symlink(target.as_bytes().into())),
        Item::Fifo => entry(Attrs::root(0o644), Node::Fifo),
        Item::Char(major, minor) => entry(
            Attrs::root(0o666),
            Node::CharDevice(Device {
                major: *major,
                minor: *minor,
            }),
        ),
        Item::Link(existing) => return builder.hard_link(&path(existing), at).expect("a place"),
    };
    builder.insert(at, made).expect("a place");
}

fn entry(attrs: Attrs, node: Node) -> Entry {
    Entry {
        attrs,
        mtime: TIME,
        node,
    }
}

fn attributed(blobs: &Blobs, text: &str, mode: u16, name: &str, value: &[u8]) -> Entry {
    let xattrs = [(name.as_bytes().to_vec(), value.to_vec())];
    let attrs = Attrs {
        xattrs: Some(Arc::new(xattrs.into())),
        ..Attrs::root(mode)
    };
    file(blobs, text.as_bytes(), attrs)
}

fn file(blobs: &Blobs, bytes: &[u8], attrs: Attrs) -> Entry {
    let node = Node::File {
        digest: blobs.put(bytes),
        size: bytes.len() as u64,
    };
    entry(attrs, node)
}

/// A directory of contents named by digest.
pub struct Blobs {
    dir: PathBuf,
    held: HashMap<Digest, Mutex<Sender<Sender<()>>>>,
}

impl Blobs {
    pub fn new(dir: &Path) -> Self {
        fs::create_dir(dir).expect("a new directory");
        Self {
            dir: dir.to_owned(),
            held: HashMap::new(),
        }
    }

    pub fn put(&self, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        fs::write(self.path(&digest), bytes).expect("a blob");
        digest
    }

    fn put_hole(&self, size: u64) -> Digest {
        let mut hasher = Hasher::new();
        io::copy(&mut io::repeat(0).take(size), &mut hasher).expect("zeros");
        let digest = hasher.finish();
        let file = File::create(self.path(&digest)).expect("a blob");
        file.set_len(size).expect("a hole");
        digest
    }

    pub fn path(&self, digest: &Digest) -> PathBuf {
        self.dir.join(digest.hex())
    }

    pub fn hold_back(&mut self, digest: Digest, asked: Sender<Sender<()>>) {
        self.held.insert(digest, Mutex::new(asked));
    }
}

impl BlobOpen for Blobs {
    fn open(&self, digest: &Digest) -> io::Result<File> {
        if let Some(asked) = self.held.get(digest) {
            let (release, released) = mpsc::channel();
            let _ = asked.lock().expect("one test").send(release);
            let _ = released.recv();
        }
        File::open(self.path(digest))
    }

    fn place(&self, digest: &Digest) -> Option<PathBuf> {
        Some(digest.hex().into())
    }
}

impl BlobAdopt for Blobs {
    fn adopt(&self, path: &Path) -> io::Result<Adopted> {
        let bytes = fs::read(path)?;
        let digest = self.put(&bytes);
        let size = bytes.len() as u64;
        Ok(Adopted { digest, size })
    }
}
