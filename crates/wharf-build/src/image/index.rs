//! The images of several platforms as one: their index.
//!
//! OCI image specification, "Image Index"; Docker's manifest list.

use std::collections::BTreeMap;

use wharf_oci::{Descriptor, Digest, Family, Index, MediaType, Platform};
use wharf_store::{BlobError, Store};

use super::BuiltImage;
use crate::{
    attest::AttestationManifest,
    request::{Annotation, AnnotationLevel},
};

/// An image for one of the platforms of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformImage {
    /// What it is for.
    pub platform: Platform,
    /// The image.
    pub image: BuiltImage,
}

/// An index and the images that it names, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltIndex {
    /// Digest of the index.
    pub digest: Digest,
    /// The index's bytes.
    pub bytes: Vec<u8>,
    /// The index's media type.
    pub media_type: String,
    /// The images.
    pub images: Vec<PlatformImage>,
    /// What is said about them.
    pub attestations: Vec<AttestationManifest>,
}

/// What a name stands for: one image, or one for each of several platforms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Built {
    /// An image.
    Image(Box<BuiltImage>),
    /// An index.
    Index(BuiltIndex),
}

impl BuiltIndex {
    /// Puts an index together and stores it, attestations after the images. Annotations of the levels of index and manifest descriptor are
    /// taken from `annotations`.
    pub fn new(
        images: Vec<PlatformImage>,
        attestations: Vec<AttestationManifest>,
        annotations: &[Annotation],
        oci_media_types: bool,
        store: &Store,
    ) -> Result<Self, BlobError> {
        let family = if oci_media_types {
            Family::Oci
        } else {
            Family::Docker
        };
        let manifests = images.iter().map(|image| descriptor(image, annotations));
        let manifests = manifests.chain(attestations.iter().map(AttestationManifest::descriptor));
        let mut index = Index::new(family, manifests.collect());
        let of_index = annotations
            .iter()
            .filter(|annotation| annotation.level == AnnotationLevel::Index);
        index.annotations.extend(of_index.map(Annotation::pair));
        let bytes = serde_json::to_vec_pretty(&index).expect("an index has only string keys");
        Ok(Self {
            digest: store.put_bytes(&bytes)?,
            bytes,
            media_type: MediaType::index(family).as_str().to_owned(),
            images,
            attestations,
        })
    }
}

fn descriptor(image: &PlatformImage, annotations: &[Annotation]) -> Descriptor {
    let manifest = &image.image;
    let mut descriptor = Descriptor::new(
        MediaType::new(&manifest.media_type),
        manifest.manifest,
        manifest.manifest_bytes.len() as u64,
    )
    .with_platform(&image.platform);
    let of_descriptor = annotations.iter().filter(|annotation| {
        annotation.level == AnnotationLevel::ManifestDescriptor && annotation.is_for(&image.platform)
    });
    descriptor.annotations.extend(of_descriptor.map(Annotation::pair));
    descriptor
}

impl Built {
    /// Digest of what names point to: the manifest or the index.
    pub fn digest(&self) -> Digest {
        match self {
            Self::Image(image) => image.manifest,
            Self::Index(index) => index.digest,
        }
    }

    /// The bytes of the manifest or index.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Image(image) => &image.manifest_bytes,
            Self::Index(index) => &index.bytes,
        }
    }

    /// The media type of the manifest or index.
    pub fn media_type(&self) -> &str {
        match self {
            Self::Image(image) => &image.media_type,
            Self::Index(index) => &index.media_type,
        }
    }

    /// The digest of the configuration, which only an image has.
    pub fn config(&self) -> Option<Digest> {
        match self {
            Self::Image(image) => Some(image.config),
            Self::Index(_) => None,
        }
    }

    /// The image, or the images of the index in its order.
    pub fn images(&self) -> Vec<&BuiltImage> {
        match self {
            Self::Image(image) => vec![image],
            Self::Index(index) => index.images.iter().map(|each| &each.image).collect(),
        }
    }

    /// What is said about the images.
    pub fn attestations(&self) -> &[AttestationManifest] {
        match self {
            Self::Image(_) => &[],
            Self::Index(index) => &index.attestations,
        }
    }

    /// Configurations and layers of the images with their sizes in bytes, each once.
    pub fn blobs(&self) -> BTreeMap<Digest, u64> {
        let of_image = |image: &BuiltImage| {
            let config = (image.config, image.config_bytes.len() as u64);
            let layers = image.layers.iter().map(|layer| (layer.digest, layer.size));
            layers.chain([config]).collect::<Vec<_>>()
        };
        self.images().into_iter().flat_map(of_image).collect()
    }
}
