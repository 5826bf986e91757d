//! Layers that were checked: an index of the pack, which holds as long as its file and that of the times are the same ones
//! (docs/formats.md, "Pack indexes"). Who reads them again neither hashes nor scans them.

use rustix::fs::Stat;
use wharf_oci::Digest;
use wharf_tree::PackIndex;

use crate::{
    error::StoreError,
    layout::{self, STAT, TIMES, TREES},
    root::LayerId,
    stamp::Stamp,
    store::Store,
};

/// Bytes of a pack. A smaller one is checked as fast as an index is read.
const SMALLEST: i64 = 16 << 10;

/// Bytes of a pack that is not read as a whole.
const HUGE: i64 = 128 << 10;

/// Nanoseconds that must have passed since a file was written: a change of it within the same tick of the clock would leave no trace.
/// The kernel's tick is 10 ms at most; virtual machines lose some.
const SETTLED: i64 = 50_000_000;

/// The files of a layer as they were when they were read.
#[derive(Debug)]
pub(crate) struct Files {
    pack: Stat,
    times: Stat,
    /// Before either was read.
    at: Stamp,
}

impl Files {
    pub(crate) const fn new(pack: Stat, times: Stat, at: Stamp) -> Self {
        Self { pack, times, at }
    }

    /// Whether the pack is large enough for an index.
    const fn is_large(&self) -> bool {
        self.pack.st_size >= SMALLEST
    }

    /// Whether the pack is so large that it is better left where it is. Not so of all: each holds a file open.
    pub(crate) const fn is_huge(&self) -> bool {
        self.pack.st_size >= HUGE
    }

    /// What an index says of them. Their change time is not in it: every use of an object changes that.
    fn identity(&self) -> Vec<u8> {
        let numbers = |stat: &Stat| {
            let written = Stamp::written(stat);
            let written = [written.secs as u64, written.nanos.into()];
            [[stat.st_ino, stat.st_size as u64], written].concat()
        };
        let numbers = [&self.pack, &self.times].into_iter().flat_map(numbers);
        numbers.flat_map(u64::to_le_bytes).collect()
    }

    fn have_settled(&self) -> bool {
        let since = |stat: &Stat| self.at.nanos_since(&Stamp::written(stat));
        since(&self.pack) >= SETTLED && since(&self.times) >= SETTLED
    }
}

impl Store {
    /// Whether a crash may have damaged one of these files.
    fn doubts_any(&self, files: &Files) -> Result<bool, StoreError> {
        Ok(self.doubts(&files.pack)? || self.doubts(&files.times)?)
    }

    /// What the check of these files found, if they were checked before.
    pub(crate) fn kept_index(&self, id: &LayerId, files: &Files) -> Result<Option<PackIndex>, StoreError> {
        if !files.is_large() || self.doubts_any(files)? {
            return Ok(None);
        }
        let place = place(id);
        let Some(kept) = self.disk().read_here(&place)? else {
            return Ok(None);
        };
        if self.doubts(&kept.stat)? {
            return Ok(None);
        }
        self.disk().touch(&place)?;
        let index = kept.bytes.strip_prefix(&files.identity()[..]);
        let index = index.and_then(PackIndex::from_bytes);
        Ok(index.filter(|index| index.fits(files.pack.st_size as usize)))
    }

    /// Keeps what the check of these files has found, for the next reader. To fail costs him time and nothing else.
    pub(crate) fn keep_index(
        &self,
        id: &LayerId,
        files: &Files,
        index: &PackIndex,
    ) -> Result<(), StoreError> {
        if !files.is_large() {
            return Ok(());
        }
        if self.doubts_any(files)? {
            // They are sound, and count from now on as what was written now.
            self.disk().touch_written(&layout::object(TREES, &id.tree.0))?;
            self.disk().touch_written(&layout::object(TIMES, &id.times.0))?;
        } else if files.have_settled() {
            let bytes = [files.identity(), index.to_bytes()].concat();
            self.write_whole(&place(id), &bytes)?;
        }
        Ok(())
    }
}

fn place(id: &LayerId) -> String {
    let parts: [&[u8]; 3] = [b"pack index 1\0", id.tree.0.as_bytes(), id.times.0.as_bytes()];
    layout::object(STAT, &Digest::of(&parts.concat()))
}
