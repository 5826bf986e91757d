//! Action results: what a step yielded, by its exact or strong key.

use serde::{Deserialize, Serialize};
use wharf_oci::Digest;
use wharf_tree::TreeDigest;

use crate::{
    error::StoreError,
    layout::{self, RESULTS},
    root::{LayerId, Root, tree_digest},
    store::Store,
};

/// An exact or strong key: what a result is found under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ActionKey(pub Digest);

/// Who saw what a step read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recorder {
    /// The FUSE root: complete.
    Fuse,
    /// Seccomp user notification: weak.
    Notify,
    /// Nobody: the exact key alone counts.
    None,
}

/// What a step yielded. Failed steps have none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActionResult {
    /// What it is found under.
    pub key: ActionKey,
    /// What it added to its parent; `None` when it changed nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<LayerId>,
    /// The merged tree: parent and layer. Not stored as such, but known.
    #[serde(with = "tree_digest")]
    pub tree: TreeDigest,
    /// When the step started, in seconds since the epoch: what `created` in an image's history says.
    pub ran_at: i64,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// Who saw what it read.
    pub recorder: Recorder,
    /// What it read, with the answers: an object of [`Store::put_path_set`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_set: Option<Digest>,
    /// Names the layers that the step's root was made of, times included. Where it is equal, so is every time that the step
    /// could see there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ran_on: Option<Digest>,
    /// Blobs that belong to the result without being a file of its layer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blobs: Vec<Digest>,
    /// Fields of other versions, kept as they are.
    #[serde(flatten)]
    pub rest: serde_json::Map<String, serde_json::Value>,
}

impl ActionResult {
    /// What must be kept for this result to be worth anything.
    pub(crate) fn roots(&self) -> Vec<Root> {
        let layer = self.layer.map(Root::Layer);
        let read_set = self.read_set.map(Root::Paths);
        let blobs = self.blobs.iter().copied().map(Root::Blob);
        layer.into_iter().chain(read_set).chain(blobs).collect()
    }
}

impl Store {
    /// The result under `key`; a damaged one is none. It, its layer and the layer's blobs stay until this handle is dropped.
    pub fn result(&self, key: &ActionKey) -> Result<Option<ActionResult>, StoreError> {
        let found: Option<ActionResult> = self.look_up(&layout::object(RESULTS, &key.0))?;
        Ok(found.filter(|result| result.key == *key))
    }

    /// Keeps a result under its key, in place of one that is there. Its layer and blobs must be stored before.
    pub fn put_result(&self, result: &ActionResult) -> Result<(), StoreError> {
        self.write_record(&layout::object(RESULTS, &result.key.0), result)
    }
}
