//! Registry images: what a reference stands for, and its files.

use serde::{Deserialize, Serialize};
use wharf_graph::{
    ImageSource, PullPolicy,
    event::{Event, Progress},
};
use wharf_oci::{Descriptor, Digest, Index, Manifest, Platform, Reference, config::ImageConfig};
use wharf_registry::Registry;
use wharf_solver::Task;
use wharf_store::{ImageRecord, LayerId, MemoKey, Root as Kept, Store};

use super::{ImageSourceError, Images};
use crate::{
    attest::AttestationManifest,
    exec::{StepOutput, now},
    image::{Built, BuiltImage, BuiltIndex, LayerBlob, PlatformImage},
    request::TAG_LIFETIME,
    root::{Layers, Root},
};

/// The most that is read of a manifest or configuration that the store has.
const DOCUMENT_LIMIT: u64 = 16 << 20;

/// What a reference stands for on a platform.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// Digest of the manifest.
    pub manifest: Digest,
    /// The image's configuration.
    pub config: ImageConfig,
}

/// What is remembered of a reference.
#[derive(Debug, Serialize, Deserialize)]
struct RememberedTag {
    manifest: Digest,
    asked_at: i64,
    /// What the reference itself names: an index, or the manifest.
    #[serde(default)]
    top: Option<Digest>,
}

impl Images {
    /// What the reference stands for: as the store's images and a recent answer say, else as the registry says.
    pub fn resolve(&self, image: &ImageSource, platform: &Platform) -> Result<Resolved, ImageSourceError> {
        let mut reference: Reference = image.reference.parse()?;
        if let Some(digest) = self.project().from.get(&reference) {
            reference = reference.with_digest(digest);
        }
        if image.pull == PullPolicy::Default
            && let Some(manifest) = self.known(&reference, platform)?
            && let Some(resolved) = self.resolved(manifest)?
        {
            return Ok(resolved);
        }
        let registry = self.registry()?;
        let pulled = self.network.wait(registry.pull(&reference, platform))?;
        let manifest = self.store.put_bytes(&pulled.manifest_document.bytes)?;
        let config = self.store.put_bytes(&pulled.config_bytes)?;
        let tag = RememberedTag {
            manifest,
            asked_at: now(),
            top: Some(pulled.top.descriptor.digest),
        };
        self.store.set_memo(
            &tag_key(&reference, platform),
            &tag,
            &[Kept::Blob(manifest), Kept::Blob(config)],
        )?;
        Ok(Resolved {
            manifest,
            config: pulled.config,
        })
    }

    /// What the reference of an image named when the build asked: the index, if it was one. `None` if that is not known.
    pub fn named_digest(
        &self,
        image: &ImageSource,
        platform: &Platform,
    ) -> Result<Option<Digest>, ImageSourceError> {
        let mut reference: Reference = image.reference.parse()?;
        if let Some(digest) = self.project().from.get(&reference) {
            reference = reference.with_digest(digest);
        }
        if let Some(digest) = reference.digest() {
            return Ok(Some(*digest));
        }
        // An image of COPY --from names no manifest before its step runs.
        let is_it = |manifest: Digest| image.digest.is_none_or(|digest| digest == manifest);
        if let Some(record) = self.store.image(&reference.to_string())?
            && self.manifest_for(&record, platform)?.is_some_and(is_it)
        {
            return Ok(Some(record.manifest));
        }
        let tag: Option<RememberedTag> = self.store.memo(&tag_key(&reference, platform))?;
        let same = tag.filter(|tag| is_it(tag.manifest));
        Ok(same.map(|tag| tag.top.unwrap_or(tag.manifest)).or(image.digest))
    }

    /// The configuration of an image as far as it is known without asking: that of an image of the store, or what the registry's last
    /// answer named, however old.
    pub fn known_config(
        &self,
        name: &str,
        platform: &Platform,
    ) -> Result<Option<ImageConfig>, ImageSourceError> {
        let reference = name.parse::<Reference>()?.or_latest();
        let manifest = match self.named(&reference, platform)? {
            Some(manifest) => Some(manifest),
            None => self.remembered(&reference, platform)?.map(|tag| tag.manifest),
        };
        let resolved = manifest.map(|manifest| self.resolved(manifest)).transpose()?;
        Ok(resolved.flatten().map(|resolved| resolved.config))
    }

    /// The manifest that an image of the store, or an answer of today, says.
    fn known(&self, reference: &Reference, platform: &Platform) -> Result<Option<Digest>, ImageSourceError> {
        if let Some(manifest) = self.named(reference, platform)? {
            return Ok(Some(manifest));
        }
        let fresh = |tag: &RememberedTag| {
            reference.digest().is_some() || now().saturating_sub(tag.asked_at) < TAG_LIFETIME.as_secs() as i64
        };
        let tag = self.remembered(reference, platform)?;
        Ok(tag.filter(fresh).map(|tag| tag.manifest))
    }

    /// The manifest that an image of the store has for the platform.
    fn named(&self, reference: &Reference, platform: &Platform) -> Result<Option<Digest>, ImageSourceError> {
        match self.store.image(&reference.to_string())? {
            Some(image) => self.manifest_for(&image, platform),
            None => Ok(None),
        }
    }

    /// The registry's last answer.
    fn remembered(
        &self,
        reference: &Reference,
        platform: &Platform,
    ) -> Result<Option<RememberedTag>, ImageSourceError> {
        Ok(self.store.memo(&tag_key(reference, platform))?)
    }

    /// The manifest of an image of the store, if it has one for the platform.
    fn manifest_for(
        &self,
        image: &ImageRecord,
        platform: &Platform,
    ) -> Result<Option<Digest>, ImageSourceError> {
        if !image.images.is_empty() {
            let index: Index = self.json(&image.manifest)?;
            return Ok(index.select(platform).map(|chosen| chosen.digest));
        }
        let fits =
            |config: &ImageConfig| config.architecture.is_empty() || platform.runs(&Platform::of(config));
        let resolved = self.resolved(image.manifest)?;
        Ok(resolved
            .is_none_or(|resolved| fits(&resolved.config))
            .then_some(image.manifest))
    }

    fn resolved(&self, manifest: Digest) -> Result<Option<Resolved>, ImageSourceError> {
        if !self.store.contains(&manifest)? {
            return Ok(None);
        }
        let parsed = self.manifest(&manifest)?;
        if !self.store.contains(&parsed.config.digest)? {
            return Ok(None);
        }
        Ok(Some(Resolved {
            manifest,
            config: self.image_config(&parsed)?,
        }))
    }

    pub(super) fn manifest(&self, digest: &Digest) -> Result<Manifest, ImageSourceError> {
        self.json(digest)
    }

    pub(super) fn image_config(&self, manifest: &Manifest) -> Result<ImageConfig, ImageSourceError> {
        self.json(&manifest.config.digest)
    }

    fn json<T: serde::de::DeserializeOwned>(&self, digest: &Digest) -> Result<T, ImageSourceError> {
        let bytes = self.store.read_blob(digest, DOCUMENT_LIMIT)?;
        serde_json::from_slice(&bytes).map_err(|error| ImageSourceError::Document {
            name: digest.to_string(),
            message: error.to_string(),
        })
    }

    /// The files of a registry's image, if they are here and it is known that it is this image.
    pub fn image_at_hand(&self, image: &ImageSource) -> Result<Option<Root>, ImageSourceError> {
        Ok(match image.digest {
            Some(digest) if self.store.contains(&digest)? => self.known_root(&digest)?,
            _ => None,
        })
    }

    /// The files of a registry's image.
    pub fn pull(
        &self,
        image: &ImageSource,
        platform: &Platform,
        task: &Task<'_, StepOutput>,
    ) -> Result<Root, ImageSourceError> {
        let manifest = match image.digest {
            Some(digest) if self.store.contains(&digest)? => digest,
            _ => self.resolve(image, platform)?.manifest,
        };
        let report = |progress: Progress| {
            task.observer.observe(Event::StepProgress(Progress {
                step: Some(task.step.id),
                ..progress
            }));
        };
        self.root_of(&image.reference.parse()?, &manifest, &report)
    }

    /// The files of the image with this manifest, which the store has.
    pub fn root_of(
        &self,
        reference: &Reference,
        digest: &Digest,
        report: &(dyn Fn(Progress) + Sync),
    ) -> Result<Root, ImageSourceError> {
        if let Some(root) = self.known_root(digest)? {
            return Ok(root);
        }
        let manifest = self.manifest(digest)?;
        self.download_layers(reference, &manifest, report)?;
        let config = self.image_config(&manifest)?;
        self.unpack(digest, &manifest, &config)
    }

    /// What the store keeps for a name of this image.
    pub fn record(&self, digest: &Digest, root: &Root) -> Result<ImageRecord, ImageSourceError> {
        let manifest = self.manifest(digest)?;
        let bytes = self.store.read_blob(digest, DOCUMENT_LIMIT)?;
        let media_type = manifest.media_type.clone().map_or_else(
            || "application/vnd.oci.image.manifest.v1+json".to_owned(),
            |media_type| media_type.as_str().to_owned(),
        );
        let layers = manifest.layers.iter().map(|layer| layer.digest);
        Ok(ImageRecord {
            manifest: *digest,
            media_type,
            size: bytes.len() as u64,
            layers: root.stored().to_vec(),
            blobs: [*digest, manifest.config.digest]
                .into_iter()
                .chain(layers)
                .collect(),
            images: Vec::new(),
            named_at: now(),
            rest: serde_json::Map::new(),
        })
    }

    /// What the store has under a name, as it was built or pulled.
    pub fn stored(&self, record: &ImageRecord) -> Result<Built, ImageSourceError> {
        if record.images.is_empty() {
            let image = self.stored_image(&record.manifest, &record.media_type, &record.layers)?;
            return Ok(Built::Image(Box::new(image)));
        }
        let index: Index = self.json(&record.manifest)?;
        let (about, images): (Vec<_>, Vec<_>) = index
            .manifests
            .iter()
            .partition(|entry| AttestationManifest::about_of(entry).is_some());
        let images = images.into_iter().map(|entry| {
            Ok(PlatformImage {
                platform: entry.platform().unwrap_or_else(Platform::host),
                image: self.image_of_index(record, entry)?,
            })
        });
        Ok(Built::Index(BuiltIndex {
            digest: record.manifest,
            bytes: self.store.read_blob(&record.manifest, DOCUMENT_LIMIT)?,
            media_type: record.media_type.clone(),
            images: images.collect::<Result<_, ImageSourceError>>()?,
            attestations: about
                .into_iter()
                .filter_map(|entry| self.attestations(entry).transpose())
                .collect::<Result<_, _>>()?,
        }))
    }

    /// The attestations that an entry of an index names.
    pub(super) fn attestations(
        &self,
        entry: &Descriptor,
    ) -> Result<Option<AttestationManifest>, ImageSourceError> {
        let Some(about) = AttestationManifest::about_of(entry) else {
            return Ok(None);
        };
        Ok(Some(AttestationManifest {
            digest: entry.digest,
            bytes: self.store.read_blob(&entry.digest, DOCUMENT_LIMIT)?,
            manifest: self.manifest(&entry.digest)?,
            about,
        }))
    }

    /// What the store has under a name: of an index the image for `platform`.
    pub fn stored_for(
        &self,
        record: &ImageRecord,
        platform: &Platform,
    ) -> Result<BuiltImage, ImageSourceError> {
        if record.images.is_empty() {
            return self.stored_image(&record.manifest, &record.media_type, &record.layers);
        }
        let index: Index = self.json(&record.manifest)?;
        let chosen = index
            .select(platform)
            .ok_or_else(|| ImageSourceError::NotInIndex {
                wanted: Box::new(platform.clone()),
                offered: index.platforms(),
            })?;
        self.image_of_index(record, chosen)
    }

    fn image_of_index(
        &self,
        record: &ImageRecord,
        entry: &Descriptor,
    ) -> Result<BuiltImage, ImageSourceError> {
        let kept = record.images.iter().find(|kept| kept.manifest == entry.digest);
        let layers = kept.map_or(&[][..], |kept| &kept.layers);
        self.stored_image(&entry.digest, entry.media_type.as_str(), layers)
    }

    pub(super) fn stored_image(
        &self,
        digest: &Digest,
        media_type: &str,
        kept: &[LayerId],
    ) -> Result<BuiltImage, ImageSourceError> {
        let manifest = self.manifest(digest)?;
        let config = self.image_config(&manifest)?;
        let layers = manifest
            .layers
            .iter()
            .zip(&config.rootfs.diff_ids)
            .map(|(layer, diff_id)| LayerBlob {
                diff_id: *diff_id,
                digest: layer.digest,
                size: layer.size,
                media_type: layer.media_type.as_str().to_owned(),
            });
        let tree = self
            .known_root(digest)?
            .map_or_else(|| wharf_tree::Tree::empty().digest(), |known| known.tree);
        Ok(BuiltImage {
            manifest: *digest,
            manifest_bytes: self.store.read_blob(digest, DOCUMENT_LIMIT)?,
            media_type: media_type.to_owned(),
            config: manifest.config.digest,
            config_bytes: self.store.read_blob(&manifest.config.digest, DOCUMENT_LIMIT)?,
            layers: layers.collect(),
            root: Root {
                layers: Layers::Stored(kept.to_vec()),
                tree,
            },
        })
    }

    /// Brings the layers' blobs that the store lacks, several at once.
    fn download_layers(
        &self,
        reference: &Reference,
        manifest: &Manifest,
        report: &(dyn Fn(Progress) + Sync),
    ) -> Result<(), ImageSourceError> {
        let mut wanted = Vec::new();
        for layer in &manifest.layers {
            if !self.store.contains(&layer.digest)? {
                wanted.push(layer);
            }
            let key = origin_key(&layer.digest);
            self.store.set_memo(&key, &reference.name(), &[])?;
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let registry = self.registry()?;
        std::thread::scope(|scope| {
            let downloads: Vec<_> = wanted
                .into_iter()
                .map(|layer| {
                    scope.spawn(|| {
                        let _connection = self.connection(reference)?.ok_or(ImageSourceError::Interrupted)?;
                        if self.store.contains(&layer.digest)? {
                            // Another process has just brought it.
                            return Ok(());
                        }
                        self.network
                            .wait(download(registry, reference, layer, &self.store, report))
                    })
                })
                .collect();
            let ended = downloads
                .into_iter()
                .map(|download| download.join().expect("a download does not panic"));
            ended.collect::<Result<Vec<()>, _>>().map(drop)
        })
    }
}

pub(super) async fn download(
    registry: &Registry,
    reference: &Reference,
    layer: &Descriptor,
    store: &Store,
    report: &(dyn Fn(Progress) + Sync),
) -> Result<(), ImageSourceError> {
    let mut download = registry.blob(reference, layer).await?;
    let mut writer = store.writer();
    let mut told = std::time::Instant::now();
    let tell = |done: u64| {
        report(Progress {
            step: None,
            phase: None,
            item: layer.digest.short(),
            done,
            total: Some(layer.size),
        });
    };
    while let Some(chunk) = download.chunk().await? {
        std::io::Write::write_all(&mut writer, &chunk).map_err(|source| super::LayerImportError::Read {
            digest: layer.digest,
            source,
        })?;
        if told.elapsed().as_millis() > 100 {
            told = std::time::Instant::now();
            tell(writer.length());
        }
    }
    tell(writer.length());
    writer.finish(Some(&layer.digest))?;
    Ok(())
}

fn tag_key(reference: &Reference, platform: &Platform) -> MemoKey {
    MemoKey::new(
        "tag",
        &[reference.to_string().as_bytes(), platform.to_string().as_bytes()],
    )
}

/// Where a blob came from: a registry that is pushed to may mount it from there.
pub(super) fn origin_key(blob: &Digest) -> MemoKey {
    MemoKey::new("blob-origin", &[blob.as_bytes()])
}
