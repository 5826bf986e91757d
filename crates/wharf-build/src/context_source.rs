//! Contexts that are not a directory yet: archives and repositories are unpacked into scratch directories first.

use std::{
    io,
    path::{Path, PathBuf},
};

use wharf_graph::GitSource;
use wharf_oci::Digest;
use wharf_solver::Cancel;
use wharf_store::{StoreError, WorkDir};
use wharf_tree::{Entry, Node, Tree, merge, tar};

use crate::{
    build::Machine,
    credentials::Credentials,
    download::{self, DownloadError},
    export::{FilesError, write_directory},
    git::{self, GitError},
    request::{ContextSource, NamedContext},
};

/// What a file that is a context is called in it.
pub const FETCHED: &str = "context";

/// A context's directory, and its scratch space if it has some.
#[derive(Debug)]
pub struct Held {
    directory: PathBuf,
    pin: Option<Pin>,
    scratch: Option<WorkDir>,
}

/// A context cannot be brought.
#[derive(Debug, thiserror::Error)]
pub enum ContextSourceError {
    /// The archive cannot be read.
    #[error("cannot read the context from {name}")]
    Read {
        /// Where it comes from.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// The archive cannot be unpacked.
    #[error("cannot unpack the context from {name}")]
    Unpack {
        /// Where it comes from.
        name: String,
        /// Why.
        source: tar::ImportError,
    },
    /// It cannot be downloaded.
    #[error(transparent)]
    Download(#[from] DownloadError),
    /// The repository cannot be had.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The files cannot be written.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A tree cannot be read.
    #[error(transparent)]
    Tree(#[from] wharf_store::TreeError),
}

/// What a context from elsewhere was, so that the same can be had again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pin {
    /// The full commit.
    Commit(String),
    /// The digest of the file.
    File(Digest),
}

impl Held {
    /// What it was, if it came from elsewhere.
    pub fn pin(&self) -> Option<&Pin> {
        self.pin.as_ref()
    }

    /// Whether it was brought from elsewhere.
    pub fn is_fetched(&self) -> bool {
        self.scratch.is_some()
    }

    /// Where the files are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

/// The main context; `None` if there is none.
pub fn open(
    context: &ContextSource,
    machine: &Machine,
    credentials: &Credentials,
    cancel: &Cancel,
) -> Result<Option<Held>, ContextSourceError> {
    match context {
        ContextSource::Empty => Ok(None),
        ContextSource::Directory(path) => Ok(Some(plain(path))),
        ContextSource::Url(url) => fetch_or_unpack(url, machine, credentials).map(Some),
        ContextSource::Archive(path) => unpack(path, "standard input", machine).map(Some),
        ContextSource::Git(git) => checkout(git, machine, credentials, cancel).map(Some),
    }
}

/// A named context that consists of files; `None` for images and bases.
pub fn open_named(
    context: &NamedContext,
    machine: &Machine,
    credentials: &Credentials,
    cancel: &Cancel,
) -> Result<Option<Held>, ContextSourceError> {
    match context {
        NamedContext::Directory(path) => Ok(Some(plain(path))),
        NamedContext::Git(git) => checkout(git, machine, credentials, cancel).map(Some),
        NamedContext::Url(url) => fetch(url, machine, credentials).map(Some),
        NamedContext::Image(_) | NamedContext::OciLayout { .. } | NamedContext::Base(_) => Ok(None),
    }
}

fn plain(path: &Path) -> Held {
    Held {
        directory: path.to_owned(),
        pin: None,
        scratch: None,
    }
}

/// Unpacks an archive that is called `name`.
fn unpack(path: &Path, name: &str, machine: &Machine) -> Result<Held, ContextSourceError> {
    let failed = |source| ContextSourceError::Read {
        name: name.to_owned(),
        source,
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    let reader = wharf_tree::compress::decompress_archive(file).map_err(failed)?;
    let mut blobs = machine.store.clone();
    let layer =
        tar::import_archive(reader, &mut blobs, &tar::ImportOptions::default()).map_err(|source| {
            ContextSourceError::Unpack {
                name: name.to_owned(),
                source,
            }
        })?;
    write(&merge(&Tree::empty(), &layer), machine)
}

fn checkout(
    source: &GitSource,
    machine: &Machine,
    credentials: &Credentials,
    cancel: &Cancel,
) -> Result<Held, ContextSourceError> {
    let patience = machine.network.patience(cancel);
    let checkout = git::checkout(source, &machine.store, credentials, &patience)?;
    let held = write(&*machine.roots.tree(&checkout.root)?, machine)?;
    Ok(Held {
        pin: Some(Pin::Commit(checkout.commit)),
        ..held
    })
}

/// An archive, or, as BuildKit has it, a text that is the Dockerfile of a context with nothing else in it.
fn fetch_or_unpack(
    url: &str,
    machine: &Machine,
    credentials: &Credentials,
) -> Result<Held, ContextSourceError> {
    let fetched = fetch(url, machine, credentials)?;
    let path = fetched.directory.join(FETCHED);
    let file = std::fs::File::open(&path).map_err(|source| ContextSourceError::Read {
        name: url.to_owned(),
        source,
    })?;
    if wharf_tree::compress::decompress_archive(file).is_ok_and(tar::is_archive) {
        return Ok(Held {
            pin: fetched.pin,
            ..unpack(&path, url, machine)?
        });
    }
    Ok(fetched)
}

/// A context that holds what is at `url` as a file.
fn fetch(url: &str, machine: &Machine, credentials: &Credentials) -> Result<Held, ContextSourceError> {
    let source = wharf_graph::HttpSource {
        url: url.to_owned(),
        checksum: None,
        file_name: FETCHED.to_owned(),
    };
    let root = download::fetch(&source, &machine.store, &machine.network, credentials)?;
    let tree = machine.roots.tree(&root)?;
    Ok(Held {
        pin: only_file(&tree).map(Pin::File),
        ..write(&tree, machine)?
    })
}

/// The file at `url`, and what keeps it.
pub(crate) fn fetch_file(
    url: &str,
    machine: &Machine,
    credentials: &Credentials,
) -> Result<(Held, PathBuf), ContextSourceError> {
    let fetched = fetch(url, machine, credentials)?;
    let path = fetched.directory.join(FETCHED);
    Ok((fetched, path))
}

/// The digest of the file that a download's root holds.
pub(crate) fn only_file(tree: &Tree) -> Option<Digest> {
    let digest = |entry: &Entry| match entry.node {
        Node::File { digest, .. } => Some(digest),
        _ => None,
    };
    tree.dir().entries().values().find_map(digest)
}

fn write(tree: &Tree, machine: &Machine) -> Result<Held, ContextSourceError> {
    let scratch = machine.store.work_dir()?;
    let directory = scratch.path().join("context");
    write_directory(tree, &machine.store, &directory)?;
    Ok(Held {
        directory,
        pin: None,
        scratch: Some(scratch),
    })
}
