//! The plan of a base as plain data: its packages, its unpacked layer, and what is still to be run on it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wharf_graph::RunOp;
use wharf_oci::{Digest, config::Execution};
use wharf_store::LayerId;
use wharf_tree::{Layer, Tree, TreeDigest};

/// Names everything that a base is made of: packages by hash, sources, variant, the version of what configures it. Equal keys
/// give bases that do the same, and usually equal ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BaseKey(pub Digest);

/// One package of a base.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version, epoch and revision included.
    pub version: String,
    /// The distribution's name of its architecture (`amd64`, `all`).
    pub architecture: String,
    /// SHA-256 of the package file.
    pub sha256: Digest,
    /// Length of the package file in bytes.
    pub size: u64,
    /// Where the file is, relative to the root of its archive.
    pub path: String,
    /// Which of the resolution's archives has it.
    pub archive: usize,
    /// What it is in the base for.
    pub reason: Reason,
}

/// What a package is in a base for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// It belongs to the essential set or is needed by it: configured before all others.
    Essential,
    /// It was asked for, by name or by the variant.
    Asked,
    /// Another package needs it.
    Dependency,
}

/// A base whose packages are unpacked in the store, and what remains to be done.
#[derive(Debug, Clone)]
pub struct BasePlan {
    /// Names the base.
    pub key: BaseKey,
    /// All packages, in the order in which they are unpacked.
    pub packages: Vec<Package>,
    /// Files of all packages, merged: the base's first layer.
    pub unpacked: LayerId,
    /// The package manager's database, every package in state `unpacked`. Not a layer of the finished base.
    pub database: LayerId,
    /// What runs the packages' scripts; `None` when no package has one.
    pub configure: Option<ConfigureOp>,
    /// What the image says about running it.
    pub config: Execution,
}

/// The configure step: a RUN op like any other, on a root that may have a helper below the base.
#[derive(Debug, Clone)]
pub struct ConfigureOp {
    /// Command, environment and mounts. Needs no network.
    pub run: RunOp,
    /// The root's layers, base layer first; the helper's, if there is one, lie below the plan's.
    pub layers: Vec<LayerId>,
    /// The layers merged.
    pub root: Arc<Tree>,
}

/// A finished base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// Names it.
    pub key: BaseKey,
    /// Its layers, base layer first.
    pub layers: Vec<LayerId>,
    /// The layers merged.
    #[serde(with = "tree_digest")]
    pub tree: TreeDigest,
    /// What the image says about running it.
    pub config: Execution,
    /// All packages.
    pub packages: Vec<Package>,
}

/// Runs a configure step in a sandbox. Its one implementation in the product is the executor of RUN steps; a chroot does in
/// tests.
pub trait Configurer: Send + Sync {
    /// Runs `op` and gives what it wrote: the layer over `op.root`.
    fn configure(&self, op: &ConfigureOp) -> Result<Layer, ConfigureError>;
}

/// A configure step that failed.
#[derive(Debug, thiserror::Error)]
pub enum ConfigureError {
    /// A script or the package manager failed.
    #[error("configuring the packages exited with {code}")]
    Exit {
        /// The step's exit code.
        code: i32,
        /// The end of what it printed.
        output: String,
    },
    /// The step could not be run.
    #[error("the packages could not be configured in the sandbox")]
    Sandbox(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A tree's digest as the digest that it is.
mod tree_digest {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};
    use wharf_oci::Digest;
    use wharf_tree::TreeDigest;

    pub(super) fn serialize<S: Serializer>(tree: &TreeDigest, serializer: S) -> Result<S::Ok, S::Error> {
        tree.0.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TreeDigest, D::Error> {
        Digest::deserialize(deserializer).map(TreeDigest)
    }
}
