//! Pins: roots that stay until somebody takes them away.

use crate::{error::StoreError, root::Root, store::Store};

impl Store {
    /// Keeps `roots` under a name, in place of what it kept before.
    pub fn pin(&self, _name: &str, _roots: &[Root]) -> Result<(), StoreError> {
        unimplemented!()
    }

    /// Takes a pin away; whether it was there.
    pub fn unpin(&self, _name: &str) -> Result<bool, StoreError> {
        unimplemented!()
    }

    /// All pins, sorted by name.
    pub fn pins(&self) -> Result<Vec<(String, Vec<Root>)>, StoreError> {
        unimplemented!()
    }

    /// Keeps `root` until this handle is dropped.
    pub fn hold(&self, _root: &Root) -> Result<(), StoreError> {
        unimplemented!()
    }
}
