//! Pins: roots that stay until somebody takes them away.

use serde::{Deserialize, Serialize};

use crate::{
    error::StoreError,
    layout::{self, PINS},
    root::Root,
    store::Store,
};

/// What `pins/<name>` holds.
#[derive(Debug, Serialize, Deserialize)]
struct Pin {
    name: String,
    roots: Vec<Root>,
}

impl Store {
    /// Keeps `roots` under a name, in place of what it kept before.
    pub fn pin(&self, name: &str, roots: &[Root]) -> Result<(), StoreError> {
        self.write_record(
            &place(name),
            &Pin {
                name: name.to_owned(),
                roots: roots.to_vec(),
            },
        )
    }

    /// Takes a pin away; whether it was there.
    pub fn unpin(&self, name: &str) -> Result<bool, StoreError> {
        self.disk().remove(&place(name))
    }

    /// All pins, sorted by name.
    pub fn pins(&self) -> Result<Vec<(String, Vec<Root>)>, StoreError> {
        let mut pins = Vec::new();
        for file in self.disk().list(PINS)? {
            let found: Option<Pin> = self.read_record(&layout::file(PINS, &file))?;
            pins.extend(found.map(|pin| (pin.name, pin.roots)));
        }
        pins.sort();
        Ok(pins)
    }
}

/// Where it lies.
pub(crate) fn place(name: &str) -> String {
    layout::file(PINS, &layout::file_name(name))
}
