//! Why an image cannot be had or sent.

use std::{io, path::PathBuf};

use wharf_oci::Platform;
use wharf_store::{BlobError, StoreError, TreeError};

use super::{base::BaseError, layers::LayerImportError};

/// An image cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ImageSourceError {
    /// The registries' settings are wrong.
    #[error("cannot use the registry settings")]
    Settings(#[from] wharf_registry::SettingsError),
    /// The registry does not give it.
    #[error(transparent)]
    Registry(#[from] wharf_registry::Error),
    /// The reference is none.
    #[error(transparent)]
    Reference(#[from] wharf_oci::ParseReferenceError),
    /// A document of the image cannot be read.
    #[error("{name}: {message}")]
    Document {
        /// The image.
        name: String,
        /// What is wrong with it.
        message: String,
    },
    /// A layer cannot be unpacked.
    #[error(transparent)]
    Layer(#[from] LayerImportError),
    /// The layout cannot be read.
    #[error("cannot read the OCI layout {path}")]
    Layout {
        /// A file of it.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The layout does not have it.
    #[error("the OCI layout {path} has no {wanted}")]
    NotInLayout {
        /// The layout.
        path: PathBuf,
        /// What was looked for.
        wanted: String,
    },
    /// The store's index does not have it.
    #[error("the image is for {}, not for {wanted}", list(offered))]
    NotInIndex {
        /// The platform that was asked for.
        wanted: Box<Platform>,
        /// Those that there are.
        offered: Vec<Platform>,
    },
    /// A base of packages cannot be made.
    #[error(transparent)]
    Base(#[from] BaseError),
    /// The build was stopped.
    #[error("interrupted")]
    Interrupted,
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A blob cannot be had or kept.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// A tree cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

impl From<crate::root::PushError> for ImageSourceError {
    fn from(error: crate::root::PushError) -> Self {
        match error {
            crate::root::PushError::Tree(error) => Self::Tree(error),
            crate::root::PushError::Store(error) => Self::Store(error),
        }
    }
}

impl ImageSourceError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Registry(error) => registry_hint(error),
            Self::Base(error) => error.hint(),
            _ => None,
        }
    }
}

impl ImageSourceError {
    /// Whether what was asked for is at fault (exit code 2) rather than the world.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Base(error) => error.is_usage(),
            Self::Reference(_) | Self::NotInLayout { .. } | Self::NotInIndex { .. } => true,
            _ => false,
        }
    }
}

fn list(platforms: &[Platform]) -> String {
    let names: Vec<_> = platforms.iter().map(ToString::to_string).collect();
    names.join(", ")
}

fn registry_hint(error: &wharf_registry::Error) -> Option<String> {
    use wharf_registry::Error;
    Some(match error {
        Error::NotFound { .. } => {
            "check name and tag; a name without a registry is looked up at docker.io, and a base made of \
                                   packages needs a [base.NAME] table in wharf.toml"
                .to_owned()
        }
        Error::Unauthorized { .. } => "log in with `docker login` or `podman login`".to_owned(),
        Error::Unreachable { .. } => "check the network, or name a mirror in registries.conf".to_owned(),
        Error::WrongPlatform { .. } => "name an image for this platform, or another --platform".to_owned(),
        _ => return None,
    })
}

/// An image cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The registries' settings cannot be used.
    #[error(transparent)]
    Source(#[from] ImageSourceError),
    /// The registry does not take it.
    #[error(transparent)]
    Registry(#[from] wharf_registry::Error),
    /// A layer's blob cannot be had.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl PushError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Registry(error) => registry_hint(error),
            Self::Source(error) => error.hint(),
            _ => None,
        }
    }
}
