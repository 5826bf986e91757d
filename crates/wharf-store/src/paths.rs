//! Path sets: objects named by the digest of their bytes, and the slots they are found under.

use wharf_oci::Digest;

use crate::{error::StoreError, store::Store};

impl Store {
    /// Keeps an encoded path set or read set.
    pub fn put_path_set(&self, _bytes: &[u8]) -> Result<Digest, StoreError> {
        unimplemented!()
    }

    /// The encoded path set of this digest, checked; a damaged one is none.
    pub fn path_set(&self, _digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        unimplemented!()
    }

    /// Which path set lies in a slot, `slot` being H(family ‖ lane ‖ i).
    pub fn path_slot(&self, _slot: &Digest) -> Result<Option<Digest>, StoreError> {
        unimplemented!()
    }

    /// Puts a path set into a slot, in place of what is there.
    pub fn set_path_slot(&self, _slot: &Digest, _path_set: &Digest) -> Result<(), StoreError> {
        unimplemented!()
    }
}
