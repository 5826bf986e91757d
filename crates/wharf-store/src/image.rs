//! Images by name.

use serde::{Deserialize, Serialize};
use wharf_oci::Digest;

use crate::{error::StoreError, root::LayerId, store::Store};

/// What a name stands for, and everything that must be kept for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageRecord {
    /// The manifest or index.
    pub manifest: Digest,
    /// Its media type.
    pub media_type: String,
    /// Its length in bytes.
    pub size: u64,
    /// The layers as trees, base layer first. What is run, exported or built upon comes from these.
    #[serde(default)]
    pub layers: Vec<LayerId>,
    /// The blobs that are kept for it: manifest, config and such layer blobs as are here.
    #[serde(default)]
    pub blobs: Vec<Digest>,
    /// When the name was given, in seconds since the epoch.
    pub named_at: i64,
    /// Fields of other versions, kept as they are.
    #[serde(flatten)]
    pub rest: serde_json::Map<String, serde_json::Value>,
}

impl Store {
    /// Gives an image a name, which another image loses if it had it.
    pub fn put_image(&self, _name: &str, _image: &ImageRecord) -> Result<(), StoreError> {
        unimplemented!()
    }

    /// The image of this name. What it holds stays until this handle is dropped.
    pub fn image(&self, _name: &str) -> Result<Option<ImageRecord>, StoreError> {
        unimplemented!()
    }

    /// All names and their images, sorted by name.
    pub fn images(&self) -> Result<Vec<(String, ImageRecord)>, StoreError> {
        unimplemented!()
    }

    /// Takes a name away; whether it was there.
    pub fn remove_image(&self, _name: &str) -> Result<bool, StoreError> {
        unimplemented!()
    }
}
