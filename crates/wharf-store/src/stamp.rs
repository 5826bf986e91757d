//! Points in time on the clock that file systems stamp files with.

use std::{fmt, str::FromStr};

use rustix::{
    fs::Stat,
    time::{ClockId, Timespec, clock_gettime},
};
use serde::{Deserialize, Serialize};

/// Seconds and nanoseconds since the epoch. As text: `secs.nanos`, the nanoseconds with nine digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Stamp {
    pub(crate) secs: i64,
    pub(crate) nanos: u32,
}

impl Stamp {
    /// No file that this process writes from here on gets a stamp before this: the coarse clock is the one that the kernel
    /// takes file times from, while the fine one runs up to a tick ahead of it.
    pub(crate) fn now() -> Self {
        clock_gettime(ClockId::RealtimeCoarse).into()
    }

    /// When a file's content was written.
    pub(crate) fn written(stat: &Stat) -> Self {
        Self {
            secs: stat.st_mtime as _,
            nanos: stat.st_mtime_nsec as _,
        }
    }

    /// When a file was written or last used, whichever is later. Uses are told by the access time, which the store sets itself;
    /// the kernel's own updates of it do no harm.
    pub(crate) fn used(stat: &Stat) -> Self {
        let read = Self {
            secs: stat.st_atime as _,
            nanos: stat.st_atime_nsec as _,
        };
        read.max(Self::written(stat))
    }

    /// How many whole seconds `self` is after `earlier`; negative if it is before.
    pub(crate) fn seconds_since(&self, earlier: &Self) -> i64 {
        self.secs.saturating_sub(earlier.secs)
    }
}

impl Stamp {
    /// How many nanoseconds `self` is after `earlier`; negative if it is before.
    pub(crate) fn nanos_since(&self, earlier: &Self) -> i64 {
        let nanos = i64::from(self.nanos) - i64::from(earlier.nanos);
        self.seconds_since(earlier)
            .saturating_mul(1_000_000_000)
            .saturating_add(nanos)
    }
}

impl From<Timespec> for Stamp {
    fn from(time: Timespec) -> Self {
        Self {
            secs: time.tv_sec,
            nanos: time.tv_nsec as _,
        }
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}", self.secs, self.nanos)
    }
}

impl FromStr for Stamp {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (secs, nanos) = text.split_once('.').unwrap_or((text, "0"));
        Ok(Self {
            secs: secs.parse()?,
            nanos: nanos.parse()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let stamp = Stamp {
            secs: 1_700_000_000,
            nanos: 42,
        };
        assert_eq!(stamp.to_string(), "1700000000.000000042");
        assert_eq!(stamp.to_string().parse(), Ok(stamp));
    }

    #[test]
    fn a_file_written_later_is_not_stamped_earlier() {
        for _ in 0..50 {
            let before = Stamp::now();
            let scratch = wharf_testkit::Scratch::new();
            let file = std::fs::File::open(scratch.write("f", "x")).unwrap();
            assert!(Stamp::written(&rustix::fs::fstat(&file).unwrap()) >= before);
        }
    }
}
