//! The manifest that carries an image's statements as its layers.
//!
//! BuildKit's "Image attestation storage": it stands in the image's index, for the platform `unknown/unknown`, and annotations of its
//! descriptor there name the image. OCI image specification, "Guidelines for Artifact Usage".

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wharf_oci::{Descriptor, Digest, Family, Manifest, MediaType, Platform};
use wharf_store::{BlobError, Store};

use super::AttestError;
use crate::image::BuiltImage;

/// What kind of artifact it is.
const ARTIFACT_TYPE: &str = "application/vnd.docker.attestation.manifest.v1+json";
/// The type of a statement.
const STATEMENT_TYPE: &str = "application/vnd.in-toto+json";
/// Where a layer says what its statement's predicate is.
const PREDICATE_TYPE: &str = "in-toto.io/predicate-type";
/// Where the index says what the manifest is.
const REFERENCE_TYPE: &str = "vnd.docker.reference.type";
/// Where the index says which image it is about.
const REFERENCE_DIGEST: &str = "vnd.docker.reference.digest";

/// A statement of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Digest of its bytes, which are in the store.
    pub digest: Digest,
    /// Length in bytes.
    pub size: u64,
    /// What its predicate is.
    pub predicate_type: String,
}

/// The statements of one image, in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttestationManifest {
    /// Digest of the manifest.
    pub digest: Digest,
    /// The manifest's bytes.
    pub bytes: Vec<u8>,
    /// What it is made of.
    pub manifest: Manifest,
    /// The manifest that the statements are about.
    pub about: Digest,
}

/// Stores the statements (predicate types and bytes) about an image, and the manifest that carries them. As an artifact it has an empty
/// configuration and names its subject; otherwise it looks like an image, for registries that know nothing else.
pub(super) fn attestation_manifest(
    image: &BuiltImage,
    statements: Vec<(&'static str, Vec<u8>)>,
    is_artifact: bool,
    store: &Store,
) -> Result<AttestationManifest, AttestError> {
    if image.media_type != MediaType::manifest(Family::Oci).as_str() {
        return Err(AttestError::MediaTypes);
    }
    let mut layers = Vec::new();
    for (predicate_type, bytes) in statements {
        store.put_bytes(&bytes)?;
        layers.push(layer(predicate_type, &bytes));
    }
    let mut manifest = Manifest::new(Family::Oci, configuration(&layers, is_artifact, store)?, layers);
    if is_artifact {
        manifest.artifact_type = Some(ARTIFACT_TYPE.to_owned());
        manifest.subject = Some(Box::new(Descriptor::new(
            MediaType::new(&image.media_type),
            image.manifest,
            image.manifest_bytes.len() as u64,
        )));
    }
    let bytes = serde_json::to_vec_pretty(&manifest).expect("a manifest has only string keys");
    Ok(AttestationManifest {
        digest: store.put_bytes(&bytes)?,
        bytes,
        manifest,
        about: image.manifest,
    })
}

fn layer(predicate_type: &str, statement: &[u8]) -> Descriptor {
    let mut layer = Descriptor::of(MediaType::new(STATEMENT_TYPE), statement);
    let annotation = (PREDICATE_TYPE.to_owned(), predicate_type.to_owned());
    layer.annotations = BTreeMap::from([annotation]);
    layer
}

fn configuration(layers: &[Descriptor], is_artifact: bool, store: &Store) -> Result<Descriptor, BlobError> {
    let (media_type, bytes) = if is_artifact {
        (
            MediaType::new("application/vnd.oci.empty.v1+json"),
            b"{}".to_vec(),
        )
    } else {
        let diff_ids: Vec<_> = layers.iter().map(|layer| layer.digest).collect();
        let image = json!({
            "architecture": "unknown",
            "os": "unknown",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        let bytes = serde_json::to_vec(&image).expect("JSON values can be written");
        (MediaType::config(Family::Oci), bytes)
    };
    store.put_bytes(&bytes)?;
    let mut descriptor = Descriptor::of(media_type, &bytes);
    if is_artifact {
        // The specification lets the two bytes stand in the descriptor, in base64.
        descriptor.other.insert("data".to_owned(), Value::from("e30="));
    }
    Ok(descriptor)
}

impl AttestationManifest {
    /// What the index says of it.
    pub fn descriptor(&self) -> Descriptor {
        let unknown = Platform::new("unknown", "unknown", "");
        let media_type = MediaType::manifest(Family::Oci);
        let size = self.bytes.len() as u64;
        let mut descriptor = Descriptor::new(media_type, self.digest, size).with_platform(&unknown);
        descriptor.annotations = BTreeMap::from([
            (REFERENCE_DIGEST.to_owned(), self.about.to_string()),
            (REFERENCE_TYPE.to_owned(), "attestation-manifest".to_owned()),
        ]);
        descriptor
    }

    /// The image that a descriptor's attestations are about, if it is one of attestations.
    pub fn about_of(descriptor: &Descriptor) -> Option<Digest> {
        let is_one = descriptor.annotations.get(REFERENCE_TYPE)? == "attestation-manifest";
        let digest = descriptor.annotations.get(REFERENCE_DIGEST)?;
        digest.parse().ok().filter(|_| is_one)
    }
}

impl Statement {
    /// What a manifest of attestations carries.
    pub fn of(manifest: &Manifest) -> Vec<Self> {
        let statement = |layer: &Descriptor| Self {
            digest: layer.digest,
            size: layer.size,
            predicate_type: layer.annotations.get(PREDICATE_TYPE).cloned().unwrap_or_default(),
        };
        manifest.layers.iter().map(statement).collect()
    }
}
