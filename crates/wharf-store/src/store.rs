//! The handle on a store: how it is opened, and how every file gets into it.

use std::{
    fmt, fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, FileExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, atomic::AtomicU64},
};

use rustix::fs::Stat;
use serde::{Deserialize, Serialize};
use wharf_tree::{Layer, Tree};

use crate::{
    boot::Boots,
    disk::Disk,
    error::{OpenError, StoreError},
    fetch::Fetches,
    gc,
    layout::{DIRECTORIES, FORMAT, VERSION},
    lease::Lease,
    record, remove,
    root::Root,
    source::Source,
    sync::Syncer,
    tree::Memory,
    work,
};

/// Names one run of the machine's kernel: the text of `/proc/sys/kernel/random/boot_id`, trimmed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BootId(pub String);

/// Removes a directory and everything below it, which may belong to subordinate ids.
pub type RemoveTree = Arc<dyn Fn(&Path) -> io::Result<()> + Send + Sync>;

/// What may vary between users of a store.
#[derive(Clone, Default)]
pub struct StoreOptions {
    /// The present boot. `None` (unreadable): every object that was written before this handle was opened is hashed at its first use.
    pub boot: Option<BootId>,
    /// How scratch directories and cache mounts are removed where the caller's own permissions do not suffice: in a user
    /// namespace with the subordinate ids, say.
    pub remove_tree: Option<RemoveTree>,
}

impl fmt::Debug for StoreOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreOptions")
            .field("boot", &self.boot)
            .finish_non_exhaustive()
    }
}

/// A handle on a store: cheap to clone, usable from every thread. What it put, looked up or holds stays there at least until
/// the last clone is dropped, whatever garbage collection does meanwhile.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    root: PathBuf,
    disk: Disk,
    options: StoreOptions,
    lease: Mutex<Option<Arc<Lease>>>,
    boots: OnceLock<Boots>,
    pub(crate) syncer: Syncer,
    pub(crate) sources: RwLock<Vec<Arc<dyn Source>>>,
    pub(crate) fetches: Fetches,
    pub(crate) layers: Memory<Layer>,
    pub(crate) trees: Memory<Tree>,
    /// How many objects turned out to be damaged or lost.
    pub(crate) losses: AtomicU64,
}

/// The record in [`FORMAT`].
#[derive(Debug, Serialize, Deserialize)]
struct Format {
    /// What a reader must know to use the store. This version knows nothing beyond the format itself.
    #[serde(default)]
    requires: Vec<String>,
}

impl Store {
    /// Opens the store at `path`, and makes it if there is none. Scratch of dead processes is removed in the background.
    pub fn open(path: &Path, options: StoreOptions) -> Result<Self, OpenError> {
        let disk = match Disk::open(&path.join(VERSION)) {
            Ok(disk) => disk,
            Err(_) => make(path)?,
        };
        check_format(path, &disk)?;
        gc::undo_killed(&disk)?;
        work::clean_in_background(&disk, options.remove_tree.clone())?;
        let inner = Inner {
            root: path.to_owned(),
            disk,
            options,
            lease: Mutex::default(),
            boots: OnceLock::new(),
            syncer: Syncer::default(),
            sources: RwLock::default(),
            fetches: Fetches::default(),
            layers: Memory::default(),
            trees: Memory::default(),
            losses: AtomicU64::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The directory that was opened.
    pub fn path(&self) -> &Path {
        &self.inner.root
    }

    /// The boot that it was opened in, for a helper process that opens it again: one that does not know hashes all that it reads.
    pub fn boot(&self) -> Option<&BootId> {
        self.inner.options.boot.as_ref()
    }

    /// Keeps `root` until this handle is dropped. What is not there (any more) is not brought back by it.
    pub fn hold(&self, root: &Root) -> Result<(), StoreError> {
        self.lease()?.hold(self.disk(), *root)
    }

    /// Gives up everything but `roots`, named images that were looked up, and what [`Store::hold`] holds, for a process that lives long: a running container needs its image, not what was used since
    /// it started. What this handle puts or looks up afterwards is not protected, save what belongs to the roots.
    pub fn settle(&self, roots: &[Root]) -> Result<(), StoreError> {
        roots.iter().try_for_each(|root| self.hold(root))?;
        self.lease()?.settle(self.disk())
    }

    /// Like [`Store::hold`], for what is only looked up: on a full disk, reading goes on without protection.
    pub(crate) fn hold_if_room(&self, root: &Root) -> Result<(), StoreError> {
        match self.hold(root) {
            Err(StoreError::NoSpace { .. }) => Ok(()),
            outcome => outcome,
        }
    }

    /// Marks a file as used; whether it was still there for that. If so, garbage collection leaves it there until this handle is dropped: the lease, which is
    /// older than the use, tells it from when on uses count. On a full disk there may be no lease, and reading goes on without protection.
    pub(crate) fn mark_used(&self, place: &str) -> Result<bool, StoreError> {
        match self.lease() {
            Ok(_) | Err(StoreError::NoSpace { .. }) => self.disk().touch(place),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn disk(&self) -> &Disk {
        &self.inner.disk
    }

    pub(crate) fn options(&self) -> &StoreOptions {
        &self.inner.options
    }

    /// This handle's lease, taken at the first need.
    pub(crate) fn lease(&self) -> Result<Arc<Lease>, StoreError> {
        let mut lease = self.inner.lease.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lease) = &*lease {
            return Ok(Arc::clone(lease));
        }
        let taken = Arc::new(Lease::take(self.disk())?);
        *lease = Some(Arc::clone(&taken));
        Ok(taken)
    }

    /// Whether an object's content has to be hashed before it is believed.
    pub(crate) fn doubts(&self, object: &Stat) -> Result<bool, StoreError> {
        Ok(self.boots()?.doubts(object))
    }

    /// What is known about boots. Read before the first object is written, because the present boot's span begins here.
    pub(crate) fn boots(&self) -> Result<&Boots, StoreError> {
        if let Some(boots) = self.inner.boots.get() {
            return Ok(boots);
        }
        let loaded = Boots::load(self, self.inner.options.boot.as_ref())?;
        Ok(self.inner.boots.get_or_init(|| loaded))
    }

    /// Writes a file aside and puts it in its place.
    pub(crate) fn write_whole(&self, place: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.boots()?;
        self.publish(place, bytes)?;
        self.inner.syncer.wrote(self);
        Ok(())
    }

    /// Writes over a file whose readers know by its content whether it is whole, and for which it is no loss if it is not: no file is made
    /// and none removed, and ext4 has nothing to bring to the disk at once.
    pub(crate) fn overwrite(&self, place: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let Some(file) = self.disk().open_existing(place)? else {
            return self.publish(place, bytes);
        };
        let (length, fail) = (bytes.len() as u64, self.disk().fail("write", place));
        let written = file.write_all_at(bytes, 0).and_then(|()| {
            if file.metadata()?.len() > length {
                file.set_len(length)?;
            }
            Ok(())
        });
        written.map_err(fail)
    }

    /// [`Store::write_whole`] for what is not an object.
    pub(crate) fn publish(&self, place: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let aside = self.lease()?.scratch(self.disk())?;
        let mut file = self.disk().create(&aside)?;
        let written = file.write_all(bytes).map_err(self.disk().fail("write", place));
        written
            .and_then(|()| self.disk().rename(&aside, place))
            .inspect_err(|_| drop(self.disk().remove(&aside)))
    }
}

/// Makes an empty store. Several processes may do so at once.
fn make(path: &Path) -> Result<Disk, StoreError> {
    let version = path.join(VERSION);
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&version)
        .map_err(|error| StoreError::new("create", &version, error))?;
    let disk = Disk::open(&version)?;
    disk.spread();
    Ok(disk)
}

fn check_format(path: &Path, disk: &Disk) -> Result<(), OpenError> {
    let format = disk
        .read(FORMAT)?
        .and_then(|bytes| record::decode::<Format>(&bytes));
    let Some(format) = format else {
        return Ok(complete(disk)?);
    };
    if format.requires.is_empty() {
        return Ok(());
    }
    Err(OpenError::Newer {
        path: path.to_owned(),
        features: format.requires,
    })
}

/// Makes the directories, and last the file that says they are there: one that a crash left half made is completed.
fn complete(disk: &Disk) -> Result<(), StoreError> {
    for directory in DIRECTORIES {
        disk.make_dir(directory)?;
    }
    let lease = Lease::take(disk)?;
    let aside = lease.scratch(disk)?;
    let bytes = record::encode(&Format { requires: Vec::new() });
    disk.create(&aside)?
        .write_all(&bytes)
        .map_err(disk.fail("write", FORMAT))?;
    disk.rename(&aside, FORMAT)?;
    disk.remove_dir(&lease.scratch_dir())?;
    lease.end(disk)
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.syncer.stop();
        let lease = self
            .lease
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(lease) = lease {
            // What cannot be removed here is left to whoever opens the store next, as after a crash.
            let scratch = self.disk.locate(&lease.scratch_dir());
            let passed_on = lease.pass_on(&self.disk).unwrap_or_default();
            if !passed_on && remove::tree(&scratch, self.options.remove_tree.as_ref()).is_ok() {
                drop(lease.end(&self.disk));
            }
        }
    }
}
