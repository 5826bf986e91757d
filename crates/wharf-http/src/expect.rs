//! What a download must turn out to be: digest, size, cap, part.

use std::ops::Range;

use wharf_oci::Digest;

/// What a download must turn out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expect {
    /// The SHA-256 of the delivered bytes.
    pub digest: Option<Digest>,
    /// The number of delivered bytes.
    pub size: Option<u64>,
    /// The most bytes that are taken, whatever the server says.
    pub limit: u64,
    /// Only these bytes of the whole. Digest and size are then the part's.
    pub part: Option<Range<u64>>,
}

impl Expect {
    /// Exactly the content that `digest` and `size` (bytes) name.
    pub const fn content(digest: Digest, size: u64) -> Self {
        Self {
            digest: Some(digest),
            size: Some(size),
            limit: size,
            part: None,
        }
    }

    /// Anything of at most `limit` bytes.
    pub const fn at_most(limit: u64) -> Self {
        Self {
            digest: None,
            size: None,
            limit,
            part: None,
        }
    }

    /// The bytes `part` of something larger, which cannot be verified by themselves.
    pub const fn part(part: Range<u64>) -> Self {
        let size = part.end.saturating_sub(part.start);
        Self {
            digest: None,
            size: Some(size),
            limit: size,
            part: Some(part),
        }
    }

    pub(crate) fn start(&self) -> u64 {
        self.part.as_ref().map_or(0, |part| part.start)
    }

    pub(crate) fn end(&self) -> Option<u64> {
        self.part.as_ref().map(|part| part.end)
    }
}
