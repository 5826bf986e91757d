//! Why a base could not be made.

use wharf_store::{BlobError, StoreError, TreeError};

use crate::{
    apt::{acquire::AcquireError, host::HostError, origin::OriginError, resolve::ResolveError},
    dpkg::{archive::ArchiveError, merge::MergeError},
    lock::LockError,
    plan::ConfigureError,
};

/// Why a base could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BaseError {
    /// The machine's apt configuration could not be read.
    #[error(transparent)]
    Host(#[from] HostError),
    /// There is nowhere to get packages from.
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// The packages could not be chosen.
    #[error(transparent)]
    Resolve(Box<ResolveError>),
    /// The lock cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The platform has no name in the distribution's words.
    #[error("Debian and Ubuntu have no architecture for {0}")]
    Architecture(String),
    /// The settings make the base for another architecture than the build wants.
    #[error("`architectures` of the base begins with {own}, and {platform} is {wanted}")]
    OtherArchitecture {
        /// The first of the settings.
        own: String,
        /// What the build is for.
        platform: String,
        /// Its name in the distribution's words.
        wanted: &'static str,
    },
    /// A package file could not be fetched.
    #[error("cannot fetch {package} {version}")]
    Download {
        /// Its name.
        package: String,
        /// Its version.
        version: String,
        /// Why.
        source: Box<wharf_http::Error>,
    },
    /// A package file of a local archive could not be read.
    #[error("cannot read the file of {package}")]
    Local {
        /// Its name.
        package: String,
        /// Why.
        source: std::io::Error,
    },
    /// A package file is not the one that the archive vouches for.
    #[error("the file of {package} has another hash than the archive says")]
    Hash {
        /// Its name.
        package: String,
    },
    /// A package file could not be unpacked.
    #[error("cannot unpack {package}")]
    Unpack {
        /// Its name.
        package: String,
        /// Why.
        source: ArchiveError,
    },
    /// Packages cannot be unpacked side by side.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// The scripts failed.
    #[error(transparent)]
    Configure(#[from] ConfigureError),
    /// A base lacks what configures it, and no helper is known.
    #[error("the base lacks a program that its packages' scripts need, and its lock names no helper")]
    NoHelper,
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store lost something, or refused.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The store lost a layer, or refused.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// File contents could not be written or read.
    #[error("cannot keep the base's files")]
    Contents(#[from] std::io::Error),
    /// A thread of the base's own was lost.
    #[error("unpacking stopped unexpectedly")]
    Stopped,
}

impl From<ResolveError> for BaseError {
    fn from(error: ResolveError) -> Self {
        Self::Resolve(Box::new(error))
    }
}

impl BaseError {
    /// What the user can do, when that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Origin(error) => error.hint(),
            Self::Lock(error) => error.hint().map(str::to_owned),
            Self::OtherArchitecture { .. } => {
                Some("leave `architectures` out, so that the base is made for the platform of the build".to_owned())
            }
            Self::NoHelper => Some("run `wharf lock`".to_owned()),
            Self::Download { source, .. } if matches!(**source, wharf_http::Error::NotFound { .. }) => {
                Some("the archive has replaced this version: build with --pull, or run `wharf lock` if it is locked".to_owned())
            }
            Self::Resolve(error) => match &**error {
                ResolveError::Acquire(AcquireError::Origin(error)) => error.hint(),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether the settings are at fault, not the world: exit code 2 rather than 3.
    pub fn is_usage(&self) -> bool {
        let unsolved = matches!(self, Self::Resolve(error) if matches!(**error, ResolveError::Solve(_)));
        let settings = matches!(self, Self::Architecture(_) | Self::OtherArchitecture { .. });
        unsolved || settings || matches!(self, Self::Lock(_) | Self::Merge(_))
    }
}
