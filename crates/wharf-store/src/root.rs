//! What garbage collection starts from: the objects that pins, leases, images, results and memos name.

use serde::{Deserialize, Serialize};
use wharf_oci::Digest;
use wharf_tree::{TimesDigest, TreeDigest};

use crate::result::ActionKey;

/// Names a stored layer or tree together with its file times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LayerId {
    /// The layer's (or tree's) digest.
    #[serde(with = "tree_digest")]
    pub tree: TreeDigest,
    /// Its times object.
    #[serde(with = "times_digest")]
    pub times: TimesDigest,
}

/// Something that is kept together with everything it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Root {
    /// One blob.
    Blob(Digest),
    /// A layer or tree, its times object, and the blobs of all its files.
    Layer(LayerId),
    /// A path set or read set.
    Paths(Digest),
    /// An action result, its layer and its read set.
    Result(ActionKey),
}

macro_rules! digest_field {
    ($module:ident, $name:ident) => {
        mod $module {
            use serde::{Deserialize, Deserializer, Serialize, Serializer};
            use wharf_oci::Digest;
            use wharf_tree::$name;

            pub(super) fn serialize<S: Serializer>(value: &$name, serializer: S) -> Result<S::Ok, S::Error> {
                value.0.serialize(serializer)
            }

            pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                Digest::deserialize(deserializer).map($name)
            }
        }
    };
}

digest_field!(tree_digest, TreeDigest);
digest_field!(times_digest, TimesDigest);
