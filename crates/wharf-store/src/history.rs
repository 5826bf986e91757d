//! Build records: one file of JSON lines for each build.

use std::{
    fmt,
    fs::File,
    io::{self, Write},
    sync::atomic::{AtomicU16, Ordering},
    time::{Duration, Instant},
};

use serde::Serialize;
use wharf_oci::Digest;

use crate::{error::StoreError, layout::HISTORY, store::Store};

/// Names a build record: the time when the build began, in UTC, and four hex digits that tell apart builds of the same
/// millisecond. Sorts by time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(String);

impl RecordId {
    fn new() -> Self {
        static COUNTER: AtomicU16 = AtomicU16::new(0);
        let now = jiff::Timestamp::now();
        let seed = (
            now.as_nanosecond(),
            std::process::id(),
            COUNTER.fetch_add(1, Ordering::Relaxed),
        );
        let tail = Digest::of(format!("{seed:?}").as_bytes()).hex();
        Self(format!("{}-{}", now.strftime("%Y%m%dT%H%M%S.%3f"), &tail[..4]))
    }

    /// The text that it is shown and found as.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn place(&self) -> String {
        format!("{HISTORY}/{}{EXTENSION}", self.0)
    }
}

const EXTENSION: &str = ".jsonl";

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Appends to a build record. Dropping it keeps what was appended.
#[derive(Debug)]
pub struct RecordWriter {
    store: Store,
    id: RecordId,
    file: File,
    buffer: Vec<u8>,
    flushed: Instant,
}

/// So much, or so long, is lost at most when the process is killed.
const BUFFER: usize = 32 * 1024;
const FLUSH_AFTER: Duration = Duration::from_millis(500);

impl RecordWriter {
    /// Its name.
    pub const fn id(&self) -> &RecordId {
        &self.id
    }

    /// Appends one line. Lines reach the file now and then, and when this is dropped.
    pub fn append<T: Serialize>(&mut self, line: &T) -> Result<(), StoreError> {
        let before = self.buffer.len();
        let written = serde_json::to_writer(&mut self.buffer, line).map_err(io::Error::from);
        if let Err(error) = written {
            self.buffer.truncate(before);
            return Err(self.store.disk().fail("write", &self.id.place())(error));
        }
        self.buffer.push(b'\n');
        if self.buffer.len() >= BUFFER || self.flushed.elapsed() >= FLUSH_AFTER {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes what was appended so far.
    pub fn flush(&mut self) -> Result<(), StoreError> {
        self.flushed = Instant::now();
        let written = self.file.write_all(&self.buffer);
        self.buffer.clear();
        written.map_err(self.store.disk().fail("write", &self.id.place()))
    }
}

impl Drop for RecordWriter {
    fn drop(&mut self) {
        // A record without its end is still a record.
        drop(self.flush());
    }
}

impl Store {
    /// Begins the record of a build.
    pub fn begin_record(&self) -> Result<RecordWriter, StoreError> {
        loop {
            let id = RecordId::new();
            match self.disk().create(&id.place()) {
                Ok(file) => {
                    let store = self.clone();
                    return Ok(RecordWriter {
                        store,
                        id,
                        file,
                        buffer: Vec::new(),
                        flushed: Instant::now(),
                    });
                }
                Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// All build records, oldest first.
    pub fn records(&self) -> Result<Vec<RecordId>, StoreError> {
        self.find_records("")
    }

    /// The records whose name starts with `prefix`, oldest first.
    pub fn find_records(&self, prefix: &str) -> Result<Vec<RecordId>, StoreError> {
        let names = self.disk().list(HISTORY)?;
        let ids = names.iter().filter_map(|name| name.strip_suffix(EXTENSION));
        let mut ids: Vec<_> = ids
            .filter(|id| id.starts_with(prefix))
            .map(|id| RecordId(id.to_owned()))
            .collect();
        ids.sort();
        Ok(ids)
    }

    /// The lines of a record; one that was cut off at the end is left out. `None` if there is no such record.
    pub fn record(&self, id: &RecordId) -> Result<Option<Vec<serde_json::Value>>, StoreError> {
        let Some(bytes) = self.disk().read(&id.place())? else {
            return Ok(None);
        };
        let lines = bytes.split(|byte| *byte == b'\n');
        Ok(Some(
            lines
                .filter_map(|line| serde_json::from_slice(line).ok())
                .collect(),
        ))
    }

    /// Removes a build record; whether it was there.
    pub fn remove_record(&self, id: &RecordId) -> Result<bool, StoreError> {
        self.disk().remove(&id.place())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn lines_come_back_and_a_torn_one_is_left_out() {
        let (scratch, store) = testing::store();
        let mut writer = store.begin_record().unwrap();
        let id = writer.id().clone();
        writer.append(&serde_json::json!({"event": "started"})).unwrap();
        writer.append(&["x"]).unwrap();
        drop(writer);
        let file = scratch.join(format!("store/v1/{}", id.place()));
        let mut bytes = std::fs::read(&file).unwrap();
        assert_eq!(bytes, b"{\"event\":\"started\"}\n[\"x\"]\n");
        bytes.extend_from_slice(b"{\"event\":\"fin");
        std::fs::write(&file, bytes).unwrap();
        let lines = store.record(&id).unwrap().unwrap();
        assert_eq!(
            lines,
            [serde_json::json!({"event": "started"}), serde_json::json!(["x"])]
        );
    }

    #[test]
    fn names_sort_by_time_and_are_found_by_prefix() {
        let (_scratch, store) = testing::store();
        let first = store.begin_record().unwrap().id().clone();
        std::thread::sleep(Duration::from_millis(2));
        let second = store.begin_record().unwrap().id().clone();
        assert_eq!(store.records().unwrap(), [first.clone(), second.clone()]);
        assert_eq!(store.find_records(second.as_str()).unwrap(), [second]);
        assert!(store.remove_record(&first).unwrap());
        assert_eq!(store.record(&first).unwrap(), None);
    }
}
