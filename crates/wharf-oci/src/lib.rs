//! The nouns of the OCI specifications as plain data: digests, references, platforms, media types, image documents.
//!
//! Nothing here does I/O. Every other crate may depend on this one.

pub mod config;
mod digest;
mod platform;
mod reference;

pub use digest::{Digest, Hasher, ParseDigestError};
pub use platform::{ParsePlatformError, Platform};
pub use reference::{ParseReferenceError, Reference};
