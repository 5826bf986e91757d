//! Path sets: objects named by the digest of their bytes, and the slots they are found under.

use wharf_oci::Digest;

use crate::{
    error::StoreError,
    layout::{self, PATHS, SLOTS},
    store::Store,
};

impl Store {
    /// Keeps an encoded path set or read set.
    pub fn put_path_set(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        self.put_named(PATHS, &digest, || bytes.to_vec())?;
        Ok(digest)
    }

    /// The encoded path set of this digest, checked; a damaged one is none.
    pub fn path_set(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let content = self.read_used(&layout::object(PATHS, digest))?;
        let bytes = content.map(|content| content.bytes);
        Ok(bytes.filter(|bytes| Digest::of(bytes) == *digest))
    }

    /// Which path set lies in a slot, `slot` being H(family ‖ lane ‖ i).
    pub fn path_slot(&self, slot: &Digest) -> Result<Option<Digest>, StoreError> {
        self.look_up(&layout::object(SLOTS, slot))
    }

    /// Puts a path set into a slot, in place of what is there.
    pub fn set_path_slot(&self, slot: &Digest, path_set: &Digest) -> Result<(), StoreError> {
        self.write_record(&layout::object(SLOTS, slot), path_set)
    }
}
