//! The manifest of one image: its configuration and its layers.
//!
//! OCI image specification, "Image Manifest"; Docker image manifest version 2, schema 2. A manifest that was pulled is
//! kept as its bytes, since they are what its digest names; this is for reading them and for writing new ones.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Descriptor, Digest, Family, MediaType, descriptor::null_is_empty};

/// The manifest of one image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u32,
    /// OCI's may leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<MediaType>,
    /// Set when this is no image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The image configuration.
    pub config: Descriptor,
    /// The layers, base layer first.
    pub layers: Vec<Descriptor>,
    /// What this says something about, if it is no image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Box<Descriptor>>,
    /// Free-form facts.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "null_is_empty"
    )]
    pub annotations: BTreeMap<String, String>,
    /// All other members.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Manifest {
    /// A new manifest. The descriptors' types should be of the same `family`.
    pub fn new(family: Family, config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(MediaType::manifest(family)),
            artifact_type: None,
            config,
            layers,
            subject: None,
            annotations: BTreeMap::new(),
            other: Map::new(),
        }
    }

    /// Its bytes: compact, members in the order of the specification.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings, numbers and maps with string keys are JSON")
    }

    /// What an image needs besides the manifest: the configuration, then each layer once, base layer first.
    pub fn blobs(&self) -> Vec<&Descriptor> {
        let mut seen: Vec<Digest> = Vec::new();
        let all = std::iter::once(&self.config).chain(&self.layers);
        all.filter(|blob| {
            let new = !seen.contains(&blob.digest);
            seen.push(blob.digest);
            new
        })
        .collect()
    }
}
