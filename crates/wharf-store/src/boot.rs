//! Which objects a crash of the machine may have damaged.
//!
//! Nothing waits for the disk before it is visible. Instead each boot has a record of when it first used the store and up to when
//! everything has reached the disk. An object that was written outside of all these spans is hashed at its first use.

use std::sync::{Mutex, PoisonError};

use rustix::fs::Stat;
use serde::{Deserialize, Serialize};

use crate::{
    error::StoreError,
    layout::{self, BOOTS},
    record,
    stamp::Stamp,
    store::{BootId, Store},
};

/// What `boots/<boot id>` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct BootRecord {
    /// When this boot's first process opened the store for writing.
    start: Stamp,
    /// Everything of this boot that was written before has reached the disk; `None` when nothing has yet.
    #[serde(default)]
    synced: Option<Stamp>,
}

/// The spans of time whose objects are beyond doubt.
#[derive(Debug)]
pub(crate) struct Boots {
    place: Option<String>,
    present: Mutex<BootRecord>,
    others: Vec<(Stamp, Stamp)>,
}

impl Boots {
    /// Reads all records, and writes one for the present boot if it has none.
    pub(crate) fn load(store: &Store, boot: Option<&BootId>) -> Result<Self, StoreError> {
        let place = boot.map(|boot| layout::file(BOOTS, &layout::file_name(&boot.0)));
        let mut others = Vec::new();
        for name in store.disk().list(BOOTS)? {
            let other = layout::file(BOOTS, &name);
            if Some(&other) != place.as_ref()
                && let Some(BootRecord {
                    start,
                    synced: Some(synced),
                }) = store.read_record(&other)?
            {
                others.push((start, synced));
            }
        }
        let present = match &place {
            Some(place) => store.read_record(place)?,
            None => None,
        };
        let boots = Self {
            present: Mutex::new(present.unwrap_or(BootRecord {
                start: Stamp::now(),
                synced: None,
            })),
            place,
            others,
        };
        if present.is_none() {
            // A full disk must not keep anybody from reading. Without a record, what is written now is hashed once after the next boot.
            drop(boots.write(store));
        }
        Ok(boots)
    }

    /// Whether the object may have lost its content in a crash.
    pub(crate) fn doubts(&self, object: &Stat) -> bool {
        let written = Stamp::written(object);
        let present = self.present.lock().unwrap_or_else(PoisonError::into_inner).start;
        written < present
            && !self
                .others
                .iter()
                .any(|(start, synced)| (*start..=*synced).contains(&written))
    }

    /// Records that all that was written before `until` has reached the disk.
    pub(crate) fn synced(&self, store: &Store, until: Stamp) -> Result<(), StoreError> {
        {
            let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
            present.synced = present.synced.max(Some(until));
        }
        self.write(store)
    }

    fn write(&self, store: &Store) -> Result<(), StoreError> {
        let present = *self.present.lock().unwrap_or_else(PoisonError::into_inner);
        match &self.place {
            Some(place) => store.publish(place, &record::encode(&present)),
            None => Ok(()),
        }
    }
}
