//! What a response sends that is not delivered: the price of a server that does not do ranges.

use bytes::Bytes;
use wharf_oci::Hasher;

/// The part of a response that is not delivered: what lies before the wanted part, then what was delivered before.
#[derive(Debug, Default)]
pub(crate) struct Repeated {
    skip: u64,
    compare: u64,
    hasher: Hasher,
}

impl Repeated {
    /// `skip` bytes that are not wanted, then `compare` bytes that were delivered before.
    pub(crate) fn new(skip: u64, compare: u64) -> Self {
        Self {
            skip,
            compare,
            hasher: Hasher::new(),
        }
    }

    /// Takes what is repeated off the front of `piece`. True when the last repeated byte has just been seen.
    pub(crate) fn take(&mut self, piece: &mut Bytes) -> bool {
        let skipped = piece.split_to(self.skip.min(piece.len() as u64) as usize);
        self.skip -= skipped.len() as u64;
        if self.compare == 0 || piece.is_empty() {
            return false;
        }
        let compared = piece.split_to(self.compare.min(piece.len() as u64) as usize);
        self.compare -= compared.len() as u64;
        self.hasher.update(&compared);
        self.compare == 0
    }

    pub(crate) fn equals(&self, delivered: &Hasher) -> bool {
        self.hasher.clone().finish() == delivered.clone().finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_that_straddle_every_border() {
        let whole = b"skipDONEnew";
        let mut delivered = Hasher::new();
        delivered.update(b"DONE");
        for length in 1..=whole.len() {
            let mut repeated = Repeated::new(4, 4);
            let (mut fresh, mut compared) = (Vec::new(), 0);
            for piece in whole.chunks(length) {
                let mut piece = Bytes::copy_from_slice(piece);
                if repeated.take(&mut piece) {
                    compared += 1;
                    assert!(repeated.equals(&delivered));
                }
                fresh.extend(piece);
            }
            assert_eq!(
                (fresh.as_slice(), compared),
                (&b"new"[..], 1),
                "pieces of {length}"
            );
        }
    }
}
