//! What garbage collection starts from: the objects that pins, leases, images, results and memos name.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use wharf_oci::{Digest, ParseDigestError};
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

/// A line of a lease.
impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blob(digest) => write!(f, "blob {}", digest.hex()),
            Self::Layer(id) => write!(f, "layer {} {}", id.tree.0.hex(), id.times.0.hex()),
            Self::Paths(digest) => write!(f, "paths {}", digest.hex()),
            Self::Result(key) => write!(f, "result {}", key.0.hex()),
        }
    }
}

/// A line that is not a root.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseRootError {
    /// The first word is none that is known.
    #[error("`{0}` is not a kind of root")]
    Kind(String),
    /// A name is no digest.
    #[error(transparent)]
    Digest(#[from] ParseDigestError),
}

impl FromStr for Root {
    type Err = ParseRootError;

    fn from_str(line: &str) -> Result<Self, ParseRootError> {
        let (kind, name) = line.split_once(' ').unwrap_or((line, ""));
        Ok(match kind {
            "blob" => Self::Blob(Digest::from_hex(name)?),
            "layer" => {
                let (tree, times) = name.split_once(' ').unwrap_or((name, ""));
                Self::Layer(LayerId {
                    tree: TreeDigest(Digest::from_hex(tree)?),
                    times: TimesDigest(Digest::from_hex(times)?),
                })
            }
            "paths" => Self::Paths(Digest::from_hex(name)?),
            "result" => Self::Result(ActionKey(Digest::from_hex(name)?)),
            _ => return Err(ParseRootError::Kind(kind.to_owned())),
        })
    }
}

macro_rules! digest_field {
    ($module:ident, $name:ident) => {
        pub(crate) mod $module {
            use serde::{Deserialize, Deserializer, Serialize, Serializer};
            use wharf_oci::Digest;
            use wharf_tree::$name;

            pub(crate) fn serialize<S: Serializer>(value: &$name, serializer: S) -> Result<S::Ok, S::Error> {
                value.0.serialize(serializer)
            }

            pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                Digest::deserialize(deserializer).map($name)
            }
        }
    };
}

digest_field!(tree_digest, TreeDigest);
digest_field!(times_digest, TimesDigest);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_back() {
        let digest = Digest::of(b"x");
        let layer = LayerId {
            tree: TreeDigest(digest),
            times: TimesDigest(Digest::of(b"y")),
        };
        for root in [
            Root::Blob(digest),
            Root::Layer(layer),
            Root::Paths(digest),
            Root::Result(ActionKey(digest)),
        ] {
            assert_eq!(root.to_string().parse(), Ok(root));
            let line = root.to_string();
            assert!(
                line[..line.len() - 1].parse::<Root>().is_err(),
                "a line that is cut off"
            );
        }
        assert_eq!("".parse::<Root>(), Err(ParseRootError::Kind(String::new())));
    }
}
