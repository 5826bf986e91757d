//! Heads: the last result of a family in a lane. For file times and explanations, never for a hit.

use wharf_oci::Digest;

use crate::{
    error::StoreError,
    layout::{self, HEADS},
    result::ActionKey,
    store::Store,
};

impl Store {
    /// The last result of this family in this lane, if it is recorded. The result itself may be gone.
    pub fn head(&self, family: &Digest, lane: &Digest) -> Result<Option<ActionKey>, StoreError> {
        self.read_overwritten(&place(family, lane))
    }

    /// Records the last result of this family in this lane.
    pub fn set_head(&self, family: &Digest, lane: &Digest, key: &ActionKey) -> Result<(), StoreError> {
        self.overwrite_record(&place(family, lane), key)
    }
}

fn place(family: &Digest, lane: &Digest) -> String {
    layout::file(&layout::object(HEADS, family), &lane.hex())
}
