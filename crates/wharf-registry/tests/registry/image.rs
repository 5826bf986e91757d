//! An image to push, pull and serve.

use std::{
    collections::BTreeMap,
    io::{Cursor, Read},
};

use wharf_http::Body;
use wharf_oci::{
    Descriptor, Digest, Family, Index, Manifest, MediaType, Packing, Platform, Reference, config::ImageConfig,
};
use wharf_registry::{Error, Pushed, Registry};

/// An index of images for some platforms, and every blob by its digest.
pub(crate) struct Sample {
    pub(crate) index: Vec<u8>,
    pub(crate) manifests: Vec<Vec<u8>>,
    pub(crate) blobs: BTreeMap<Digest, (Descriptor, Vec<u8>)>,
}

impl Sample {
    pub(crate) fn new(family: Family, platforms: &[&str]) -> Self {
        let mut sample = Self {
            index: Vec::new(),
            manifests: Vec::new(),
            blobs: BTreeMap::new(),
        };
        let entries: Vec<_> = platforms
            .iter()
            .map(|platform| sample.image(family, platform))
            .collect();
        sample.index = Index::new(family, entries).to_json();
        sample
    }

    fn image(&mut self, family: Family, platform: &str) -> Descriptor {
        let parsed: Platform = platform.parse().unwrap();
        let tar = empty_tar(platform);
        let mut config = ImageConfig {
            os: parsed.os.clone(),
            architecture: parsed.architecture.clone(),
            ..ImageConfig::default()
        };
        config.rootfs.diff_ids = vec![Digest::of(&tar)];
        let config = self.blob(MediaType::config(family), config.to_json());
        let layer = self.blob(MediaType::layer(family, Packing::Plain), tar);
        let manifest = Manifest::new(family, config, vec![layer]).to_json();
        let entry = Descriptor::of(MediaType::manifest(family), &manifest).with_platform(&parsed);
        self.manifests.push(manifest);
        entry
    }

    fn blob(&mut self, media_type: MediaType, bytes: Vec<u8>) -> Descriptor {
        let descriptor = Descriptor::of(media_type, &bytes);
        self.blobs.insert(descriptor.digest, (descriptor.clone(), bytes));
        descriptor
    }

    /// The layer of the first image.
    pub(crate) fn layer(&self) -> &Descriptor {
        let is_layer = |blob: &&(Descriptor, Vec<u8>)| blob.0.media_type.as_str().contains("tar");
        &self.blobs.values().find(is_layer).unwrap().0
    }

    pub(crate) fn bytes(&self, digest: &Digest) -> &[u8] {
        &self.blobs[digest].1
    }

    /// Pushes everything and tags the index.
    pub(crate) async fn push(&self, registry: &Registry, to: &Reference) -> Result<Vec<Pushed>, Error> {
        let mut how = Vec::new();
        for (descriptor, bytes) in self.blobs.values() {
            how.push(registry.push_blob(to, descriptor, &body(bytes), &[]).await?);
        }
        for manifest in &self.manifests {
            let by_digest: Reference = to.name().parse().unwrap();
            let media_type = media_type(manifest);
            registry
                .push_manifest(&by_digest, &media_type, manifest.clone().into())
                .await?;
        }
        registry
            .push_manifest(to, &media_type(&self.index), self.index.clone().into())
            .await?;
        Ok(how)
    }
}

fn media_type(document: &[u8]) -> MediaType {
    let document: serde_json::Value = serde_json::from_slice(document).unwrap();
    MediaType::new(document["mediaType"].as_str().unwrap())
}

/// A body that is read anew for every attempt, as from a store.
pub(crate) fn body(bytes: &[u8]) -> Body {
    let bytes = bytes.to_vec();
    Body::reader(bytes.len() as u64, move |offset| {
        Ok(Box::new(Cursor::new(bytes[offset as usize..].to_vec())) as Box<dyn Read + Send>)
    })
}

/// A tar with one file, whose content tells images apart.
fn empty_tar(content: &str) -> Vec<u8> {
    let mut header = [0_u8; 512];
    header[..4].copy_from_slice(b"file");
    header[100..107].copy_from_slice(b"0000644");
    header[108..115].copy_from_slice(b"0000000");
    header[116..123].copy_from_slice(b"0000000");
    header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
    header[136..147].copy_from_slice(b"00000000000");
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    header[148..156].copy_from_slice(b"        ");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut tar = header.to_vec();
    tar.extend(content.as_bytes());
    tar.resize(512 * 4, 0);
    tar
}
