//! Images by name: what `refs/` holds.

use serde::{Deserialize, Serialize};
use wharf_oci::Digest;

use crate::{
    error::{StoreError, TreeError},
    layout::{self, REFS},
    root::{LayerId, Root},
    store::Store,
};

/// What a name stands for, and everything that must be kept for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageRecord {
    /// The manifest or index.
    pub manifest: Digest,
    /// Its media type.
    pub media_type: String,
    /// Its length in bytes.
    pub size: u64,
    /// The layers as trees, base layer first: what is run, exported or built upon comes from these. Of an index those of all its images,
    /// which [`images`](Self::images) tells apart.
    #[serde(default)]
    pub layers: Vec<LayerId>,
    /// The blobs that are kept for it: manifest, config and such layer blobs as are here.
    #[serde(default)]
    pub blobs: Vec<Digest>,
    /// Of an index, its images.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<PlatformRecord>,
    /// When the name was given, in seconds since the epoch.
    pub named_at: i64,
    /// Fields of other versions, kept as they are.
    #[serde(flatten)]
    pub rest: serde_json::Map<String, serde_json::Value>,
}

/// One image of an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformRecord {
    /// Its manifest.
    pub manifest: Digest,
    /// Its layers as trees, base layer first.
    pub layers: Vec<LayerId>,
}

/// What `refs/<name>` holds: the file's own name need not be the whole of it.
#[derive(Debug, Serialize, Deserialize)]
struct Named {
    name: String,
    image: ImageRecord,
}

impl ImageRecord {
    /// What must be kept for this image.
    pub(crate) fn roots(&self) -> Vec<Root> {
        let blobs = [self.manifest]
            .into_iter()
            .chain(self.blobs.iter().copied())
            .map(Root::Blob);
        blobs
            .chain(self.layers.iter().copied().map(Root::Layer))
            .collect()
    }
}

impl Store {
    /// What is to be kept for an image that was made without reading all of it: its layers, which have to be here and sound, and such blobs
    /// as are.
    pub fn confirm_image(&self, image: ImageRecord) -> Result<ImageRecord, TreeError> {
        image.layers.iter().try_for_each(|id| self.confirm_layer(id))?;
        let mut blobs = Vec::new();
        for blob in image.blobs {
            if self.contains(&blob)? {
                blobs.push(blob);
            }
        }
        Ok(ImageRecord { blobs, ..image })
    }

    /// Gives an image a name, which another image loses if it had it.
    pub fn put_image(&self, name: &str, image: &ImageRecord) -> Result<(), StoreError> {
        let named = Named {
            name: name.to_owned(),
            image: image.clone(),
        };
        self.write_record(&place(name), &named)
    }

    /// The image of this name. What it needs stays until this handle is dropped.
    pub fn image(&self, name: &str) -> Result<Option<ImageRecord>, StoreError> {
        let found: Option<Named> = self.look_up(&place(name))?;
        let image = found.filter(|named| named.name == name).map(|named| named.image);
        for root in image.iter().flat_map(ImageRecord::roots) {
            self.hold_if_room(&root)?;
        }
        Ok(image)
    }

    /// All names and their images, sorted by name.
    pub fn images(&self) -> Result<Vec<(String, ImageRecord)>, StoreError> {
        let mut images = Vec::new();
        for file in self.disk().list(REFS)? {
            let found: Option<Named> = self.read_record(&layout::file(REFS, &file))?;
            images.extend(found.map(|named| (named.name, named.image)));
        }
        images.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(images)
    }

    /// Takes a name away; whether it was there.
    pub fn remove_image(&self, name: &str) -> Result<bool, StoreError> {
        self.disk().remove(&place(name))
    }
}

/// Where it lies.
pub(crate) fn place(name: &str) -> String {
    layout::file(REFS, &layout::file_name(name))
}
