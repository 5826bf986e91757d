//! How much disk the store takes, by kind.

use std::{fs, io, os::unix::fs::MetadataExt, path::Path};

use crate::{
    cache_mount::ABOUT,
    error::StoreError,
    layout::{self, BLOBS, CACHES, HEADS, HISTORY, MEMO, PATHS, RESULTS, SLOTS, STAT, TIMES, TREES, WORK},
    stamp::Stamp,
    store::Store,
};

/// Files of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// How many.
    pub count: u64,
    /// What they take on disk, in bytes (allocated blocks).
    pub bytes: u64,
}

impl Usage {
    /// This and one more file.
    pub(crate) const fn and(self, bytes: u64) -> Self {
        Self {
            count: self.count + 1,
            bytes: self.bytes + bytes,
        }
    }

    /// This without some of it.
    pub(crate) const fn minus(self, other: Self) -> Self {
        Self {
            count: self.count.saturating_sub(other.count),
            bytes: self.bytes.saturating_sub(other.bytes),
        }
    }

    const fn plus(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            bytes: self.bytes + other.bytes,
        }
    }
}

/// One cache mount. Directories that belong to subordinate ids may hide part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheUsage {
    /// As `--mount=type=cache,id=` says.
    pub id: String,
    /// What it takes.
    pub usage: Usage,
    /// When a step began to use it last, in seconds since the epoch.
    pub last_use: Option<i64>,
}

/// What the store takes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DfReport {
    /// Blobs: contents of files, and whatever else has a digest.
    pub blobs: Usage,
    /// Trees, times objects, path sets, results, memos, heads.
    pub metadata: Usage,
    /// Stat caches.
    pub stat: Usage,
    /// Build records.
    pub history: Usage,
    /// Scratch of running builds.
    pub work: Usage,
    /// Cache mounts, sorted by id.
    pub caches: Vec<CacheUsage>,
    /// Named images.
    pub images: u64,
}

impl DfReport {
    /// Bytes of everything.
    pub fn total(&self) -> u64 {
        let kinds = [self.blobs, self.metadata, self.stat, self.history, self.work];
        let caches = self.caches.iter().map(|cache| cache.usage.bytes);
        kinds.iter().map(|usage| usage.bytes).chain(caches).sum()
    }
}

impl Store {
    /// Counts what the store takes.
    pub fn df(&self) -> Result<DfReport, StoreError> {
        let usage = |place: &str| usage_below(&self.disk().locate(place));
        let metadata = [TREES, TIMES, PATHS, SLOTS, RESULTS, HEADS, MEMO];
        Ok(DfReport {
            blobs: usage(BLOBS),
            metadata: metadata
                .into_iter()
                .map(usage)
                .fold(Usage::default(), Usage::plus),
            stat: usage(STAT),
            history: usage(HISTORY),
            work: usage(WORK),
            caches: self.caches()?,
            images: self.images()?.len() as u64,
        })
    }

    fn caches(&self) -> Result<Vec<CacheUsage>, StoreError> {
        let mut caches = Vec::new();
        for name in self.disk().list(CACHES)? {
            let place = layout::file(CACHES, &name);
            let about = layout::file(&place, ABOUT);
            // First: reading the record counts as a use.
            let last_use = self.disk().stat(&about)?.map(|stat| Stamp::used(&stat).secs);
            caches.push(CacheUsage {
                id: self.read_record(&about)?.unwrap_or(name),
                usage: usage_below(&self.disk().locate(&place)),
                last_use,
            });
        }
        caches.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(caches)
    }
}

/// All files below a directory. What vanishes meanwhile or cannot be read is left out.
pub(crate) fn usage_below(directory: &Path) -> Usage {
    add_below(directory, Usage::default()).unwrap_or_default()
}

fn add_below(directory: &Path, mut usage: Usage) -> io::Result<Usage> {
    for entry in fs::read_dir(directory)? {
        let Ok(metadata) = entry
            .as_ref()
            .map_err(|_| ())
            .and_then(|entry| entry.metadata().map_err(drop))
        else {
            continue;
        };
        if metadata.is_dir() {
            usage = add_below(&entry?.path(), usage).unwrap_or(usage);
        } else {
            usage = usage.and(metadata.blocks() * 512);
        }
    }
    Ok(usage)
}
