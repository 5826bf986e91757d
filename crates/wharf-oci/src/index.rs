//! The index of an image's manifests: one for each platform.
//!
//! OCI image specification, "Image Index"; Docker's manifest list.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Descriptor, Family, Kind, MediaType, Platform, descriptor::null_is_empty};

/// An index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Always 2.
    pub schema_version: u32,
    /// OCI's may leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<MediaType>,
    /// Set when this is no image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The manifests, or further indexes.
    pub manifests: Vec<Descriptor>,
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

impl Index {
    /// A new index.
    pub fn new(family: Family, manifests: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(MediaType::index(family)),
            artifact_type: None,
            manifests,
            subject: None,
            annotations: BTreeMap::new(),
            other: Map::new(),
        }
    }

    /// Its bytes: compact, members in the order of the specification.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings, numbers and maps with string keys are JSON")
    }

    /// The manifest for `platform`: of those that run on it the newest variant, then the first.
    ///
    /// When none says that it runs there, one that does not say what it is for may do (containerd tries these too):
    /// look at its configuration.
    pub fn select(&self, platform: &Platform) -> Option<&Descriptor> {
        let mut best: Option<(&Descriptor, Platform)> = None;
        for (candidate, offered) in self.offers() {
            let better = best
                .as_ref()
                .is_none_or(|(_, held)| offered.variant > held.variant);
            if platform.runs(&offered) && better {
                best = Some((candidate, offered));
            }
        }
        best.map(|(descriptor, _)| descriptor)
            .or_else(|| self.images().find(|image| image.platform.is_none()))
    }

    /// What it has manifests for, in its order. Attestations, whose platform is `unknown`, are left out.
    pub fn platforms(&self) -> Vec<Platform> {
        self.offers().map(|(_, platform)| platform).collect()
    }

    fn offers(&self) -> impl Iterator<Item = (&Descriptor, Platform)> {
        self.images()
            .filter_map(|image| Some((image, image.platform()?)))
            .filter(|(_, platform)| platform.os != "unknown")
    }

    fn images(&self) -> impl Iterator<Item = &Descriptor> {
        let is_image = |entry: &&Descriptor| matches!(entry.media_type.kind(), Kind::Manifest | Kind::Index);
        self.manifests.iter().filter(is_image)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(platforms: &[&str]) -> Index {
        let entry = |text: &&str| {
            let entry = Descriptor::of(MediaType::manifest(Family::Oci), text.as_bytes());
            match *text {
                "" => entry,
                "unknown" => entry.with_platform(&Platform::new("unknown", "unknown", "")),
                text => entry.with_platform(&text.parse().unwrap()),
            }
        };
        Index::new(Family::Oci, platforms.iter().map(entry).collect())
    }

    #[test]
    fn the_nearest_platform_wins() {
        for (wanted, offered, expected) in [
            (
                "linux/amd64",
                &["linux/arm64", "linux/amd64", "linux/amd64/v2"][..],
                Some(1),
            ),
            (
                "linux/amd64/v3",
                &["linux/amd64", "linux/amd64/v2", "linux/amd64/v4"],
                Some(1),
            ),
            (
                "linux/arm/v7",
                &["linux/arm/v5", "linux/arm/v6", "linux/arm/v8"],
                Some(1),
            ),
            ("linux/arm64", &["linux/arm/v7", "linux/amd64"], None),
            ("linux/amd64", &["linux/amd64", "linux/amd64"], Some(0)),
            ("linux/amd64", &["unknown", ""], Some(1)),
            ("linux/amd64", &["unknown"], None),
        ] {
            let index = index(offered);
            let selected = index.select(&wanted.parse().unwrap());
            let expected = expected.map(|n: usize| &index.manifests[n]);
            assert_eq!(
                selected.map(|d| d.digest),
                expected.map(|d| d.digest),
                "{wanted} of {offered:?}"
            );
        }
    }

    #[test]
    fn attestations_are_no_platforms() {
        let platforms = index(&["linux/amd64", "unknown", "linux/arm64"]).platforms();
        let names: Vec<_> = platforms.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["linux/amd64", "linux/arm64"]);
    }
}
