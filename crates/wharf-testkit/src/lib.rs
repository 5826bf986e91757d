//! What tests share: saying aloud what is skipped, scratch directories, and fake peers.

#[cfg(feature = "http")]
pub mod certificates;
#[cfg(feature = "http")]
pub mod docker_registry;
#[cfg(feature = "http")]
pub mod fake_http;
#[cfg(feature = "http")]
pub mod git_http;
mod scratch;
mod skip;
#[cfg(feature = "trace")]
pub mod tracer;

pub use scratch::Scratch;
pub use skip::skip;
