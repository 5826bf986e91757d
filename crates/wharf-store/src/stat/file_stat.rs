//! What a file is known by, and when that is not enough.

use std::{fs::Metadata, os::unix::fs::MetadataExt};

use wharf_tree::Mtime;

use crate::stamp::Stamp;

/// What of `stat(2)` must be equal for a file to be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStat {
    /// `st_dev`.
    pub device: u64,
    /// `st_ino`.
    pub inode: u64,
    /// Length in bytes.
    pub size: u64,
    /// `st_mode`, type included.
    pub mode: u32,
    /// Modification time.
    pub mtime: Mtime,
    /// Change time.
    pub ctime: Mtime,
}

impl From<&Metadata> for FileStat {
    fn from(metadata: &Metadata) -> Self {
        let time = |secs, nanos: i64| Mtime {
            secs,
            nanos: nanos as u32,
        };
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            mode: metadata.mode(),
            mtime: time(metadata.mtime(), metadata.mtime_nsec()),
            ctime: time(metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl FileStat {
    /// Whether a change of the file after its stat was taken, at `at` or later, could leave no trace in the stat: its last change fell
    /// into the same tick of the clock. git calls such entries racy.
    pub(super) fn is_racy(&self, at: Stamp) -> bool {
        let tick = match self.ctime.nanos {
            // A file system that counts whole seconds, or two.
            0 => Mtime { secs: 2, nanos: 0 },
            // The kernel's tick is 10 ms at most; virtual machines lose some.
            _ => Mtime {
                secs: 0,
                nanos: 50_000_000,
            },
        };
        let nanos = self.ctime.nanos + tick.nanos;
        let settled = (
            self.ctime.secs + tick.secs + i64::from(nanos / NANOS),
            nanos % NANOS,
        );
        settled >= (at.secs, at.nanos)
    }
}

const NANOS: u32 = 1_000_000_000;

/// The stat of some file that was changed then.
#[cfg(test)]
pub(super) fn stat_at(ctime: Mtime) -> FileStat {
    FileStat {
        device: 1,
        inode: 2,
        size: 3,
        mode: 0o100_644,
        mtime: Mtime { secs: 5, nanos: 6 },
        ctime,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_as_young_as_the_run_are_racy() {
        for (ctime, racy) in [
            (
                Mtime {
                    secs: 100,
                    nanos: 600_000_000,
                },
                true,
            ),
            (
                Mtime {
                    secs: 100,
                    nanos: 460_000_000,
                },
                true,
            ),
            (
                Mtime {
                    secs: 100,
                    nanos: 440_000_000,
                },
                false,
            ),
            (
                Mtime {
                    secs: 99,
                    nanos: 990_000_000,
                },
                false,
            ),
            (Mtime { secs: 99, nanos: 0 }, true),
            (Mtime { secs: 98, nanos: 0 }, false),
        ] {
            assert_eq!(
                stat_at(ctime).is_racy(Stamp {
                    secs: 100,
                    nanos: 500_000_000
                }),
                racy,
                "{ctime:?}"
            );
        }
    }
}
