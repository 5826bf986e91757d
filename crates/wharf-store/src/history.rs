//! Build records: one file of JSON lines for each build.

use std::fmt;

use serde::Serialize;

use crate::{error::StoreError, store::Store};

/// Names a build record; sorts by the time when the build began.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(String);

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Appends to a build record. Dropping it keeps what was appended.
#[derive(Debug)]
pub struct RecordWriter {}

impl RecordWriter {
    /// Its name.
    pub fn id(&self) -> &RecordId {
        unimplemented!()
    }

    /// Appends one line. Lines reach the file now and then, and when this is dropped.
    pub fn append<T: Serialize>(&mut self, _line: &T) -> Result<(), StoreError> {
        unimplemented!()
    }
}

impl Store {
    /// Begins the record of a build.
    pub fn begin_record(&self) -> Result<RecordWriter, StoreError> {
        unimplemented!()
    }

    /// All build records, oldest first.
    pub fn records(&self) -> Result<Vec<RecordId>, StoreError> {
        unimplemented!()
    }

    /// The lines of a record; one that was cut off at the end is left out. `None` if there is no such record.
    pub fn record(&self, _id: &RecordId) -> Result<Option<Vec<serde_json::Value>>, StoreError> {
        unimplemented!()
    }

    /// The records whose name starts with `prefix`, oldest first.
    pub fn find_records(&self, _prefix: &str) -> Result<Vec<RecordId>, StoreError> {
        unimplemented!()
    }
}
