//! Debian and Ubuntu: apt's archives, from the host's configuration down to verified packages.

pub mod architecture;
mod archive_keys;
pub mod relation;
pub mod stanza;
pub mod version;

pub mod conf;
pub mod host;
pub mod origin;
pub mod sources;

pub mod acquire;
pub mod index;
pub mod keyring;
pub mod release;
pub mod signature;

pub mod resolve;
pub mod select;
pub mod solve;
pub mod universe;
