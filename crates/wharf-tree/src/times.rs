//! The times object: the mtimes of a tree or layer, which its digest leaves out.

use crate::{
    entry::Entry,
    tree::{Layer, TimesDigest, Tree},
};

/// A times object that does not fit its tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimesError {
    /// The bytes end too early.
    #[error("truncated")]
    Truncated,
}

/// The times object of everything at and below `root`.
pub fn encode(root: &Entry) -> Vec<u8> {
    let _ = root;
    unimplemented!()
}

/// Sets all times at and below `root` from a times object. Digests stay as they are.
pub fn apply(root: &mut Entry, times: &[u8]) -> Result<(), TimesError> {
    let _ = (root, times);
    unimplemented!()
}

impl Tree {
    /// The times object and its name.
    pub fn times(&self) -> (TimesDigest, Vec<u8>) {
        unimplemented!()
    }
    /// Sets all times from a times object.
    pub fn apply_times(&mut self, times: &[u8]) -> Result<(), TimesError> {
        apply(&mut self.root, times)
    }
}

impl Layer {
    /// The times object and its name.
    pub fn times(&self) -> (TimesDigest, Vec<u8>) {
        unimplemented!()
    }
    /// Sets all times from a times object.
    pub fn apply_times(&mut self, times: &[u8]) -> Result<(), TimesError> {
        apply(&mut self.root, times)
    }
}
