//! Merkle directory trees as immutable data: what a root filesystem, a context and a layer are made of.
//!
//! Everything here is in memory and pure: reading file contents, disks and processes are other crates' affairs. Paths are
//! bytes, relative to the root, with `/` between components.

pub mod blob;
pub mod build;
mod check;
pub mod compress;
mod decode;
pub mod diff;
pub mod dir;
mod edit;
mod encode;
pub mod entry;
pub mod glob;
pub mod graft;
mod index;
pub mod links;
pub mod lookup;
pub mod merge;
pub mod mode;
mod objects;
pub mod pack;
pub mod path;
pub mod readset;
mod retime;
pub mod tar;
#[cfg(test)]
mod testing;
pub mod times;
pub mod tree;

pub use blob::{BlobRead, BlobSink};
pub use build::{BuildError, LayerBuilder, TreeBuilder};
pub use decode::DecodeError;
pub use diff::diff;
pub use dir::{Dir, DirRole, Glimpse, Summary};
pub use entry::{Attrs, Device, Entry, Mtime, Node, Xattrs};
pub use graft::{CopyOptions, Graft, GraftError};
pub use index::PackIndex;
pub use links::HardLinks;
pub use lookup::{FollowLast, Lookup, LookupError, Resolved, Visit};
pub use merge::{MergeError, merge, regraft};
pub use mode::{ModeChange, ModeError};
pub use objects::PackFile;
pub use path::{Name, PATH_MAX, PathError, TreePath};
pub use times::TimesError;
pub use tree::{Layer, TimesDigest, Tree, TreeDigest};
