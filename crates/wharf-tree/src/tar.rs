//! Layer tars, in and out.

pub mod export;
pub mod import;

pub use export::{ExportError, ExportOptions, export, export_tree};
pub use import::{ImportError, ImportOptions, Limits, import, import_archive};
