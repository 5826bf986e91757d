//! Why an output could not be made, and what to do about it.

use std::{io, path::PathBuf};

use wharf_store::{StoreError, TreeError};

use crate::{
    attest::AttestError,
    export::{ArchiveError, EngineError, FilesError},
    image::AssembleError,
    image_source::PushError,
};

/// An output could not be made.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The image cannot be put together.
    #[error("cannot make the image")]
    Assemble(#[from] AssembleError),
    /// The archive cannot be written.
    #[error("cannot write the image")]
    Archive(#[from] ArchiveError),
    /// The files cannot be written.
    #[error("cannot write the files of the image")]
    Files(#[from] FilesError),
    /// The destination cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// The destination.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No engine took the image.
    #[error("cannot load the image")]
    Engine(#[from] EngineError),
    /// Attestations cannot be made.
    #[error("cannot make the attestations")]
    Attest(#[source] Box<AttestError>),
    /// No registry took the image.
    #[error("cannot push {name}")]
    Push {
        /// The name.
        name: String,
        /// Why.
        source: Box<PushError>,
    },
    /// `docker load` takes one image.
    #[error("docker exporter does not currently support exporting manifest lists")]
    SeveralPlatforms,
    /// There is nothing to push as.
    #[error("a pushed image needs a name")]
    NoName,
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A tree cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

/// What to do when an engine is to be given the images of several platforms.
pub const SEVERAL_PLATFORMS: &str =
    "name one --platform, or make an index with -o type=oci,dest=image.tar, -o type=image or --push";

impl From<AttestError> for OutputError {
    fn from(error: AttestError) -> Self {
        Self::Attest(Box::new(error))
    }
}

impl OutputError {
    /// Whether the request asks for what cannot be.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Attest(error) if error.is_usage())
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Engine(EngineError::NoEngine(_)) => Some(
                "start Docker or Podman, or write an archive with -o type=docker,dest=image.tar".to_owned(),
            ),
            Self::SeveralPlatforms => Some(SEVERAL_PLATFORMS.to_owned()),
            Self::NoName => Some("give it one with -t registry/name:tag".to_owned()),
            Self::Push { source, .. } => source.hint(),
            Self::Attest(error) => error.hint(),
            _ => None,
        }
    }
}
