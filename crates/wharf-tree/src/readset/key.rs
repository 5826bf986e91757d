//! Digests of path sets and read sets, and the strong key.

use std::fmt;

use wharf_oci::{Digest, Hasher};

use super::{PathSet, ReadSet, answer::Answerer, encode};
use crate::Tree;

/// First bytes of what a strong key is the digest of; changes with the meaning of any answer.
const STRONG_KEY_MAGIC: &[u8] = b"wharf strong key 1\n";

macro_rules! digest_newtype {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Digest);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

digest_newtype! {
    /// Names a path set by its encoding.
    PathSetDigest
}
digest_newtype! {
    /// Names a read set by its encoding, times included.
    ReadSetDigest
}
digest_newtype! {
    /// Names the outcome of a step that asks a path set and gets certain answers.
    StrongKey
}

impl PathSet {
    /// The digest of [`PathSet::to_bytes`].
    pub fn digest(&self) -> PathSetDigest {
        PathSetDigest(Digest::of(&self.to_bytes()))
    }

    /// H(family key ‖ path set ‖ what these trees answer to it). `set` is this set's digest, which whoever fetched it
    /// knows already.
    pub fn strong_key(&self, family: &Digest, set: PathSetDigest, trees: &[&Tree]) -> StrongKey {
        let mut answers = Hasher::new();
        let mut answerer = Answerer::new(trees);
        let mut bytes = Vec::new();
        for (place, asked) in self.places() {
            let found = answerer.find(place);
            for kind in asked.kinds() {
                encode::answer(&mut bytes, &answerer.answer(place, found.as_ref(), &kind));
            }
            if bytes.len() >= HASHED_AT_ONCE {
                answers.update(&bytes);
                bytes.clear();
            }
        }
        answers.update(&bytes);
        strong_key(family, set, &answers.finish())
    }
}

/// Enough to make the hash function's own cost the only one.
const HASHED_AT_ONCE: usize = 16 << 10;

impl ReadSet {
    /// The digest of [`ReadSet::to_bytes`].
    pub fn digest(&self) -> ReadSetDigest {
        ReadSetDigest(Digest::of(&self.to_bytes()))
    }

    /// The key under which the result of the step that got these answers is found.
    pub fn strong_key(&self, family: &Digest) -> StrongKey {
        let mut answers = Vec::new();
        for (_, answer) in self.places().flat_map(|(_, told)| &told.answers) {
            encode::answer(&mut answers, answer);
        }
        strong_key(family, self.path_set().digest(), &Digest::of(&answers))
    }
}

fn strong_key(family: &Digest, set: PathSetDigest, answers: &Digest) -> StrongKey {
    let mut hasher = Hasher::new();
    hasher.update(STRONG_KEY_MAGIC);
    hasher.update(family.as_bytes());
    hasher.update(set.0.as_bytes());
    hasher.update(answers.as_bytes());
    StrongKey(hasher.finish())
}
