//! Digests of path sets and read sets, and the strong key.

use std::fmt;

use wharf_oci::{Digest, Hasher};

use super::{PathSet, ReadSet, ReadSetError, answer::Answerer, decode, encode};
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
}

/// H(family key ‖ path set ‖ what these trees answer to it), of a path set as [`PathSet::to_bytes`] wrote it. `set` is its digest,
/// which whoever fetched it knows already. Nothing but one place at a time is in memory.
pub fn strong_key(
    questions: &[u8],
    family: &Digest,
    set: PathSetDigest,
    trees: &[&Tree],
) -> Result<StrongKey, ReadSetError> {
    let mut answers = Answers::default();
    let mut answerer = Answerer::new(trees);
    decode::path_set_items(questions, &mut |place, asked| {
        let found = answerer.find(place);
        for kind in asked.kinds() {
            answerer.write_answer(answers.bytes(), place, found, &kind);
        }
    })?;
    Ok(answers.strong_key(family, set))
}

impl ReadSet {
    /// The digest of [`ReadSet::to_bytes`].
    pub fn digest(&self) -> ReadSetDigest {
        ReadSetDigest(Digest::of(&self.to_bytes()))
    }

    /// The key under which the result of the step that got these answers is found. `set` is the digest of its
    /// [`ReadSet::path_set_bytes`].
    pub fn strong_key(&self, family: &Digest, set: PathSetDigest) -> StrongKey {
        let mut answers = Answers::default();
        for (_, told) in self.places() {
            for (_, answer) in &told.answers {
                encode::answer(answers.bytes(), answer);
            }
        }
        answers.strong_key(family, set)
    }
}

/// The digest of answers, in order.
#[derive(Default)]
struct Answers {
    hasher: Hasher,
    /// Those that are not hashed yet.
    bytes: Vec<u8>,
}

impl Answers {
    /// Where the next answer goes.
    fn bytes(&mut self) -> &mut Vec<u8> {
        if self.bytes.len() >= HASHED_AT_ONCE {
            self.hasher.update(&self.bytes);
            self.bytes.clear();
        }
        &mut self.bytes
    }

    fn strong_key(mut self, family: &Digest, set: PathSetDigest) -> StrongKey {
        self.hasher.update(&self.bytes);
        let mut hasher = Hasher::new();
        hasher.update(STRONG_KEY_MAGIC);
        for digest in [family, &set.0, &self.hasher.finish()] {
            hasher.update(digest.as_bytes());
        }
        StrongKey(hasher.finish())
    }
}

/// Enough to make the hash function's own cost the only one.
const HASHED_AT_ONCE: usize = 16 << 10;
