//! Checking every object against its name.

use std::path::PathBuf;

use crate::{error::StoreError, store::Store};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Where, relative to the store.
    pub path: PathBuf,
    /// What.
    pub reason: String,
}

/// What a check of the whole store found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VerifyReport {
    /// How many objects were read.
    pub objects: u64,
    /// Their length in bytes.
    pub bytes: u64,
    /// What is wrong. Damaged objects have been removed, so that they are misses from now on.
    pub damage: Vec<Damage>,
}

impl Store {
    /// Hashes every object, decodes every tree and looks whether what they name is here.
    pub fn verify(&self) -> Result<VerifyReport, StoreError> {
        unimplemented!()
    }
}
