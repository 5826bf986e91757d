//! From layer blobs to layers: unpacked once, remembered by diff ID, the blob kept as it came.

use std::io::Read as _;

use serde::{Deserialize, Serialize};
use wharf_oci::{Digest, Manifest, config::ImageConfig};
use wharf_store::{BlobError, LayerId, MemoKey, Root as Kept, Store, StoreError};
use wharf_tree::{Tree, compress, tar};

use super::{ImageSourceError, Images};
use crate::{
    image::{LayerBlob, LayerBlobs},
    root::{Layers, Root},
};

/// A layer cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum LayerImportError {
    /// Its blob cannot be read.
    #[error("layer {digest}: cannot read it")]
    Read {
        /// The blob.
        digest: Digest,
        /// Why.
        source: std::io::Error,
    },
    /// It is no layer tar, or a hostile one.
    #[error("layer {digest}: cannot unpack it")]
    Import {
        /// The blob.
        digest: Digest,
        /// Why.
        source: tar::ImportError,
    },
    /// What it unpacks to is not what the configuration says.
    #[error("layer {digest}: its content is {found}, the image's configuration says {expected}")]
    DiffId {
        /// The blob.
        digest: Digest,
        /// From the configuration.
        expected: Digest,
        /// Of what came.
        found: Digest,
    },
    /// Manifest and configuration do not fit.
    #[error("the manifest has {layers} layers, the configuration {diff_ids}")]
    Count {
        /// In the manifest.
        layers: usize,
        /// In the configuration.
        diff_ids: usize,
    },
    /// Its blob cannot be had.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is remembered of an image: its root.
#[derive(Debug, Serialize, Deserialize)]
struct RememberedRoot {
    layers: Vec<LayerId>,
    tree: Digest,
    /// The merged tree itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    merged: Option<LayerId>,
}

impl Images {
    /// The root of the image, if it was unpacked before and the blob that each layer came in is still here: a layer whose blob was
    /// forgotten would be encoded anew, and not be shared with the base; one whose bytes are gone could not be written out.
    pub(super) fn known_root(&self, manifest: &Digest) -> Result<Option<Root>, StoreError> {
        let known: Option<RememberedRoot> = self.store.memo(&root_key(manifest))?;
        let Some(known) = known else {
            return Ok(None);
        };
        let blobs = LayerBlobs::new(self.store.clone(), self.roots.clone(), 1);
        for layer in &known.layers {
            let blob = blobs
                .pulled(layer)?
                .map(|blob| self.store.blob_size(&blob.digest));
            if !self.store.has_layer(layer)? || blob.transpose()?.flatten().is_none() {
                return Ok(None);
            }
        }
        if let Some(merged) = known.merged {
            self.roots.is_kept(&known.layers, merged);
        }
        Ok(Some(Root {
            layers: Layers::Stored(known.layers),
            tree: wharf_tree::TreeDigest(known.tree),
        }))
    }

    /// Unpacks the layers of an image, whose blobs are in the store, on each other.
    pub(super) fn unpack(
        &self,
        manifest_digest: &Digest,
        manifest: &Manifest,
        config: &ImageConfig,
    ) -> Result<Root, ImageSourceError> {
        let diff_ids = &config.rootfs.diff_ids;
        if manifest.layers.len() != diff_ids.len() {
            let (layers, diff_ids) = (manifest.layers.len(), diff_ids.len());
            return Err(LayerImportError::Count { layers, diff_ids }.into());
        }
        let blobs = LayerBlobs::new(self.store.clone(), self.roots.clone(), 1);
        let mut root = Root::empty();
        for (descriptor, diff_id) in manifest.layers.iter().zip(diff_ids) {
            let parent = self.roots.tree(&root)?;
            let id = unpack_layer(&self.store, &descriptor.digest, diff_id, &parent)?;
            let layer = self.store.layer(&id)?;
            root = self.roots.push(&root, &layer)?.1;
            let blob = LayerBlob {
                diff_id: *diff_id,
                digest: descriptor.digest,
                size: descriptor.size,
                media_type: descriptor.media_type.as_str().to_owned(),
            };
            blobs.set_pulled(&id, &blob)?;
        }
        let remembered = RememberedRoot {
            layers: root.stored().to_vec(),
            tree: root.tree.0,
            merged: self.roots.keep_merged(&root)?,
        };
        let kept = remembered.layers.iter().chain(&remembered.merged);
        let kept: Vec<_> = kept.copied().map(Kept::Layer).collect();
        self.store
            .set_memo(&root_key(manifest_digest), &remembered, &kept)?;
        Ok(root)
    }
}

fn root_key(manifest: &Digest) -> MemoKey {
    MemoKey::new("image-root", &[manifest.as_bytes()])
}

/// The layer of a blob. The memo's key has the parent too, since a hard link may lead into it.
fn unpack_layer(
    store: &Store,
    blob: &Digest,
    diff_id: &Digest,
    parent: &Tree,
) -> Result<LayerId, LayerImportError> {
    let key = MemoKey::new(
        "diff-id-layer",
        &[diff_id.as_bytes(), parent.digest().0.as_bytes()],
    );
    if let Some(id) = store.memo::<LayerId>(&key)?
        && store.has_layer(&id)?
    {
        return Ok(id);
    }
    let failed = |source| LayerImportError::Read {
        digest: *blob,
        source,
    };
    let file = store.open_blob(blob)?;
    let limit = most_content(file.metadata().map_err(failed)?.len());
    let (_, reader) = compress::decompress(file).map_err(failed)?;
    let mut hashing = Hashing {
        // Twice: a tar of empty members is larger than its contents.
        inner: reader.take(2 * limit),
        hasher: wharf_oci::Hasher::new(),
    };
    let mut options = tar::ImportOptions {
        parent: Some(parent),
        ..tar::ImportOptions::default()
    };
    options.limits.bytes = limit;
    let layer = tar::import(&mut hashing, &mut store.clone(), &options).map_err(|source| {
        LayerImportError::Import {
            digest: *blob,
            source,
        }
    })?;
    std::io::copy(&mut hashing, &mut std::io::sink()).map_err(failed)?;
    let found = hashing.hasher.finish();
    if found != *diff_id {
        return Err(LayerImportError::DiffId {
            digest: *blob,
            expected: *diff_id,
            found,
        });
    }
    let id = store.put_layer(&layer)?;
    store.set_memo(&key, &id, &[Kept::Layer(id)])?;
    Ok(id)
}

/// What a layer's contents may come to, by the length of its blob. Contents of a real layer are 2 to 10 times as long, and whoever
/// lets one zeroed file of a few GiB pass lets no bomb pass that fills a disk.
fn most_content(blob: u64) -> u64 {
    const ALWAYS: u64 = 4 << 30;
    const RATIO: u64 = 200;
    blob.saturating_mul(RATIO).max(ALWAYS)
}

/// Hashes what is read.
struct Hashing<R> {
    inner: R,
    hasher: wharf_oci::Hasher,
}

impl<R: std::io::Read> std::io::Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..length]);
        Ok(length)
    }
}
