//! A running step as a terminal shows it: title, bytes that came, the end of its output.

use std::collections::{BTreeMap, VecDeque};

use indicatif::HumanBytes;
use wharf_graph::event::{Progress, Stream, Timestamp};

use super::{line_buffer::LineBuffer, screen::Work};

/// How many lines of its output a running step shows.
const TAIL: usize = 4;

pub(super) struct Running {
    work: Work,
    /// What it is called.
    pub(super) title: String,
    /// Since when it runs.
    pub(super) began: Timestamp,
    lines: VecDeque<String>,
    output: BTreeMap<Stream, LineBuffer>,
    transfers: BTreeMap<String, (u64, Option<u64>)>,
}

impl Running {
    pub(super) fn new(work: Work, title: String, began: Timestamp) -> Self {
        Self {
            work,
            title,
            began,
            lines: VecDeque::new(),
            output: BTreeMap::new(),
            transfers: BTreeMap::new(),
        }
    }

    /// Takes output in.
    pub(super) fn log(&mut self, stream: Stream, data: &[u8]) {
        self.lines
            .extend(self.output.entry(stream).or_default().push(data));
        let surplus = self.lines.len().saturating_sub(TAIL);
        self.lines.drain(..surplus);
        self.redraw();
    }

    /// Takes in how far a transfer is.
    pub(super) fn progress(&mut self, progress: &Progress) {
        let so_far = (progress.done, progress.total);
        self.transfers.insert(progress.item.clone(), so_far);
        self.redraw();
    }

    fn redraw(&self) {
        let unfinished = self.output.values().filter_map(LineBuffer::rest);
        let lines: Vec<_> = self.lines.iter().cloned().chain(unfinished).collect();
        let title = match self.transferred() {
            Some(amount) => format!("{} {amount}", self.title),
            None => self.title.clone(),
        };
        self.work.set(&title, &lines[lines.len().saturating_sub(TAIL)..]);
    }

    /// Bytes of all transfers of the step.
    fn transferred(&self) -> Option<String> {
        let done: u64 = self.transfers.values().map(|(done, _)| done).sum();
        let total: Option<u64> = self.transfers.values().map(|(_, total)| *total).sum();
        (done > 0).then(|| amount(done, total))
    }
}

/// `1.2 MiB / 3 MiB`.
pub(super) fn amount(done: u64, total: Option<u64>) -> String {
    match total {
        Some(total) if total > 0 => format!("{} / {}", HumanBytes(done), HumanBytes(total)),
        _ => HumanBytes(done).to_string(),
    }
}
