//! Several images of an index at once, with what is attested of them: `wharf pull --platform`.

use wharf_graph::event::Progress;
use wharf_oci::{Descriptor, Document, Index, Kind, Platform, Reference};
use wharf_store::ImageRecord;

use super::{ImageSourceError, Images, pull::download};
use crate::{
    attest::AttestationManifest,
    image::{Built, BuiltIndex, PlatformImage},
    output,
};

/// Which images of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WantedPlatforms {
    /// All, and so the index itself.
    All,
    /// Those for these, for which an index of their own is made.
    These(Vec<Platform>),
}

impl Images {
    /// Fetches images of the index that `reference` names, to be kept as one: all of them keep the digest of the index. An image that
    /// is in no index is all that there is.
    pub fn pull_index(
        &self,
        reference: &Reference,
        wanted: &WantedPlatforms,
        report: &(dyn Fn(Progress) + Sync),
    ) -> Result<ImageRecord, ImageSourceError> {
        let top = self.network.wait(self.registry()?.manifest(reference))?;
        let Document::Index(index) = &top.document else {
            let built = self.pull_only(reference, &top.descriptor, wanted, report)?;
            return Ok(output::record(&built));
        };
        let entries = chosen(reference, index, wanted)?;
        let mut images = Vec::new();
        for entry in &entries {
            images.push(self.pull_entry(reference, entry, report)?);
        }
        let attestations = self.pull_attestations(reference, index, &entries, report)?;
        let built = match wanted {
            WantedPlatforms::All => BuiltIndex {
                digest: self.store.put_bytes(&top.bytes)?,
                bytes: top.bytes.to_vec(),
                media_type: top.descriptor.media_type.as_str().to_owned(),
                images,
                attestations,
            },
            WantedPlatforms::These(_) => {
                let is_oci = !top.descriptor.media_type.as_str().contains("docker");
                BuiltIndex::new(images, attestations, &[], is_oci, &self.store)?
            }
        };
        Ok(output::record(&Built::Index(built)))
    }

    fn pull_only(
        &self,
        reference: &Reference,
        entry: &Descriptor,
        wanted: &WantedPlatforms,
        report: &(dyn Fn(Progress) + Sync),
    ) -> Result<Built, ImageSourceError> {
        let image = self.pull_entry(reference, entry, report)?.image;
        let config = self.image_config(&self.manifest(&entry.digest)?)?;
        let platform = Platform::of(&config);
        match wanted {
            WantedPlatforms::These(these) if !these.iter().all(|wanted| wanted.runs(&platform)) => {
                Err(lacks(reference, &these[0], vec![platform]))
            }
            _ => Ok(Built::Image(Box::new(image))),
        }
    }

    fn pull_entry(
        &self,
        reference: &Reference,
        entry: &Descriptor,
        report: &(dyn Fn(Progress) + Sync),
    ) -> Result<PlatformImage, ImageSourceError> {
        let platform = entry.platform().unwrap_or_else(Platform::host);
        let own = reference.with_digest(entry.digest);
        let pulled = self.network.wait(self.registry()?.pull(&own, &platform))?;
        self.store.put_bytes(&pulled.manifest_document.bytes)?;
        self.store.put_bytes(&pulled.config_bytes)?;
        let root = self.root_of(reference, &entry.digest, report)?;
        let image = self.stored_image(&entry.digest, entry.media_type.as_str(), root.stored())?;
        Ok(PlatformImage { platform, image })
    }

    /// What is attested of the chosen images.
    fn pull_attestations(
        &self,
        reference: &Reference,
        index: &Index,
        chosen: &[&Descriptor],
        report: &(dyn Fn(Progress) + Sync),
    ) -> Result<Vec<AttestationManifest>, ImageSourceError> {
        let is_chosen = |entry: &&Descriptor| {
            let about = AttestationManifest::about_of(entry);
            about.is_some_and(|about| chosen.iter().any(|image| image.digest == about))
        };
        let mut attestations = Vec::new();
        for entry in index.manifests.iter().filter(is_chosen) {
            let own = reference.with_digest(entry.digest);
            let fetched = self.network.wait(self.registry()?.manifest(&own))?;
            self.store.put_bytes(&fetched.bytes)?;
            for blob in self.manifest(&entry.digest)?.blobs() {
                if !self.store.contains(&blob.digest)? {
                    let blob = download(self.registry()?, reference, blob, &self.store, report);
                    self.network.wait(blob)?;
                }
            }
            attestations.extend(self.attestations(entry)?);
        }
        Ok(attestations)
    }
}

fn chosen<'a>(
    reference: &Reference,
    index: &'a Index,
    wanted: &WantedPlatforms,
) -> Result<Vec<&'a Descriptor>, ImageSourceError> {
    let entries = match wanted {
        WantedPlatforms::All => index
            .manifests
            .iter()
            .filter(|entry| AttestationManifest::about_of(entry).is_none())
            .collect::<Vec<_>>(),
        WantedPlatforms::These(these) => these
            .iter()
            .map(|platform| {
                let found = index.select(platform);
                found.ok_or_else(|| lacks(reference, platform, index.platforms()))
            })
            .collect::<Result<_, _>>()?,
    };
    if entries.iter().any(|entry| entry.media_type.kind() == Kind::Index) {
        let error = wharf_registry::Error::Protocol {
            name: reference.familiar(),
            what: "an index within an index, of which only one platform can be pulled",
        };
        return Err(error.into());
    }
    Ok(entries)
}

fn lacks(reference: &Reference, wanted: &Platform, offered: Vec<Platform>) -> ImageSourceError {
    wharf_registry::Error::WrongPlatform {
        name: reference.familiar(),
        wanted: Box::new(wanted.clone()),
        offered,
    }
    .into()
}
