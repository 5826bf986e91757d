//! Layer or tree → tar.

use std::io::{self, Write};

use crate::{
    blob::BlobRead,
    tree::{Layer, Tree},
};

/// What may vary.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExportOptions {
    /// No time is later than this (SOURCE_DATE_EPOCH with rewriting), in seconds since the epoch.
    pub clamp_mtimes: Option<i64>,
}

/// Why no tar could be made.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Writing failed.
    #[error("cannot write the archive")]
    Io(#[from] io::Error),
}

/// Writes `layer` as a layer tar. `merged` is the tree after the layer: the structural directories' attributes are there.
pub fn export(
    layer: &Layer,
    merged: &Tree,
    blobs: &dyn BlobRead,
    options: &ExportOptions,
    out: &mut dyn Write,
) -> Result<(), ExportError> {
    let _ = (layer, merged, blobs, options, out);
    unimplemented!()
}

/// Writes a whole tree (`type=tar`).
pub fn export_tree(
    tree: &Tree,
    blobs: &dyn BlobRead,
    options: &ExportOptions,
    out: &mut dyn Write,
) -> Result<(), ExportError> {
    let _ = (tree, blobs, options, out);
    unimplemented!()
}
