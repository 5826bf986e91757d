//! Merkle directory trees as immutable data: what a root filesystem, a context and a layer are made of.
//!
//! Everything here is in memory and pure: reading file contents, disks and processes are other crates' affairs. Paths are
//! bytes, relative to the root, with `/` between components.

pub mod dir;
pub mod entry;
pub mod path;
pub mod tree;

pub use dir::{Dir, DirRole};
pub use entry::{Attrs, Device, Entry, Mtime, Node, Xattrs};
pub use path::{Name, PathError, TreePath};
pub use tree::{HardLinks, Layer, TimesDigest, Tree, TreeDigest};
