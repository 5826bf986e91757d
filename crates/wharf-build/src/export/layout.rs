//! Which files an OCI layout and a Docker archive consist of.
//!
//! OCI image specification, "Image Layout"; the archive of `docker save`. A Docker archive is an OCI layout too, as
//! BuildKit's is.

use serde_json::{Value, json};
use wharf_oci::Digest;

use crate::{
    image::Built,
    request::{Annotation, AnnotationLevel},
};

/// A file of a layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayoutFile {
    /// Relative to the layout's root.
    pub name: String,
    /// What is in it.
    pub content: Content,
}

/// Where a file's bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Here.
    Bytes(Vec<u8>),
    /// In the store.
    Blob {
        /// Its digest.
        digest: Digest,
        /// Its length in bytes.
        size: u64,
    },
}

/// An image and what a layout's index says about it.
#[derive(Debug, Clone, Copy)]
pub struct LayoutImage<'a> {
    /// The image, or the index of several.
    pub image: &'a Built,
    /// Full names: `docker.io/library/a:latest`.
    pub names: &'a [String],
    /// Annotations of descriptor level are taken from these.
    pub annotations: &'a [Annotation],
    /// When it was made, RFC 3339.
    pub created: Option<&'a str>,
}

/// The files of an OCI image layout.
pub fn oci_files(image: &LayoutImage<'_>) -> Vec<LayoutFile> {
    let mut files = vec![
        bytes("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()),
        bytes("index.json", json_bytes(&index(image))),
    ];
    files.extend(blobs(image.image));
    files
}

/// The files of a `docker load`-able archive.
pub fn docker_files(image: &LayoutImage<'_>) -> Vec<LayoutFile> {
    let mut files = oci_files(image);
    let names: Vec<_> = image.names.iter().map(|name| familiar(name)).collect();
    let manifest: Vec<_> = image
        .image
        .images()
        .into_iter()
        .map(|image| {
            let layers: Vec<_> = image
                .layers
                .iter()
                .map(|layer| blob_name(&layer.digest))
                .collect();
            json!({"Config": blob_name(&image.config), "RepoTags": names, "Layers": layers})
        })
        .collect();
    files.push(bytes("manifest.json", json_bytes(&manifest.into())));
    files
}

/// `docker.io/library/a:1` as Docker shows it.
fn familiar(name: &str) -> String {
    let short = name.strip_prefix("docker.io/").unwrap_or(name);
    short.strip_prefix("library/").unwrap_or(short).to_owned()
}

fn index(image: &LayoutImage<'_>) -> Value {
    let names: Vec<Option<&String>> = if image.names.is_empty() {
        vec![None]
    } else {
        image.names.iter().map(Some).collect()
    };
    let manifests: Vec<_> = names.into_iter().map(|name| descriptor(image, name)).collect();
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": manifests,
    })
}

fn descriptor(image: &LayoutImage<'_>, name: Option<&String>) -> Value {
    let mut annotations = serde_json::Map::new();
    if let Some(name) = name {
        annotations.insert("io.containerd.image.name".into(), name.clone().into());
        if let Some((_, tag)) = name.rsplit_once(':') {
            annotations.insert("org.opencontainers.image.ref.name".into(), tag.into());
        }
    }
    if let Some(created) = image.created {
        annotations.insert("org.opencontainers.image.created".into(), created.into());
    }
    // The descriptor of an index is the index's; those of its manifests are in it.
    let of_level = match image.image {
        Built::Image(_) => &[
            AnnotationLevel::ManifestDescriptor,
            AnnotationLevel::IndexDescriptor,
        ][..],
        Built::Index(_) => &[AnnotationLevel::IndexDescriptor],
    };
    for annotation in image
        .annotations
        .iter()
        .filter(|annotation| of_level.contains(&annotation.level))
    {
        annotations.insert(annotation.key.clone(), annotation.value.clone().into());
    }
    let mut descriptor = json!({
        "mediaType": image.image.media_type(),
        "digest": image.image.digest(),
        "size": image.image.bytes().len(),
    });
    if !annotations.is_empty() {
        descriptor["annotations"] = annotations.into();
    }
    descriptor
}

/// Each once, sorted by name.
fn blobs(built: &Built) -> Vec<LayoutFile> {
    let mut files = vec![bytes(&blob_name(&built.digest()), built.bytes().to_vec())];
    for image in built.images() {
        files.push(bytes(&blob_name(&image.manifest), image.manifest_bytes.clone()));
        files.push(bytes(&blob_name(&image.config), image.config_bytes.clone()));
        files.extend(image.layers.iter().map(|layer| LayoutFile {
            name: blob_name(&layer.digest),
            content: Content::Blob {
                digest: layer.digest,
                size: layer.size,
            },
        }));
    }
    for attestations in built.attestations() {
        files.push(bytes(
            &blob_name(&attestations.digest),
            attestations.bytes.clone(),
        ));
        files.extend(attestations.manifest.blobs().into_iter().map(|blob| LayoutFile {
            name: blob_name(&blob.digest),
            content: Content::Blob {
                digest: blob.digest,
                size: blob.size,
            },
        }));
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files.dedup_by(|a, b| a.name == b.name);
    files
}

fn blob_name(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

fn bytes(name: &str, content: Vec<u8>) -> LayoutFile {
    LayoutFile {
        name: name.to_owned(),
        content: Content::Bytes(content),
    }
}

fn json_bytes(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).expect("JSON values can be written")
}
