//! Canonical bytes of directories, trees and layers, and their digests (docs/formats.md, "Trees").

use wharf_oci::Digest;

use crate::{
    dir::Dir,
    tree::{Layer, Tree, TreeDigest},
};

/// Bytes that are not the pack they claim to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end too early.
    #[error("truncated")]
    Truncated,
}

impl Dir {
    /// SHA-256 of this directory's canonical bytes; computed once.
    pub fn digest(&self) -> Digest {
        unimplemented!()
    }
}

impl Tree {
    /// What names this tree. Times do not count. O(changed) after a merge: untouched directories know their digest.
    pub fn digest(&self) -> TreeDigest {
        unimplemented!()
    }
    /// The bytes that a store keeps: every distinct directory once.
    pub fn to_pack(&self) -> Vec<u8> {
        unimplemented!()
    }
    /// Checks and reads a pack; all times are zero until [`Tree::apply_times`].
    pub fn from_pack(pack: &[u8]) -> Result<Self, DecodeError> {
        let _ = pack;
        unimplemented!()
    }
}

impl Layer {
    /// What names this layer. Times do not count.
    pub fn digest(&self) -> TreeDigest {
        unimplemented!()
    }
    /// The bytes that a store keeps: every distinct directory once.
    pub fn to_pack(&self) -> Vec<u8> {
        unimplemented!()
    }
    /// Checks and reads a pack; all times are zero until [`Layer::apply_times`].
    pub fn from_pack(pack: &[u8]) -> Result<Self, DecodeError> {
        let _ = pack;
        unimplemented!()
    }
}
