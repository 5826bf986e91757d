//! What layers are called by their content: diff IDs and chain IDs.
//!
//! OCI image specification, "Image Configuration", sections "Layer DiffID" and "Layer ChainID".

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Digest;

/// The digest of a layer's uncompressed tar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DiffId(pub Digest);

/// What a layer and all layers below it are called together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChainId(pub Digest);

impl ChainId {
    /// The chain of a base layer.
    pub const fn base(layer: DiffId) -> Self {
        Self(layer.0)
    }

    /// The chain of `layer` on top of this one.
    #[must_use]
    pub fn then(self, layer: DiffId) -> Self {
        Self(Digest::of(format!("{} {}", self.0, layer.0).as_bytes()))
    }

    /// The chain of each of `layers`, base layer first.
    pub fn of_each(layers: &[DiffId]) -> Vec<Self> {
        let chain = layers.iter().scan(None, |below: &mut Option<Self>, layer| {
            *below = Some(below.map_or(Self::base(*layer), |below| below.then(*layer)));
            *below
        });
        chain.collect()
    }
}

impl fmt::Display for DiffId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_are_hashes_of_two_digests_with_a_space() {
        let layers = [b"a", b"b", b"c"].map(|text| DiffId(Digest::of(text)));
        let chains = ChainId::of_each(&layers);
        assert_eq!(chains[0].0, layers[0].0);
        let second = Digest::of(format!("{} {}", layers[0], layers[1]).as_bytes());
        assert_eq!(chains[1].0, second);
        assert_eq!(
            chains[2].0,
            Digest::of(format!("{second} {}", layers[2]).as_bytes())
        );
        assert!(ChainId::of_each(&[]).is_empty());
    }
}
