//! `--progress=rawjson`: each record as one line of JSON.

use std::sync::{Mutex, PoisonError};

use wharf_graph::event::Record;

use super::{Display, Sink};

pub(super) struct RawJson(Mutex<Sink>);

impl RawJson {
    pub(super) fn new(sink: Sink) -> Self {
        Self(Mutex::new(sink))
    }
}

impl Display for RawJson {
    fn show(&self, record: &Record) {
        let mut line = serde_json::to_vec(record).expect("records have only string keys");
        line.push(b'\n');
        // A reader that went away is no reason to stop a build.
        let _ = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write_all(&line);
    }
}
