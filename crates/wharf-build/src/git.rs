//! Repositories as roots: `ADD https://….git#ref:dir` and git contexts, by the machine's own `git`.
//!
//! A bare repository per remote is kept among the store's caches, so that a second build fetches what is new. Prompts, hooks,
//! system and user configuration that could run programs are switched off.

use std::{
    ffi::OsStr,
    io,
    ops::ControlFlow,
    path::Path,
    process::{Command, Output, Stdio},
};

use wharf_dockerfile::patterns::PatternMatcher;
use wharf_graph::GitSource;
use wharf_store::{Sharing, Store, StoreError};
use wharf_tree::TreePath;

use crate::{
    context::{ScanError, Wanted, scan},
    root::Root,
};

/// A repository could not be had.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// There is no `git`.
    #[error("cannot run git")]
    NoGit(#[source] io::Error),
    /// `git` failed.
    #[error("git {what} of {remote} failed: {message}")]
    Failed {
        /// `fetch`, `checkout`.
        what: &'static str,
        /// The repository.
        remote: String,
        /// The last line that git said.
        message: String,
    },
    /// The reference stands for another commit than the Dockerfile says.
    #[error("{remote}#{reference} is commit {found}, the Dockerfile says {expected}")]
    Checksum {
        /// The repository.
        remote: String,
        /// Branch or tag.
        reference: String,
        /// What was expected.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The repository has no such directory.
    #[error("{remote} has no directory {subdir}")]
    NoSubdirectory {
        /// The repository.
        remote: String,
        /// The directory.
        subdir: String,
    },
    /// The checkout cannot be read.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file of the checkout cannot be kept.
    #[error(transparent)]
    Blob(#[from] wharf_store::BlobError),
    /// A scratch directory cannot be used.
    #[error("cannot use {path}")]
    Scratch {
        /// The directory.
        path: std::path::PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl GitError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoGit(_) => Some("install git".to_owned()),
            Self::Checksum { .. } => {
                Some("the reference has moved; name the commit, or update the checksum".to_owned())
            }
            _ => None,
        }
    }
}

/// What a reference stood for.
#[derive(Debug, Clone)]
pub struct Checkout {
    /// The files.
    pub root: Root,
    /// The full commit, in hex.
    pub commit: String,
}

/// The root that holds the checkout.
pub fn checkout(source: &GitSource, store: &Store) -> Result<Checkout, GitError> {
    let id = format!("git-remote:{}", source.remote);
    let mut patience = |_: &wharf_store::Waiting| ControlFlow::Continue(());
    let repository = store.cache_mount(&id, Sharing::Locked, &mut patience)?;
    let mut repository = repository.expect("waiting is never given up");
    let git = Git {
        dir: repository.path(),
        remote: &source.remote,
    };
    if repository.is_new() {
        git.run("init", ["init", "--quiet", "--bare", "."])?;
    }
    let commit = git.commit(source)?;
    let work = store.work_dir()?;
    let files = work.path().join("checkout");
    git.check_out(source, &commit, &files)?;
    let root = read(source, &files, store)?;
    if repository.is_new() {
        repository.filled()?;
    }
    Ok(Checkout { root, commit })
}

struct Git<'a> {
    dir: &'a Path,
    remote: &'a str,
}

impl Git<'_> {
    /// Fetches what the reference stands for, and gives the full commit.
    fn commit(&self, source: &GitSource) -> Result<String, GitError> {
        let reference = if source.reference.is_empty() {
            "HEAD"
        } else {
            &source.reference
        };
        let is_commit = reference.len() == 40 && reference.bytes().all(|byte| byte.is_ascii_hexdigit());
        let known = is_commit
            && self
                .run("look-up", ["cat-file", "-e", &format!("{reference}^{{commit}}")])
                .is_ok();
        let commit = if known {
            reference.to_owned()
        } else {
            self.run(
                "fetch",
                [
                    "fetch",
                    "--quiet",
                    "--depth=1",
                    "--no-tags",
                    "--",
                    self.remote,
                    reference,
                ],
            )?;
            let peeled = self.run("fetch", ["rev-parse", "FETCH_HEAD^{commit}"])?;
            String::from_utf8_lossy(&peeled.stdout).trim().to_owned()
        };
        match &source.checksum {
            Some(expected) if !commit.starts_with(&expected.to_lowercase()) => Err(GitError::Checksum {
                remote: self.remote.to_owned(),
                reference: reference.to_owned(),
                expected: expected.clone(),
                found: commit,
            }),
            _ => Ok(commit),
        }
    }

    fn check_out(&self, source: &GitSource, commit: &str, files: &Path) -> Result<(), GitError> {
        let here = Git {
            dir: files,
            remote: self.remote,
        };
        std::fs::create_dir_all(files).map_err(|error| GitError::Scratch {
            path: files.to_owned(),
            source: error,
        })?;
        here.run("init", ["init", "--quiet", "."])?;
        let origin = self.dir.as_os_str();
        here.run(
            "fetch",
            [
                OsStr::new("fetch"),
                OsStr::new("--quiet"),
                OsStr::new("--depth=1"),
                origin,
                OsStr::new(commit),
            ],
        )?;
        here.run("checkout", ["checkout", "--quiet", "--detach", "FETCH_HEAD"])?;
        here.run("remote", ["remote", "add", "origin", self.remote])?;
        if source.submodules {
            here.run(
                "submodules",
                [
                    "submodule",
                    "update",
                    "--quiet",
                    "--init",
                    "--recursive",
                    "--depth=1",
                ],
            )?;
        }
        Ok(())
    }

    fn run<S: AsRef<OsStr>>(
        &self,
        what: &'static str,
        args: impl IntoIterator<Item = S>,
    ) -> Result<Output, GitError> {
        let output = Command::new("git")
            .args([
                "-c",
                "core.hooksPath=/dev/null",
                "-c",
                "protocol.ext.allow=never",
                "-c",
                "advice.detachedHead=false",
            ])
            .args(args)
            .current_dir(self.dir)
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env_remove("GIT_DIR")
            .env_remove("GIT_WORK_TREE")
            .stdin(Stdio::null())
            .output()
            .map_err(GitError::NoGit)?;
        if output.status.success() {
            return Ok(output);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let message = said
            .lines()
            .rfind(|line| !line.trim().is_empty())
            .unwrap_or("no message")
            .trim()
            .to_owned();
        Err(GitError::Failed {
            what,
            remote: self.remote.to_owned(),
            message,
        })
    }
}

/// What `git` says in a directory, in one line; `None` if it fails, or is not there.
pub(crate) fn ask(directory: &Path, args: &[&str]) -> Option<String> {
    let git = Git {
        dir: directory,
        remote: "",
    };
    let output = git.run("look-up", args).ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The checked-out files as a root in the store.
fn read(source: &GitSource, files: &Path, store: &Store) -> Result<Root, GitError> {
    if !source.keep_git_dir {
        let path = files.join(".git");
        std::fs::remove_dir_all(&path).map_err(|error| GitError::Scratch { path, source: error })?;
    }
    let subdir = TreePath::new(&source.subdir).unwrap_or_default();
    let from = files.join(std::str::from_utf8(subdir.as_bytes()).unwrap_or_default());
    if !from.is_dir() {
        return Err(GitError::NoSubdirectory {
            remote: source.remote.clone(),
            subdir: source.subdir.clone(),
        });
    }
    let scanned = scan(
        &from,
        &PatternMatcher::default(),
        &Wanted::everything(),
        &store.stat_cache(&from)?,
    )?;
    for path in scanned.contents.values() {
        let path = from.join(path);
        let file = std::fs::File::open(&path).map_err(|error| GitError::Scratch { path, source: error })?;
        store.put_file(&file)?;
    }
    Ok(Root::in_memory(scanned.tree))
}
