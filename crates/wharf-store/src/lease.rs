//! Leases: what a living handle on the store holds, where other processes' garbage collection sees it.
//!
//! A lease is a file that its owner keeps locked; the kernel unlocks it when the owner dies, however that happens. Its name
//! begins with the time from which on everything that its owner wrote or used is protected; each line in it names a root, or says
//! that from now on only the roots are.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, Write},
    os::fd::{AsFd, OwnedFd},
    process,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use rustix::fs::{FlockOperation, flock};

use crate::{
    disk::Disk,
    error::StoreError,
    idle,
    layout::{self, LEASES, WORK},
    root::Root,
    stamp::Stamp,
};

/// The lease of one handle.
#[derive(Debug)]
pub(crate) struct Lease {
    name: String,
    file: File,
    /// Which of the idle ones it was.
    idle: Option<usize>,
    held: Mutex<HashSet<Root>>,
    /// Whether it has its scratch directory.
    scratch: Mutex<bool>,
    next_name: AtomicU64,
}

impl Lease {
    /// Takes a lease. The file is locked before it gets its place among the leases, so that
    /// nobody takes it for a dead one.
    pub(crate) fn take(disk: &Disk) -> Result<Self, StoreError> {
        loop {
            let name = format!(
                "{}-{}-{}",
                Stamp::now(),
                process::id(),
                COUNTER.fetch_add(1, Ordering::Relaxed)
            );
            if let Some(taken) = idle::take(disk, &name)? {
                return Ok(Self::new(name, taken.file, Some(taken.number)));
            }
            let (aside, place) = (layout::file(WORK, &name), layout::file(LEASES, &name));
            let Some(file) = create_new(disk, &aside)? else {
                continue;
            };
            flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(disk.fail("lock", &aside))?;
            if disk.move_if_there(&aside, &place, false)? {
                return Ok(Self::new(name, file, None));
            }
        }
    }

    fn new(name: String, file: File, idle: Option<usize>) -> Self {
        Self {
            name,
            file,
            idle,
            held: Mutex::default(),
            scratch: Mutex::default(),
            next_name: AtomicU64::new(0),
        }
    }

    /// Adds a root.
    pub(crate) fn hold(&self, disk: &Disk, root: Root) -> Result<(), StoreError> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if !held.contains(&root) {
            let line = format!("{root}\n");
            let mut file = &self.file;
            file.write_all(line.as_bytes())
                .map_err(disk.fail("write", &layout::file(LEASES, &self.name)))?;
            held.insert(root);
        }
        Ok(())
    }

    /// Says that nothing else is needed than the roots.
    pub(crate) fn settle(&self, disk: &Disk) -> Result<(), StoreError> {
        let mut file = &self.file;
        file.write_all(SETTLED.as_bytes())
            .map_err(disk.fail("write", &layout::file(LEASES, &self.name)))
    }

    /// A place in the scratch directory that was never given before. Whoever only reads needs none, and no directory.
    pub(crate) fn scratch(&self, disk: &Disk) -> Result<String, StoreError> {
        let mut made = self.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        if !*made {
            idle::scratch(disk, &self.name, self.idle)?;
            *made = true;
        }
        let number = self.next_name.fetch_add(1, Ordering::Relaxed);
        Ok(format!("{WORK}/{}/{number}", self.name))
    }

    /// The scratch directory.
    pub(crate) fn scratch_dir(&self) -> String {
        layout::file(WORK, &self.name)
    }

    /// Gives the lease up, for others to take over if its scratch directory is empty. Whether that is so; if not, it still has to be
    /// removed, with all that is in it, and then [`Lease::end`]ed.
    pub(crate) fn pass_on(&self, disk: &Disk) -> Result<bool, StoreError> {
        let made = *self.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        Ok((!made || disk.list(&self.scratch_dir())?.is_empty())
            && idle::keep(disk, &self.name, &self.file, self.idle, made)?)
    }

    /// Ends the lease. The scratch directory must be gone.
    pub(crate) fn end(&self, disk: &Disk) -> Result<(), StoreError> {
        disk.remove(&layout::file(LEASES, &self.name)).map(drop)
    }
}

/// The line that gives up the protection of everything that was used.
const SETTLED: &str = "settled\n";

/// Tells the leases of one process apart.
static COUNTER: AtomicU64 = AtomicU64::new(0);

fn create_new(disk: &Disk, place: &str) -> Result<Option<File>, StoreError> {
    match disk.create(place) {
        Ok(file) => Ok(Some(file)),
        Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(error),
    }
}

/// A lease as others see it.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Its name, which its scratch directory has too.
    pub(crate) name: String,
    /// From when on what its owner used is protected; `None` once it has settled.
    pub(crate) start: Option<Stamp>,
    /// What it holds besides.
    pub(crate) roots: Vec<Root>,
}

/// Somebody's lease.
#[derive(Debug)]
pub(crate) enum State {
    /// Its owner lives.
    Alive(Seen),
    /// Left behind by a dead process; the lock on it is ours as long as this lives.
    Dead(String, #[allow(dead_code, reason = "keeps the lock")] OwnedFd),
}

impl State {
    /// The lease's name.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Alive(Seen { name, .. }) | Self::Dead(name, _) => name,
        }
    }
}

/// All leases.
pub(crate) fn all(disk: &Disk) -> Result<Vec<State>, StoreError> {
    let mut leases = Vec::new();
    for name in disk.list(LEASES)? {
        let place = layout::file(LEASES, &name);
        let Some(file) = disk.open_file(&place)? else {
            continue;
        };
        match flock(file.as_fd(), FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => leases.push(State::Dead(name, file.into())),
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let lines = io::read_to_string(file).map_err(disk.fail("read", &place))?;
                leases.push(State::Alive(seen(name, &lines)));
            }
            Err(errno) => return Err(disk.fail("lock", &place)(errno)),
        }
    }
    Ok(leases)
}

/// A line that is just being written is not held yet. A name that this version cannot read protects everything.
fn seen(name: String, lines: &str) -> Seen {
    let start = name.split('-').next().and_then(|start| start.parse().ok());
    let settled = lines.split_inclusive('\n').any(|line| line == SETTLED);
    let start = start.unwrap_or(Stamp { secs: 0, nanos: 0 });
    Seen {
        name,
        start: (!settled).then_some(start),
        roots: lines.lines().filter_map(|line| line.parse().ok()).collect(),
    }
}
