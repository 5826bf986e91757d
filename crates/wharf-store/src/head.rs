//! Heads: the last result of a family in a lane. For file times and explanations, never for a hit.

use wharf_oci::Digest;

use crate::{error::StoreError, result::ActionKey, store::Store};

impl Store {
    /// The last result of this family in this lane, if it is recorded. The result itself may be gone.
    pub fn head(&self, _family: &Digest, _lane: &Digest) -> Result<Option<ActionKey>, StoreError> {
        unimplemented!()
    }

    /// Records the last result of this family in this lane.
    pub fn set_head(&self, _family: &Digest, _lane: &Digest, _key: &ActionKey) -> Result<(), StoreError> {
        unimplemented!()
    }
}
