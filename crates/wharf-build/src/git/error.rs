//! Why a repository could not be had, and what to do about it.

use std::io;

use wharf_store::StoreError;

use crate::{context::ScanError, credentials::CredentialError};

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
    /// The server was silent for too long.
    #[error("git {what} of {remote} failed: nothing came for {} s", .silence.as_secs())]
    Silent {
        /// `fetch`.
        what: &'static str,
        /// The repository.
        remote: String,
        /// How long it was waited for.
        silence: std::time::Duration,
    },
    /// The build ended.
    #[error("git {what} of {remote} was interrupted")]
    Interrupted {
        /// `fetch`.
        what: &'static str,
        /// The repository.
        remote: String,
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
    /// The server cannot be told what it wants to know.
    #[error(transparent)]
    Credential(#[from] CredentialError),
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
            Self::Silent { .. } => Some(
                "the server accepts connections but does not answer: try again, or ask whoever runs it"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}
