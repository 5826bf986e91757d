//! Laying a layer on a tree.

use crate::{
    path::TreePath,
    tree::{Layer, Tree},
};

/// A reused layer that does not fit its new parent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// The layer goes through a directory that the tree does not have as a directory.
    #[error("the layer passes through {path}, which is no directory below it")]
    NotADirectory {
        /// Where.
        path: TreePath,
    },
}

/// `lower` with `layer` on it, by the OCI rules: path by path, links are not followed. Total: a structural directory that
/// meets nothing, or something that is no directory, becomes a root-owned one of mode 0755. O(changed): what the layer does
/// not touch is shared.
pub fn merge(lower: &Tree, layer: &Layer) -> Tree {
    let _ = (lower, layer);
    unimplemented!()
}

/// [`merge`] for a layer that was made on another parent: refuses when one of its structural directories is not a
/// directory in `lower`.
pub fn regraft(lower: &Tree, layer: &Layer) -> Result<Tree, MergeError> {
    let _ = (lower, layer);
    unimplemented!()
}
