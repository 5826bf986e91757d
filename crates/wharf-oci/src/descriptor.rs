//! Descriptors: type, digest and size of some content, and what documents say about it.
//!
//! OCI image specification, "Content Descriptors". Members that the specification does not name survive reading and
//! writing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Digest, MediaType, Platform};

/// The type, digest and size of some content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the bytes are.
    pub media_type: MediaType,
    /// Their digest.
    pub digest: Digest,
    /// How many they are.
    pub size: u64,
    /// Where else they can be had.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// Free-form facts.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "null_is_empty"
    )]
    pub annotations: BTreeMap<String, String>,
    /// What the image is for, in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<DescribedPlatform>,
    /// The type of artifact that a manifest is, in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// All other members.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A platform as a document has it: features and whatever else included, not in normal form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DescribedPlatform(Map<String, Value>);

impl DescribedPlatform {
    /// The platform in normal form, or `None` if the document names none.
    pub fn normal(&self) -> Option<Platform> {
        serde_json::from_value(Value::Object(self.0.clone())).ok()
    }
}

impl From<&Platform> for DescribedPlatform {
    fn from(platform: &Platform) -> Self {
        match serde_json::to_value(platform) {
            Ok(Value::Object(members)) => Self(members),
            _ => unreachable!("a platform is an object of strings"),
        }
    }
}

impl Descriptor {
    /// The descriptor of content of which type, digest and size (bytes) are known.
    pub fn new(media_type: MediaType, digest: Digest, size: u64) -> Self {
        Self {
            media_type,
            digest,
            size,
            urls: Vec::new(),
            annotations: BTreeMap::new(),
            platform: None,
            artifact_type: None,
            other: Map::new(),
        }
    }

    /// The descriptor of `bytes`.
    pub fn of(media_type: MediaType, bytes: &[u8]) -> Self {
        Self::new(media_type, Digest::of(bytes), bytes.len() as u64)
    }

    /// What the image is for, in normal form.
    pub fn platform(&self) -> Option<Platform> {
        self.platform.as_ref()?.normal()
    }

    /// This, for an index, with what the image is for.
    #[must_use]
    pub fn with_platform(mut self, platform: &Platform) -> Self {
        self.platform = Some(platform.into());
        self
    }

    /// Type, digest and size alone.
    #[must_use]
    pub fn plain(&self) -> Self {
        Self::new(self.media_type.clone(), self.digest, self.size)
    }
}

pub(crate) fn null_is_empty<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_members_and_odd_platforms_survive() {
        let text = format!(
            r#"{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{}","size":7,"platform":{{"architecture":"arm64","features":["x"],"os":"linux","variant":"v8"}},"data":"YWJj"}}"#,
            Digest::of(b"x")
        );
        let descriptor: Descriptor = serde_json::from_str(&text).unwrap();
        assert_eq!(descriptor.platform().unwrap().to_string(), "linux/arm64");
        assert_eq!(serde_json::to_string(&descriptor).unwrap(), text);
    }

    #[test]
    fn impossible_sizes_and_digests_are_refused() {
        for (digest, size) in [("sha256:00", "7"), (&*Digest::of(b"").to_string(), "-1")] {
            let text = format!(r#"{{"mediaType":"x","digest":"{digest}","size":{size}}}"#);
            assert!(serde_json::from_str::<Descriptor>(&text).is_err());
        }
    }
}
