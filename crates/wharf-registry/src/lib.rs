//! OCI distribution client: resolve, pull, push, mount, tags.
//!
//! A [`Registry`] speaks the OCI distribution specification v1.1 with every host that a
//! [`Reference`](wharf_oci::Reference) may lead to, by the user's settings: mirrors, other locations, certificates,
//! credentials. It keeps nothing on disk and knows no store: blobs come out as verified streams and go in as bodies
//! that can be opened again.
//!
//! Invariants: what a digest names is never given out before it was verified; credentials go to their own registry,
//! and to the token server that this registry names, and nowhere else.

mod answer;
mod auth_file;
mod blob;
mod certs_dir;
mod challenge;
mod error;
mod helper;
mod manifests;
mod peer;
mod pull;
mod push;
mod registries_conf;
mod registry;
mod scope;
mod secret;
mod settings;
mod tags;
mod token;
mod upload;

pub use auth_file::Credential;
pub use blob::BlobDownload;
pub use certs_dir::CertsError;
pub use error::Error;
pub use helper::HelperError;
pub use manifests::Fetched;
pub use pull::Pulled;
pub use push::Pushed;
pub use registries_conf::RegistriesConfError;
pub use registry::{Options, Registry};
pub use secret::Secret;
pub use settings::{Settings, SettingsError, SettingsFiles};
