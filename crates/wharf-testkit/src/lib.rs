//! What tests share: saying aloud what is skipped, and scratch directories.

mod scratch;
mod skip;

pub use scratch::Scratch;
pub use skip::skip;
