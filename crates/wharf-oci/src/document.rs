//! A document that names an image: a manifest or an index, told apart.
//!
//! A document could be read as either when it has the members of both, and two clients could then run two different
//! images by one digest (CVE-2021-41190). So the member `mediaType`, the type under which it came and its members must
//! all agree.

use serde::Deserialize;

use crate::{Index, Kind, Manifest, MediaType};

/// A manifest or an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// Of one image.
    Manifest(Box<Manifest>),
    /// Of several.
    Index(Box<Index>),
}

/// Why bytes are not a document that names an image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// Not JSON, or a member of the wrong type.
    #[error("not an image manifest")]
    Json(#[from] serde_json::Error),
    /// It came as one thing and says that it is another.
    #[error("an image manifest of type `{said}` that was served as `{served}`")]
    Ambiguous {
        /// By its member `mediaType`, or by its members.
        said: MediaType,
        /// By the registry or the descriptor.
        served: MediaType,
    },
    /// It has the members of a manifest and of an index.
    #[error("an image manifest that is an index too")]
    Both,
    /// Docker's first format.
    #[error(
        "a manifest in Docker's schema 1, which is not supported: push the image again with a current tool"
    )]
    Schema1,
    /// Neither manifest nor index.
    #[error("a document of type `{0}`, which is no image manifest")]
    OtherType(MediaType),
}

/// The members that tell what a document is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outline {
    #[serde(default)]
    schema_version: u32,
    media_type: Option<MediaType>,
    manifests: Option<serde::de::IgnoredAny>,
    config: Option<serde::de::IgnoredAny>,
    layers: Option<serde::de::IgnoredAny>,
    fs_layers: Option<serde::de::IgnoredAny>,
}

impl Document {
    /// Reads `bytes`, which came as `served` (a descriptor's type or a registry's `Content-Type`).
    pub fn from_json(bytes: &[u8], served: Option<&MediaType>) -> Result<Self, DocumentError> {
        match kind(bytes, served)? {
            Kind::Index => Ok(Self::Index(serde_json::from_slice(bytes)?)),
            _ => Ok(Self::Manifest(serde_json::from_slice(bytes)?)),
        }
    }

    /// Its type: as it says itself, else what OCI calls it.
    pub fn media_type(&self) -> MediaType {
        let (said, oci) = match self {
            Self::Manifest(manifest) => (&manifest.media_type, MediaType::manifest(crate::Family::Oci)),
            Self::Index(index) => (&index.media_type, MediaType::index(crate::Family::Oci)),
        };
        said.clone().unwrap_or(oci)
    }
}

/// `Kind::Manifest` or `Kind::Index`.
fn kind(bytes: &[u8], served: Option<&MediaType>) -> Result<Kind, DocumentError> {
    let outline: Outline = serde_json::from_slice(bytes)?;
    if outline.schema_version == 1 || outline.fs_layers.is_some() {
        return Err(DocumentError::Schema1);
    }
    let is_index = outline.manifests.is_some();
    if is_index && (outline.config.is_some() || outline.layers.is_some()) {
        return Err(DocumentError::Both);
    }
    let shape = if is_index { Kind::Index } else { Kind::Manifest };
    // Some registries serve everything as JSON or as bytes: a type that says nothing cannot contradict.
    let served = served.filter(|served| served.kind() != Kind::Other);
    for said in [outline.media_type.as_ref(), served].into_iter().flatten() {
        match said.kind() {
            Kind::Schema1 => return Err(DocumentError::Schema1),
            kind if kind == shape => {}
            Kind::Manifest | Kind::Index => return Err(contradiction(&outline, said, shape)),
            _ => return Err(DocumentError::OtherType(said.clone())),
        }
    }
    Ok(shape)
}

fn contradiction(outline: &Outline, served: &MediaType, shape: Kind) -> DocumentError {
    let by_members = match shape {
        Kind::Index => MediaType::index(crate::Family::Oci),
        _ => MediaType::manifest(crate::Family::Oci),
    };
    let said = outline
        .media_type
        .clone()
        .filter(|said| said != served)
        .unwrap_or(by_members);
    DocumentError::Ambiguous {
        said,
        served: served.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Descriptor, Family};

    fn manifest() -> String {
        let blob = |text: &str| Descriptor::of(MediaType::new("x/y"), text.as_bytes());
        let manifest = Manifest::new(
            Family::Docker,
            blob("config"),
            vec![blob("a"), blob("b"), blob("a")],
        );
        String::from_utf8(manifest.to_json()).unwrap()
    }

    fn read(text: &str, served: &str) -> Result<Document, DocumentError> {
        let served = (!served.is_empty()).then(|| MediaType::new(served));
        Document::from_json(text.as_bytes(), served.as_ref())
    }

    #[test]
    fn manifests_and_indexes_are_told_apart() {
        let Document::Manifest(read_back) = read(&manifest(), "application/json").unwrap() else {
            panic!()
        };
        assert_eq!(read_back.blobs().len(), 3);
        assert_eq!(String::from_utf8(read_back.to_json()).unwrap(), manifest());
        let index = r#"{"schemaVersion":2,"manifests":[],"x-more":{"kept":true}}"#;
        let document = read(index, "application/vnd.oci.image.index.v1+json").unwrap();
        let Document::Index(read_back) = document else {
            panic!()
        };
        assert_eq!(String::from_utf8(read_back.to_json()).unwrap(), index);
    }

    #[test]
    fn documents_that_could_be_two_things_are_refused() {
        let oci_index = "application/vnd.oci.image.index.v1+json";
        assert!(matches!(
            read(&manifest(), oci_index),
            Err(DocumentError::Ambiguous { .. })
        ));
        let lying = format!(r#"{{"schemaVersion":2,"mediaType":"{oci_index}","config":{{}},"layers":[]}}"#);
        assert!(matches!(read(&lying, ""), Err(DocumentError::Ambiguous { .. })));
        let both = r#"{"schemaVersion":2,"manifests":[],"layers":[]}"#;
        assert!(matches!(read(both, ""), Err(DocumentError::Both)));
    }

    #[test]
    fn other_documents_have_their_errors() {
        let schema1 = r#"{"schemaVersion":1,"fsLayers":[]}"#;
        assert!(matches!(read(schema1, ""), Err(DocumentError::Schema1)));
        let config = "application/vnd.oci.image.config.v1+json";
        assert!(matches!(read("{}", config), Err(DocumentError::OtherType(_))));
        for text in ["", "[]", "{}", r#"{"schemaVersion":2}"#, "<html>"] {
            assert!(matches!(read(text, ""), Err(DocumentError::Json(_))), "{text}");
        }
    }
}
