//! Layers as blobs: encoded once for each setting, remembered, and never again for a layer that was pulled.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wharf_oci::{Digest, Hasher};
use wharf_store::{BlobError, LayerId, MemoKey, Root as Kept, Store, StoreError, TreeError};
use wharf_tree::{
    DirRole, Entry, Layer, Node, Tree, TreePath,
    compress::{self, Compressor},
    tar::{self, ExportOptions},
};

use crate::{
    request::Compression,
    root::{Root, Roots},
};

/// Raised when the tar encoder's output changes for equal input, so that remembered blobs are not taken for new ones.
const TAR_VERSION: u8 = 1;

/// How layers are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerSettings {
    /// The compressor and its level.
    pub compression: Compression,
    /// No mtime is later than this, in seconds since the epoch.
    pub clamp_mtimes: Option<i64>,
    /// OCI rather than Docker media types.
    pub oci_media_types: bool,
}

/// A layer as an image names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerBlob {
    /// Digest of the uncompressed tar.
    pub diff_id: Digest,
    /// Digest of the blob.
    pub digest: Digest,
    /// Length of the blob in bytes.
    pub size: u64,
    /// Media type of the blob.
    pub media_type: String,
}

/// A blob that a chain of layers remembers.
#[derive(Debug, Serialize, Deserialize)]
struct Chained {
    blob: LayerBlob,
    /// The layer was pulled: the blob is fetched when somebody wants it.
    pulled: bool,
}

/// A layer could not be encoded.
#[derive(Debug, thiserror::Error)]
pub enum LayerBlobError {
    /// The layer cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The blob cannot be written.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The tar cannot be made.
    #[error("cannot encode layer {layer}")]
    Encode {
        /// The layer's tree.
        layer: Digest,
        /// Why.
        source: tar::ExportError,
    },
}

/// Makes and remembers layer blobs.
#[derive(Debug, Clone)]
pub struct LayerBlobs {
    store: Store,
    roots: Arc<Roots>,
    threads: usize,
}

impl LayerBlobs {
    /// Blobs of the layers in `store`, compressed on so many threads.
    pub fn new(store: Store, roots: Arc<Roots>, threads: usize) -> Self {
        Self {
            store,
            roots,
            threads,
        }
    }

    /// Remembers the blob from which a layer was pulled: it stays the layer's blob, whatever the settings, and is kept with it.
    pub fn set_pulled(&self, layer: &LayerId, blob: &LayerBlob) -> Result<(), StoreError> {
        let key = pulled_key(layer);
        if self.store.memo::<LayerBlob>(&key)?.as_ref() == Some(blob) {
            return Ok(());
        }
        let kept = [Kept::Layer(*layer), Kept::Blob(blob.digest)];
        self.store.set_memo(&key, blob, &kept)?;
        // What chains remembered before may name another blob.
        let state = Digest::of([*self.pulled_state()?.as_bytes(), *blob.digest.as_bytes()].as_flattened());
        self.store.set_memo(&pulled_state_key(), &state, &[])
    }

    /// Another one whenever a layer gets the blob that it was pulled from.
    fn pulled_state(&self) -> Result<Digest, StoreError> {
        let state = self.store.memo(&pulled_state_key())?;
        Ok(state.unwrap_or_else(|| Digest::of(b"")))
    }

    /// The blob from which the layer was pulled, if it was.
    pub fn pulled(&self, layer: &LayerId) -> Result<Option<LayerBlob>, StoreError> {
        self.store.memo(&pulled_key(layer))
    }

    /// The blobs of all layers of `root`, base layer first. Two kinds of memos: one by the whole chain, which costs one small read for
    /// all its layers; one by what the encoding of a layer really depends on, which serves the same layer on another parent.
    pub fn of_root(&self, root: &Root, settings: &LayerSettings) -> Result<Vec<LayerBlob>, LayerBlobError> {
        let layers = root.stored();
        let keys = self.chain_keys(layers, settings)?;
        let mut chain = Vec::new();
        for key in keys.iter().rev() {
            if let Some(known) = self.remembered_chain(key)? {
                chain = known;
                break;
            }
        }
        for index in chain.len()..layers.len() {
            chain.push(self.chained(&layers[..=index], settings)?);
            let kept: Vec<Kept> = chain
                .iter()
                .map(|Chained { blob, .. }| Kept::Blob(blob.digest))
                .collect();
            self.store.set_memo(&keys[index], &chain, &kept)?;
        }
        Ok(chain.into_iter().map(|chained| chained.blob).collect())
    }

    /// What the blobs of the first layer, the first two and so on are remembered under.
    fn chain_keys(&self, layers: &[LayerId], settings: &LayerSettings) -> Result<Vec<MemoKey>, StoreError> {
        let (state, settings) = (self.pulled_state()?, settings.encoded());
        let mut chain = Digest::of(b"");
        let keys = layers.iter().map(|layer| {
            let parts = [chain, layer.tree.0, layer.times.0].map(|digest| *digest.as_bytes());
            chain = Digest::of(parts.as_flattened());
            MemoKey::new(
                "layer-blobs-of-chain",
                &[chain.as_bytes(), state.as_bytes(), &settings],
            )
        });
        Ok(keys.collect())
    }

    fn remembered_chain(&self, key: &MemoKey) -> Result<Option<Vec<Chained>>, StoreError> {
        let Some(known) = self.store.memo::<Vec<Chained>>(key)? else {
            return Ok(None);
        };
        for Chained { blob, pulled } in &known {
            if !pulled && !self.store.contains(&blob.digest)? {
                return Ok(None);
            }
        }
        Ok(Some(known))
    }

    /// The blob of the last layer of `chain`.
    fn chained(&self, chain: &[LayerId], settings: &LayerSettings) -> Result<Chained, LayerBlobError> {
        let layer = chain.last().expect("a chain has a last layer");
        let pulled = self.pulled(layer)?;
        Ok(Chained {
            pulled: pulled.is_some(),
            blob: match pulled {
                Some(blob) => blob,
                None => self.by_content(chain, layer, settings)?,
            },
        })
    }

    fn by_content(
        &self,
        chain: &[LayerId],
        id: &LayerId,
        settings: &LayerSettings,
    ) -> Result<LayerBlob, LayerBlobError> {
        let layer = self.store.layer(id)?;
        let merged = self.roots.of_layers(chain)?;
        let structure = structural_attributes(&layer, &merged);
        let parts: [&[u8]; 4] = [
            id.tree.0.as_bytes(),
            id.times.0.as_bytes(),
            structure.as_bytes(),
            &settings.encoded(),
        ];
        let key = MemoKey::new("layer-blob", &parts);
        if let Some(blob) = self.remembered(&key)? {
            return Ok(blob);
        }
        let blob = self.encode(&layer, &merged, settings)?;
        self.store.set_memo(&key, &blob, &[Kept::Blob(blob.digest)])?;
        Ok(blob)
    }

    fn remembered(&self, key: &MemoKey) -> Result<Option<LayerBlob>, StoreError> {
        let Some(blob) = self.store.memo::<LayerBlob>(key)? else {
            return Ok(None);
        };
        Ok(self.store.contains(&blob.digest)?.then_some(blob))
    }

    fn encode(
        &self,
        layer: &Layer,
        merged: &Tree,
        settings: &LayerSettings,
    ) -> Result<LayerBlob, LayerBlobError> {
        let (compression, level) = settings.compressor();
        let writer = self.store.writer();
        let compressor = Compressor::new(writer, compression, level, self.threads);
        let mut out = Tee {
            compressor,
            uncompressed: Hasher::new(),
        };
        let options = ExportOptions {
            clamp_mtimes: settings.clamp_mtimes,
        };
        let failed = |source| LayerBlobError::Encode {
            layer: layer.digest().0,
            source,
        };
        tar::export(layer, merged, &self.store, &options, &mut out).map_err(failed)?;
        let writer = out.compressor.finish().map_err(|error| failed(error.into()))?;
        let size = writer.length();
        let digest = writer.finish(None)?;
        Ok(LayerBlob {
            diff_id: out.uncompressed.finish(),
            digest,
            size,
            media_type: settings.media_type().to_owned(),
        })
    }
}

/// Feeds the tar to the compressor and to the diff ID's hash.
struct Tee<W: std::io::Write> {
    compressor: Compressor<W>,
    uncompressed: Hasher,
}

impl<W: std::io::Write> std::io::Write for Tee<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.compressor.write_all(bytes)?;
        self.uncompressed.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.compressor.flush()
    }
}

impl LayerSettings {
    fn compressor(&self) -> (compress::Compression, i32) {
        match self.compression {
            Compression::Gzip => (compress::Compression::Gzip, 6),
            Compression::GzipLevel(level) => (compress::Compression::Gzip, i32::from(level)),
            Compression::Zstd(level) => (compress::Compression::Zstd, i32::from(level)),
            Compression::Uncompressed => (compress::Compression::Plain, 0),
        }
    }

    fn media_type(&self) -> &'static str {
        match (self.oci_media_types, self.compression) {
            (true, Compression::Gzip | Compression::GzipLevel(_)) => {
                "application/vnd.oci.image.layer.v1.tar+gzip"
            }
            (true, Compression::Uncompressed) => "application/vnd.oci.image.layer.v1.tar",
            (false, Compression::Gzip | Compression::GzipLevel(_)) => {
                "application/vnd.docker.image.rootfs.diff.tar.gzip"
            }
            (false, Compression::Uncompressed) => "application/vnd.docker.image.rootfs.diff.tar",
            // Docker's schema has no type of its own for zstd; every client reads OCI's.
            (_, Compression::Zstd(_)) => "application/vnd.oci.image.layer.v1.tar+zstd",
        }
    }

    /// Everything that the blob's bytes and its media type depend on besides the layer.
    fn encoded(&self) -> Vec<u8> {
        let (compression, level) = self.compressor();
        format!(
            "{TAR_VERSION} {compression:?} {level} {:?} {}",
            self.clamp_mtimes,
            self.media_type()
        )
        .into_bytes()
    }
}

fn pulled_key(layer: &LayerId) -> MemoKey {
    MemoKey::new(
        "pulled-layer",
        &[layer.tree.0.as_bytes(), layer.times.0.as_bytes()],
    )
}

fn pulled_state_key() -> MemoKey {
    MemoKey::new("pulled-layers", &[])
}

/// The attributes and times that structural directories take from the merged tree: part of the tar, not of the layer.
fn structural_attributes(layer: &Layer, merged: &Tree) -> Digest {
    let mut hasher = Hasher::new();
    collect(&layer.root, &TreePath::root(), merged, &mut hasher);
    hasher.finish()
}

fn collect(entry: &Entry, path: &TreePath, merged: &Tree, hasher: &mut Hasher) {
    let Node::Dir(dir, role) = &entry.node else { return };
    if *role == DirRole::Structural
        && let Some(real) = merged.get(path)
    {
        hasher.update(format!("{path:?} {:?} {:?}\n", real.attrs, real.mtime).as_bytes());
    }
    for (name, child) in dir.entries() {
        if child.node.is_dir() {
            collect(child, &path.join(name), merged, hasher);
        }
    }
}
