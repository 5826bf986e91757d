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

/// Seconds that must have passed since a file was written: a change of it within the same tick of the clock would leave no trace.
const SETTLED: i64 = 2;

/// The files of a layer, as they were found before they were read.
#[derive(Debug)]
pub(crate) struct Files {
    pack: Stat,
    times: Stat,
    /// A crash may have damaged them.
    doubtful: bool,
    found: Stamp,
}

impl Files {
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
        [&self.pack, &self.times]
            .iter()
            .all(|stat| self.found.seconds_since(&Stamp::written(stat)) >= SETTLED)
    }
}

impl Store {
    /// The files of a layer whose pack is large enough for an index.
    pub(crate) fn files(&self, pack: Stat, times: Stat, found: Stamp) -> Result<Option<Files>, StoreError> {
        if pack.st_size < SMALLEST {
            return Ok(None);
        }
        Ok(Some(Files {
            doubtful: self.doubts(&pack)? || self.doubts(&times)?,
            pack,
            times,
            found,
        }))
    }

    /// What the check of these files found, if they were checked before.
    pub(crate) fn kept_index(&self, id: &LayerId, files: &Files) -> Result<Option<PackIndex>, StoreError> {
        let place = place(id);
        if files.doubtful {
            return Ok(None);
        }
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
        if files.doubtful {
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
