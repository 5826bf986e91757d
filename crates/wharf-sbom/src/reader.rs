//! The seam to whoever keeps contents, and bounded reading through it.

use std::{
    fmt,
    io::{self, Read, Seek},
};

use sha1::Digest as _;
use wharf_oci::Digest;
use wharf_tree::{Entry, FollowLast, Node, Tree, TreePath};

use crate::package::{FileSums, Inventory, Package, hex};

/// A content that is read from any place.
pub trait Content: Read + Seek {}

impl<T: Read + Seek> Content for T {}

/// Gives contents out. A store is one; so is a map in a test.
pub trait Contents {
    /// Opens a content.
    fn open(&self, digest: &Digest) -> io::Result<Box<dyn Content>>;
}

/// A content could not be read: the store's fault, not the content's.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path} of the result")]
pub struct ScanError {
    /// The file, relative to the root.
    pub path: String,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// A regular file of the tree.
#[derive(Debug, Clone)]
pub(crate) struct FoundFile {
    pub(crate) path: String,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
}

impl FoundFile {
    /// The file that an entry is.
    pub(crate) fn of(path: &TreePath, entry: &Entry) -> Option<Self> {
        let Node::File { digest, size } = entry.node else {
            return None;
        };
        Some(Self {
            path: String::from_utf8_lossy(path.as_bytes()).into_owned(),
            digest,
            size,
        })
    }
}

/// The tree, its contents, and what was found so far.
pub(crate) struct Scanner<'a> {
    pub(crate) tree: &'a Tree,
    pub(crate) contents: &'a dyn Contents,
    pub(crate) inventory: Inventory,
}

/// More packages than any image has.
const PACKAGE_LIMIT: usize = 200_000;
/// More notes than anybody reads.
const NOTE_LIMIT: usize = 200;

impl Scanner<'_> {
    /// The file at `path`, links followed.
    pub(crate) fn file(&self, path: &str) -> Option<FoundFile> {
        let found = self.tree.lookup(path, FollowLast::Yes).ok()?;
        FoundFile::of(&found.path, found.entry)
    }

    /// The bytes of a file of at most `limit` bytes; a larger one is noted and left.
    pub(crate) fn bytes(&mut self, file: &FoundFile, limit: u64) -> Result<Option<Vec<u8>>, ScanError> {
        if file.size > limit {
            self.note(format!(
                "{} was not read: it is larger than {} MiB",
                file.path,
                limit >> 20
            ));
            return Ok(None);
        }
        let mut bytes = Vec::new();
        self.open(file)?
            .take(limit)
            .read_to_end(&mut bytes)
            .map_err(|source| failed(file, source))?;
        Ok(Some(bytes))
    }

    /// [`Scanner::bytes`] as text; what is no UTF-8 in it is replaced.
    pub(crate) fn text(&mut self, file: &FoundFile, limit: u64) -> Result<Option<String>, ScanError> {
        let bytes = self.bytes(file, limit)?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    pub(crate) fn open(&self, file: &FoundFile) -> Result<Box<dyn Content>, ScanError> {
        self.contents
            .open(&file.digest)
            .map_err(|source| failed(file, source))
    }

    /// Says what was not read.
    pub(crate) fn note(&mut self, note: impl fmt::Display) {
        let notes = &mut self.inventory.notes;
        let note = note.to_string();
        if notes.len() < NOTE_LIMIT && !notes.contains(&note) {
            notes.push(note);
        }
    }

    /// Takes packages in that `file` told of.
    pub(crate) fn found(&mut self, file: &FoundFile, packages: Vec<Package>) -> Result<(), ScanError> {
        if packages.is_empty() {
            return Ok(());
        }
        self.evidence(file)?;
        for mut package in packages {
            if package.name.is_empty() {
                continue;
            }
            if self.inventory.packages.len() >= PACKAGE_LIMIT {
                self.note(format!("only the first {PACKAGE_LIMIT} packages are listed"));
                return Ok(());
            }
            package.found_in.push(file.path.clone());
            self.inventory.packages.push(package);
        }
        Ok(())
    }

    /// Keeps the sums of a file that packages were found in.
    pub(crate) fn evidence(&mut self, file: &FoundFile) -> Result<(), ScanError> {
        if self.inventory.files.contains_key(&file.path) {
            return Ok(());
        }
        let mut content = self.open(file)?;
        let mut hasher = sha1::Sha1::new();
        io::copy(&mut content, &mut hasher).map_err(|source| failed(file, source))?;
        let sums = FileSums {
            sha1: hex(&hasher.finalize()),
            sha256: file.digest,
        };
        self.inventory.files.insert(file.path.clone(), sums);
        Ok(())
    }
}

/// A content that cannot be read.
pub(crate) fn failed(file: &FoundFile, source: io::Error) -> ScanError {
    ScanError {
        path: file.path.clone(),
        source,
    }
}
