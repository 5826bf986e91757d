//! What has to be laid on one tree to get another.

use crate::tree::{Layer, Tree};

/// The layer for which `merge(lower, diff) == upper`, the times of directories aside: the time of a regular file or link
/// counts as a change, that of a directory alone does not.
pub fn diff(lower: &Tree, upper: &Tree) -> Layer {
    let _ = (lower, upper);
    unimplemented!()
}
