//! What lowering must be told of base images.

use wharf_dockerfile::Span;
use wharf_oci::{Digest, Platform, config::ImageConfig};

use crate::source::Source;

/// A base whose configuration is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseRequest {
    /// Which: a [`Source::Image`], [`Source::Base`] or [`Source::OciLayout`].
    pub source: Source,
    /// For what.
    pub platform: Platform,
    /// As the Dockerfile writes it.
    pub name: String,
    /// Where the Dockerfile writes it.
    pub span: Span,
}

impl BaseRequest {
    /// Whether this is a request for `source` on `platform`.
    pub fn is_for(&self, source: &Source, platform: &Platform) -> bool {
        self.source == *source && self.platform == *platform
    }
}

/// What is known of a base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseImage {
    /// Its configuration.
    pub config: ImageConfig,
    /// The digest of its manifest: the step that brings its files names it. `None` for bases made of packages.
    pub digest: Option<Digest>,
}

/// The bases that are known.
#[derive(Debug, Clone, Default)]
pub struct Bases(Vec<(BaseRequest, BaseImage)>);

impl Bases {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers a request.
    pub fn insert(&mut self, request: BaseRequest, image: BaseImage) {
        self.0.push((request, image));
    }

    /// The base that is `source` on `platform`.
    pub fn get(&self, source: &Source, platform: &Platform) -> Option<&BaseImage> {
        let found = self
            .0
            .iter()
            .find(|(request, _)| request.is_for(source, platform))?;
        Some(&found.1)
    }
}
