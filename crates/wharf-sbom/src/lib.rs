//! What packages a tree holds, and the SPDX document that says so.
//!
//! [`scan()`] finds what package managers and build tools left in a tree: their databases, manifests, lock files, and what compilers
//! wrote into programs. [`document`] writes what was found as SPDX 2.3. Nothing here knows where contents are kept: it is
//! given a [`Contents`]. Whatever a tree holds, sizes are bounded and nothing panics: what cannot be read is a note of the
//! [`Inventory`].

mod apk;
mod cargo;
mod copyright;
mod distro;
mod dpkg;
mod elf;
mod go;
mod licence;
mod npm;
mod package;
mod purl;
mod python;
mod reader;
mod rpm;
mod scan;
mod spdx_document;
mod stanza;
#[cfg(test)]
mod testing;

pub use distro::Distro;
pub use package::{Checksum, ChecksumKind, Ecosystem, FileSums, Inventory, Package, Supplier};
pub use purl::Purl;
pub use reader::{Content, Contents, ScanError};
pub use scan::{SCAN_VERSION, distro, scan};
pub use spdx_document::{About, PREDICATE_TYPE, document};
