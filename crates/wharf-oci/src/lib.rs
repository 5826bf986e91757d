//! The nouns of the OCI specifications as plain data: digests, references, platforms, media types, image documents.
//!
//! Nothing here does I/O. Every other crate may depend on this one.

pub mod config;
mod descriptor;
mod digest;
mod document;
mod index;
mod layer_id;
mod manifest;
mod media_type;
mod platform;
mod reference;

pub use descriptor::{DescribedPlatform, Descriptor};
pub use digest::{Digest, Hasher, ParseDigestError};
pub use document::{Document, DocumentError};
pub use index::Index;
pub use layer_id::{ChainId, DiffId};
pub use manifest::Manifest;
pub use media_type::{Family, Kind, MediaType, Packing};
pub use platform::{ParsePlatformError, Platform};
pub use reference::{ParseReferenceError, Reference, account_names, api_host};
