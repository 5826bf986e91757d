//! Media types of image documents and layers: OCI's, Docker's, and any other as it came.
//!
//! OCI image specification, "Media Types"; Docker image manifest version 2, schema 2. Docker's types mean the same as
//! their OCI counterparts, so code asks for the [`Kind`], and only what writes documents cares for the [`Family`].

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};

/// A media type: one of those known here, or any other text, which survives.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MediaType(Cow<'static, str>);

/// Which specification a media type is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// The OCI image specification.
    Oci,
    /// Docker's schema 2.
    Docker,
}

/// How a layer's tar is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    Plain,
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
}

/// What a media type's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An index of manifests (Docker: a manifest list).
    Index,
    /// The manifest of one image.
    Manifest,
    /// Docker's schema 1, which nothing writes any more and which names no content.
    Schema1,
    /// An image configuration.
    Config,
    /// A layer.
    Layer {
        /// How it is packed.
        packing: Packing,
        /// False for layers that may only be fetched from where their descriptor says.
        distributable: bool,
    },
    /// Something else.
    Other,
}

const fn layer(packing: Packing) -> Kind {
    Kind::Layer {
        packing,
        distributable: true,
    }
}

const fn foreign(packing: Packing) -> Kind {
    Kind::Layer {
        packing,
        distributable: false,
    }
}

use Family::{Docker, Oci};
use Packing::{Gzip, Plain, Zstd};

/// All that are known.
const KNOWN: [(&str, Family, Kind); 20] = [
    ("application/vnd.oci.image.index.v1+json", Oci, Kind::Index),
    ("application/vnd.oci.image.manifest.v1+json", Oci, Kind::Manifest),
    ("application/vnd.oci.image.config.v1+json", Oci, Kind::Config),
    ("application/vnd.oci.image.layer.v1.tar", Oci, layer(Plain)),
    ("application/vnd.oci.image.layer.v1.tar+gzip", Oci, layer(Gzip)),
    ("application/vnd.oci.image.layer.v1.tar+zstd", Oci, layer(Zstd)),
    (
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        Oci,
        foreign(Plain),
    ),
    (
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        Oci,
        foreign(Gzip),
    ),
    (
        "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
        Oci,
        foreign(Zstd),
    ),
    (
        "application/vnd.docker.distribution.manifest.list.v2+json",
        Docker,
        Kind::Index,
    ),
    (
        "application/vnd.docker.distribution.manifest.v2+json",
        Docker,
        Kind::Manifest,
    ),
    (
        "application/vnd.docker.distribution.manifest.v1+json",
        Docker,
        Kind::Schema1,
    ),
    (
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
        Docker,
        Kind::Schema1,
    ),
    (
        "application/vnd.docker.container.image.v1+json",
        Docker,
        Kind::Config,
    ),
    (
        "application/vnd.docker.image.rootfs.diff.tar",
        Docker,
        layer(Plain),
    ),
    (
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
        Docker,
        layer(Gzip),
    ),
    (
        "application/vnd.docker.image.rootfs.diff.tar.zstd",
        Docker,
        layer(Zstd),
    ),
    (
        "application/vnd.docker.image.rootfs.foreign.diff.tar",
        Docker,
        foreign(Plain),
    ),
    (
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        Docker,
        foreign(Gzip),
    ),
    (
        "application/vnd.docker.image.rootfs.foreign.diff.tar.zstd",
        Docker,
        foreign(Zstd),
    ),
];

impl MediaType {
    /// The type of an index.
    pub const fn index(family: Family) -> Self {
        Self(Cow::Borrowed(match family {
            Oci => "application/vnd.oci.image.index.v1+json",
            Docker => "application/vnd.docker.distribution.manifest.list.v2+json",
        }))
    }

    /// The type of a manifest.
    pub const fn manifest(family: Family) -> Self {
        Self(Cow::Borrowed(match family {
            Oci => "application/vnd.oci.image.manifest.v1+json",
            Docker => "application/vnd.docker.distribution.manifest.v2+json",
        }))
    }

    /// The type of an image configuration.
    pub const fn config(family: Family) -> Self {
        Self(Cow::Borrowed(match family {
            Oci => "application/vnd.oci.image.config.v1+json",
            Docker => "application/vnd.docker.container.image.v1+json",
        }))
    }

    /// The type of a layer. Docker never specified zstd; its name here is the one that containerd knows.
    pub const fn layer(family: Family, packing: Packing) -> Self {
        Self(Cow::Borrowed(match (family, packing) {
            (Oci, Plain) => "application/vnd.oci.image.layer.v1.tar",
            (Oci, Gzip) => "application/vnd.oci.image.layer.v1.tar+gzip",
            (Oci, Zstd) => "application/vnd.oci.image.layer.v1.tar+zstd",
            (Docker, Plain) => "application/vnd.docker.image.rootfs.diff.tar",
            (Docker, Gzip) => "application/vnd.docker.image.rootfs.diff.tar.gzip",
            (Docker, Zstd) => "application/vnd.docker.image.rootfs.diff.tar.zstd",
        }))
    }

    /// The type that `text` names; parameters (`; charset=…`) and case do not count.
    pub fn new(text: &str) -> Self {
        let text = text
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        match KNOWN.iter().find(|(known, ..)| *known == text) {
            Some((known, ..)) => Self(Cow::Borrowed(known)),
            None => Self(Cow::Owned(text)),
        }
    }

    /// What its bytes are.
    pub fn kind(&self) -> Kind {
        self.known().map_or(Kind::Other, |(_, _, kind)| *kind)
    }

    /// Which specification it is from, if it is known.
    pub fn family(&self) -> Option<Family> {
        self.known().map(|(_, family, _)| *family)
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The types of documents that name images: what a registry is asked for, best liked first.
    pub fn documents() -> [Self; 4] {
        [
            Self::index(Oci),
            Self::manifest(Oci),
            Self::index(Docker),
            Self::manifest(Docker),
        ]
    }

    fn known(&self) -> Option<&'static (&'static str, Family, Kind)> {
        KNOWN.iter().find(|(known, ..)| *known == self.0)
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_known() {
        for family in [Oci, Docker] {
            assert_eq!(MediaType::index(family).kind(), Kind::Index);
            assert_eq!(MediaType::manifest(family).kind(), Kind::Manifest);
            assert_eq!(MediaType::config(family).kind(), Kind::Config);
            for packing in [Plain, Gzip, Zstd] {
                let made = MediaType::layer(family, packing);
                assert_eq!((made.kind(), made.family()), (layer(packing), Some(family)));
            }
        }
    }

    #[test]
    fn parameters_and_case_do_not_count() {
        let text = "Application/vnd.oci.image.manifest.v1+JSON; charset=utf-8";
        assert_eq!(MediaType::new(text), MediaType::manifest(Oci));
    }

    #[test]
    fn others_survive() {
        let other: MediaType = serde_json::from_str(r#""application/vnd.example+json""#).unwrap();
        assert_eq!((other.kind(), other.family()), (Kind::Other, None));
        assert_eq!(
            serde_json::to_string(&other).unwrap(),
            r#""application/vnd.example+json""#
        );
    }
}
