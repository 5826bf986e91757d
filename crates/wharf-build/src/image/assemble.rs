//! The configuration document and the manifest, from what the steps yielded.

use serde_json::json;
use wharf_graph::Target;
use wharf_oci::{Digest, config::History};
use wharf_store::{BlobError, Store};

use super::layer_blob::{LayerBlob, LayerBlobError, LayerBlobs, LayerSettings};
use crate::{request::Annotation, request::AnnotationLevel, root::Root};

/// What an image is made of.
#[derive(Debug)]
pub struct ImageParts<'a> {
    /// Configuration without `created`, `rootfs` and `history`, and the history without times.
    pub target: &'a Target,
    /// The files.
    pub root: &'a Root,
    /// When the steps of the history ran: one for each history entry.
    pub times: &'a [StepTime],
    /// SOURCE_DATE_EPOCH.
    pub epoch: Option<i64>,
    /// Annotations of manifest level are taken from these.
    pub annotations: &'a [Annotation],
}

/// When the step of a history entry ran, in seconds since the epoch. `None` for entries that have a time of their own or none.
pub type StepTime = Option<i64>;

/// An image in the store: all its blobs are there but those of pulled layers, which may have to be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltImage {
    /// Digest of the manifest.
    pub manifest: Digest,
    /// The manifest's bytes.
    pub manifest_bytes: Vec<u8>,
    /// The manifest's media type.
    pub media_type: String,
    /// Digest of the configuration: the image ID.
    pub config: Digest,
    /// The configuration's bytes.
    pub config_bytes: Vec<u8>,
    /// Base layer first.
    pub layers: Vec<LayerBlob>,
    /// The files.
    pub root: Root,
}

/// An image could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    /// A layer could not be encoded.
    #[error(transparent)]
    Layer(#[from] LayerBlobError),
    /// A document could not be stored.
    #[error(transparent)]
    Blob(#[from] BlobError),
}

impl BuiltImage {
    /// Sum of the sizes of configuration and layers, in bytes.
    pub fn size(&self) -> u64 {
        self.config_bytes.len() as u64 + self.layers.iter().map(|layer| layer.size).sum::<u64>()
    }
}

/// Puts an image together and stores its documents.
pub fn assemble(
    parts: &ImageParts<'_>,
    settings: &LayerSettings,
    blobs: &LayerBlobs,
    store: &Store,
) -> Result<BuiltImage, AssembleError> {
    let layers = blobs.of_root(parts.root, settings)?;
    let config_bytes = config_document(parts, &layers);
    let config = store.put_bytes(&config_bytes)?;
    let (media_type, manifest_bytes) =
        manifest_document(parts, settings, config, config_bytes.len(), &layers);
    let manifest = store.put_bytes(&manifest_bytes)?;
    Ok(BuiltImage {
        manifest,
        manifest_bytes,
        media_type,
        config,
        config_bytes,
        layers,
        root: parts.root.clone(),
    })
}

fn config_document(parts: &ImageParts<'_>, layers: &[LayerBlob]) -> Vec<u8> {
    let mut config = parts.target.config.clone();
    config.rootfs.diff_ids = layers.iter().map(|layer| layer.diff_id).collect();
    config.history = history(parts);
    config.created = created(&config.history, parts.epoch);
    serde_json::to_vec(&config).expect("a configuration has only string keys")
}

/// The time of the latest entry; of the last one when there is an epoch, which no entry but those of the base is later than. A base
/// to which nothing is added keeps its time.
fn created(history: &[History], epoch: Option<i64>) -> Option<String> {
    let mut times = history.iter().filter_map(|entry| entry.created.clone());
    match epoch {
        Some(epoch) => times.next_back().or_else(|| Some(rfc3339(epoch))),
        None => times.max(),
    }
}

fn history(parts: &ImageParts<'_>) -> Vec<History> {
    let entries = parts.target.history.iter().zip(parts.times);
    let mut history: Vec<_> = entries
        .map(|(entry, time)| {
            let mut history = entry.entry.clone();
            let made = || parts.epoch.or(*time).map(rfc3339);
            history.created = history.created.take().or_else(made);
            history
        })
        .collect();
    date_the_rest(&mut history);
    history
}

/// An instruction without a layer takes the time of the step before it, so that the times never go back; the first ones take that of
/// the first step.
fn date_the_rest(history: &mut [History]) {
    let mut last = history.iter().find_map(|entry| entry.created.clone());
    for entry in history {
        if entry.created.is_none() {
            entry.created.clone_from(&last);
        }
        last.clone_from(&entry.created);
    }
}

/// OCI image specification, "Image Manifest"; Docker image manifest version 2, schema 2.
fn manifest_document(
    parts: &ImageParts<'_>,
    settings: &LayerSettings,
    config: Digest,
    config_size: usize,
    layers: &[LayerBlob],
) -> (String, Vec<u8>) {
    let (media_type, config_type) = if settings.oci_media_types {
        (
            "application/vnd.oci.image.manifest.v1+json",
            "application/vnd.oci.image.config.v1+json",
        )
    } else {
        (
            "application/vnd.docker.distribution.manifest.v2+json",
            "application/vnd.docker.container.image.v1+json",
        )
    };
    let layers: Vec<_> = layers
        .iter()
        .map(|layer| json!({"mediaType": layer.media_type, "digest": layer.digest, "size": layer.size}))
        .collect();
    let mut manifest = json!({
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": {"mediaType": config_type, "digest": config, "size": config_size},
        "layers": layers,
    });
    let annotations: serde_json::Map<_, _> = parts
        .annotations
        .iter()
        .filter(|annotation| {
            annotation.level == AnnotationLevel::Manifest && annotation.is_for(&parts.target.platform)
        })
        .map(|annotation| (annotation.key.clone(), annotation.value.clone().into()))
        .collect();
    if !annotations.is_empty() {
        manifest["annotations"] = annotations.into();
    }
    (
        media_type.to_owned(),
        serde_json::to_vec_pretty(&manifest).expect("a manifest has only string keys"),
    )
}

/// RFC 3339 in UTC with whole seconds.
fn rfc3339(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds)
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
        .to_string()
}
