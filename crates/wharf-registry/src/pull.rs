//! From a reference to the image for a platform: index, manifest, configuration. Layers come as they are wanted.

use wharf_http::Bytes;
use wharf_oci::{Document, Index, Kind, Manifest, Platform, Reference, config::ImageConfig};

use crate::{Error, Fetched, Registry, manifests};

/// An image, its layers not included.
#[derive(Debug, Clone)]
pub struct Pulled {
    /// What the reference names: an index, or the manifest itself.
    pub top: Fetched,
    /// The manifest for the platform.
    pub manifest: Manifest,
    /// The manifest's bytes and digest.
    pub manifest_document: Fetched,
    /// The image configuration.
    pub config: ImageConfig,
    /// The configuration's bytes, which the manifest names by digest.
    pub config_bytes: Bytes,
}

/// An index may name further indexes; nobody nests them deeper than this.
const MAX_DEPTH: usize = 4;

impl Registry {
    /// The image that `reference` names, of an index the one for `platform`. An image that is in no index is for the platform that its
    /// configuration says.
    pub async fn pull(&self, reference: &Reference, platform: &Platform) -> Result<Pulled, Error> {
        let top = self.manifest(reference).await?;
        self.image(reference, top, platform).await
    }

    /// [`pull`](Self::pull) of what was fetched already.
    pub async fn image(
        &self,
        reference: &Reference,
        top: Fetched,
        platform: &Platform,
    ) -> Result<Pulled, Error> {
        let mut current = top.clone();
        for _ in 0..MAX_DEPTH {
            let next = match &current.document {
                Document::Manifest(manifest) => {
                    let manifest = Manifest::clone(manifest);
                    return self.configured(reference, top, current, manifest).await;
                }
                Document::Index(index) => select(index, reference, platform)?,
            };
            current = self.manifest(&reference.with_digest(next.digest)).await?;
        }
        Err(Error::Protocol {
            name: reference.familiar(),
            what: "indexes within indexes without end",
        })
    }

    async fn configured(
        &self,
        reference: &Reference,
        top: Fetched,
        manifest_document: Fetched,
        manifest: Manifest,
    ) -> Result<Pulled, Error> {
        let media_type = manifest
            .artifact_type
            .as_deref()
            .map_or_else(|| manifest.config.media_type.clone(), wharf_oci::MediaType::new);
        if manifest.config.media_type.kind() != Kind::Config {
            return Err(Error::NotAnImage {
                name: reference.familiar(),
                media_type,
            });
        }
        let config_bytes = manifests::small(self, reference, &manifest.config).await?;
        let config = ImageConfig::from_json(&config_bytes).map_err(|source| Error::Config {
            name: reference.familiar(),
            source,
        })?;
        Ok(Pulled {
            top,
            manifest,
            manifest_document,
            config,
            config_bytes,
        })
    }
}

fn select<'a>(
    index: &'a Index,
    reference: &Reference,
    platform: &Platform,
) -> Result<&'a wharf_oci::Descriptor, Error> {
    index.select(platform).ok_or_else(|| Error::WrongPlatform {
        name: reference.familiar(),
        wanted: Box::new(platform.clone()),
        offered: index.platforms(),
    })
}
