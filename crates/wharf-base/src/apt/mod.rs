//! Debian and Ubuntu: apt's archives, from the host's configuration down to verified packages.

pub mod conf;
pub mod host;
pub mod index;
pub mod keyring;
pub mod origin;
pub mod relation;
pub mod release;
pub mod signature;
pub mod solve;
pub mod sources;
pub mod stanza;
pub mod universe;
pub mod version;
