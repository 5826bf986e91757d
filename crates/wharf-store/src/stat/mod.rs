//! The stat cache: spares the hashing of files that have not changed.

mod file;
mod file_stat;

use std::{
    collections::HashMap,
    os::unix::ffi::OsStrExt,
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use rustix::fs::statfs;
use wharf_oci::Digest;

pub use file_stat::FileStat;

use crate::{
    error::StoreError,
    layout::{self, STAT},
    stamp::Stamp,
    store::Store,
};

/// Digests of a context's files as they were hashed last, found by device and inode: a hard link is hashed once. Usable from
/// several threads.
#[derive(Debug)]
pub struct StatCache {
    store: Store,
    /// `None` on a network file system, whose times are not this machine's.
    place: Option<String>,
    /// Before the first stat of this run.
    opened: Stamp,
    before: HashMap<FileId, Before>,
    learned: Mutex<HashMap<FileId, Known>>,
}

type FileId = (u64, u64);

/// What is known of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    stat: FileStat,
    digest: Digest,
    /// How many saves have found it unused.
    idle: u8,
}

/// What was known before this run.
#[derive(Debug)]
struct Before {
    known: Known,
    used: AtomicBool,
}

/// Entries that a build does not use are kept for some, because builds with other ignore files or targets share a context.
const MAX_IDLE: u8 = 16;

impl StatCache {
    /// The digest of the file that has this stat, if it was hashed before.
    pub fn get(&self, stat: &FileStat) -> Option<Digest> {
        let id = (stat.device, stat.inode);
        if let Some(before) = self.before.get(&id).filter(|before| before.known.stat == *stat) {
            before.used.store(true, Ordering::Relaxed);
            return Some(before.known.digest);
        }
        let learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        learned
            .get(&id)
            .filter(|known| known.stat == *stat)
            .map(|known| known.digest)
    }

    /// Remembers that the file with this stat, taken *before* it was read, has this digest.
    pub fn insert(&self, stat: &FileStat, digest: Digest) {
        let known = Known {
            stat: *stat,
            digest,
            idle: 0,
        };
        let mut learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        learned.insert((stat.device, stat.inode), known);
    }

    /// Writes what was learned, if anything was, over what was there: who finds that torn, or mixed by two processes that save at once,
    /// sees it by the digest. A failure costs the next build time and nothing else.
    pub fn save(&self) -> Result<(), StoreError> {
        let Some(place) = &self.place else {
            return Ok(());
        };
        let mut learned = self
            .learned
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        learned.retain(|_, known| !known.stat.is_racy(self.opened));
        if learned.is_empty() {
            return Ok(());
        }
        let before = self.before.iter().filter(|(id, _)| !learned.contains_key(*id));
        let mut entries: Vec<_> = before.map(|(_, before)| before.aged()).collect();
        entries.retain(|known| known.idle <= MAX_IDLE);
        entries.extend(learned.into_values());
        entries.sort_unstable_by_key(|known| (known.stat.device, known.stat.inode));
        self.store.overwrite(place, &file::encode(&entries))
    }
}

impl Before {
    fn aged(&self) -> Known {
        let used = self.used.load(Ordering::Relaxed);
        let idle = if used {
            0
        } else {
            self.known.idle.saturating_add(1)
        };
        Known { idle, ..self.known }
    }
}

/// A context with as many entries, which hold as many bytes, is walked and hashed in some milliseconds.
const SMALL_ENTRIES: u64 = 512;
const SMALL_BYTES: u64 = 8 << 20;

impl Store {
    /// The stat cache of the context at `root`, if that was read before and was small.
    pub fn small_stat_cache(&self, root: &Path) -> Result<Option<StatCache>, StoreError> {
        let stat = self.disk().stat(&place(root))?;
        if stat.is_none_or(|stat| stat.st_size as u64 > file::length(SMALL_ENTRIES)) {
            return Ok(None);
        }
        let cache = self.stat_cache(root)?;
        let bytes: u64 = cache.before.values().map(|before| before.known.stat.size).sum();
        Ok((!cache.before.is_empty() && bytes <= SMALL_BYTES).then_some(cache))
    }

    /// The stat cache of the context at `root`, to be opened before the first file is stat'ed. On a network file system, one that
    /// remembers nothing beyond this run.
    pub fn stat_cache(&self, root: &Path) -> Result<StatCache, StoreError> {
        let opened = Stamp::now();
        let place = is_local(root)?.then(|| place(root));
        let before = match &place {
            Some(place) => self.read_stat_cache(place)?,
            None => HashMap::new(),
        };
        Ok(StatCache {
            store: self.clone(),
            place,
            opened,
            before,
            learned: Mutex::default(),
        })
    }

    fn read_stat_cache(&self, place: &str) -> Result<HashMap<FileId, Before>, StoreError> {
        let bytes = self.disk().read(place)?.unwrap_or_default();
        self.disk().touch(place)?;
        let known = file::decode(&bytes).into_iter().flatten();
        let before = known.map(|known| {
            (
                (known.stat.device, known.stat.inode),
                Before {
                    known,
                    used: AtomicBool::new(false),
                },
            )
        });
        Ok(before.collect())
    }
}

fn place(root: &Path) -> String {
    layout::object(STAT, &Digest::of(root.as_os_str().as_bytes()))
}

/// File systems whose files others change without this kernel's noticing: linux/magic.h. FUSE may be any of them.
const REMOTE: [u32; 10] = [
    0x6969,      // NFS
    0x517b,      // SMB
    0xff53_4d42, // CIFS
    0xfe53_4d42, // SMB 2
    0x5346_414f, // AFS
    0x7375_7245, // Coda
    0x564c,      // NCP
    0x00c3_6400, // Ceph
    0x0102_1997, // 9P
    0x6573_5546, // FUSE
];

fn is_local(root: &Path) -> Result<bool, StoreError> {
    let found = statfs(root).map_err(|errno| StoreError::new("read", root, errno))?;
    Ok(!REMOTE.contains(&(found.f_type as u32)))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::FileExt};

    use wharf_tree::Mtime;

    use super::{file_stat::stat_at, *};
    use crate::testing;

    #[test]
    fn what_was_learned_comes_back_unless_it_is_racy_or_anything_differs() {
        let (scratch, store) = testing::store();
        let old = stat_at(Mtime {
            secs: 1_000_000,
            nanos: 1,
        });
        let fresh = FileStat::from(&fs::metadata(scratch.write("f", "x")).unwrap());
        let cache = store.stat_cache(scratch.path()).unwrap();
        cache.insert(&old, Digest::of(b"old"));
        cache.insert(&fresh, Digest::of(b"x"));
        assert_eq!(cache.get(&fresh), Some(Digest::of(b"x")), "within one run");
        cache.save().unwrap();

        let cache = store.stat_cache(scratch.path()).unwrap();
        assert_eq!(cache.get(&old), Some(Digest::of(b"old")));
        assert_eq!(cache.get(&fresh), None);
        let changes: [fn(&mut FileStat); 7] = [
            |stat| stat.device += 1,
            |stat| stat.inode += 1,
            |stat| stat.size += 1,
            |stat| stat.mode ^= 0o100,
            |stat| stat.mtime.nanos += 1,
            |stat| stat.ctime.nanos += 1,
            |stat| stat.ctime.secs += 1,
        ];
        for change in changes {
            let mut stat = old;
            change(&mut stat);
            assert_eq!(cache.get(&stat), None, "{stat:?}");
        }
    }

    #[test]
    fn unused_entries_go_after_some_saves() {
        let (scratch, store) = testing::store();
        let stat = |inode| FileStat {
            inode,
            ..stat_at(Mtime {
                secs: 1_000_000,
                nanos: 1,
            })
        };
        for inode in 0..u64::from(MAX_IDLE) + 3 {
            let cache = store.stat_cache(scratch.path()).unwrap();
            cache.insert(&stat(inode), Digest::of(b""));
            cache.get(&stat(1));
            cache.save().unwrap();
        }
        let cache = store.stat_cache(scratch.path()).unwrap();
        assert_eq!(cache.get(&stat(0)), None);
        assert!(cache.get(&stat(1)).is_some() && cache.get(&stat(2)).is_some());
    }

    #[test]
    fn what_is_known_says_how_large_a_context_is() {
        for (entries, size, small) in [
            (0, 0, false),
            (1, SMALL_BYTES, true),
            (1, SMALL_BYTES + 1, false),
            (SMALL_ENTRIES, 1, true),
            (SMALL_ENTRIES + 1, 0, false),
        ] {
            let (scratch, store) = testing::store();
            let cache = store.stat_cache(scratch.path()).unwrap();
            for inode in 0..entries {
                let stat = FileStat {
                    inode,
                    size,
                    ..stat_at(Mtime {
                        secs: 1_000_000,
                        nanos: 1,
                    })
                };
                cache.insert(&stat, Digest::of(b""));
            }
            cache.save().unwrap();
            let found = store.small_stat_cache(scratch.path()).unwrap();
            assert_eq!(found.is_some(), small, "{entries} entries of {size} bytes");
        }
    }

    #[test]
    fn what_is_torn_is_hashed_again() {
        let (scratch, store) = testing::store();
        let stat = stat_at(Mtime {
            secs: 1_000_000,
            nanos: 1,
        });
        let known = || store.stat_cache(scratch.path()).unwrap().get(&stat);
        for round in 0..2 {
            let cache = store.stat_cache(scratch.path()).unwrap();
            cache.insert(&stat, Digest::of(b"x"));
            cache.save().unwrap();
            assert_eq!(known(), Some(Digest::of(b"x")));
            let file = store
                .disk()
                .open_existing(&place(scratch.path()))
                .unwrap()
                .unwrap();
            let length = file.metadata().unwrap().len();
            file.set_len(length - round).unwrap();
            file.write_all_at(b"torn", length - 8).unwrap();
            assert_eq!(known(), None);
        }
    }

    #[test]
    fn contexts_have_caches_of_their_own() {
        let (scratch, store) = testing::store();
        let cache = store.stat_cache(scratch.path()).unwrap();
        let stat = stat_at(Mtime {
            secs: 1_000_000,
            nanos: 1,
        });
        cache.insert(&stat, Digest::of(b""));
        cache.save().unwrap();
        assert_eq!(
            store.stat_cache(std::path::Path::new("/")).unwrap().get(&stat),
            None
        );
    }
}
