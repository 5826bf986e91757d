//! Bases made of packages.

use wharf_graph::BaseImage;
use wharf_oci::Platform;

use super::{ImageSourceError, Images};
use crate::{build::Phases, root::Root};

/// Where packages come from when the host's own sources do not say it.
#[derive(Debug, Clone, Default)]
pub struct BaseOptions {
    /// Root URL of a Debian archive.
    pub debian: Option<String>,
    /// Root URL of a Debian security archive.
    pub debian_security: Option<String>,
    /// Root URL of an Ubuntu archive.
    pub ubuntu: Option<String>,
}

/// A base cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum BaseError {
    /// wharf.toml has no such table.
    #[error("there is no base called {0}")]
    Unknown(String),
}

impl BaseError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        None
    }
}

impl Images {
    pub(super) fn base_config(
        &self,
        name: &str,
        _platform: &Platform,
        _phases: &Phases<'_>,
    ) -> Result<BaseImage, ImageSourceError> {
        Err(BaseError::Unknown(name.to_owned()).into())
    }

    /// The files of a base.
    pub fn base(&self, name: &str) -> Result<Root, ImageSourceError> {
        Err(BaseError::Unknown(name.to_owned()).into())
    }
}
