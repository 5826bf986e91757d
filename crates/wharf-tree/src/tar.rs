//! Tars, in and out: layers as the OCI image specification has them ("Image Layer Filesystem Changeset"), and flat trees.
//!
//! Reading follows what the Go readers of registries and runtimes accept: POSIX ustar and pax, GNU long names, numbers and
//! sparse files (old, 0.0, 0.1 and 1.0), star's prefix. Writing gives equal bytes for equal input, always.

mod convert;
mod error;
pub mod export;
mod header;
pub mod import;
mod pax;
mod reader;
mod sparse;
mod writer;

pub use export::{ExportError, ExportOptions, export, export_tree};
pub use header::FormatError;
pub use import::{ImportError, ImportOptions, Limits, import, import_archive, is_archive};
