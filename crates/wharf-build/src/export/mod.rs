//! Outputs: what leaves the store, and in which shape.

mod archive;
mod beside;
mod content;
mod engine;
mod files;
mod layout;
mod platforms;

pub use archive::{Archive, ArchiveError};
pub use beside::with_files;
pub use engine::{EngineError, load_into_engine};
pub use files::{FilesError, write_directory, write_tar};
pub use layout::{Content, LayoutFile, LayoutImage, docker_files, oci_files};
pub use platforms::{folder, in_folders, together};
