//! Locks that hold across processes and go away with their holder.
//!
//! A lock is a file under `flock(2)`. It is removed when it is let go, so a file that was locked counts only if it still is the one at
//! its place.

use std::{
    fs::File,
    io::{self, Read},
    ops::ControlFlow,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::FileExt,
    },
    process, thread,
    time::{Duration, Instant},
};

use rustix::{
    fs::{FlockOperation, flock, fstat},
    io::Errno,
};

use crate::{
    disk::Disk,
    error::StoreError,
    layout::{self, LOCKS},
    result::ActionKey,
    store::Store,
};

/// What a waiter is told, again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// The process that holds the lock, as far as it can be known (it may have just gone).
    pub holder: Option<u32>,
    /// How long this has been waiting.
    pub waited: Duration,
}

/// Asked while a lock is somebody else's: `Break` gives up.
pub type Wait<'a> = &'a mut dyn FnMut(&Waiting) -> ControlFlow<()>;

/// Held until dropped, or until the process is gone.
#[derive(Debug)]
pub struct Lock {
    store: Store,
    place: String,
    /// The lock itself; closed after the file at `place` is gone.
    _file: Flock,
}

/// A file under `flock(2)`. Unlocked when dropped: closing it is not enough, for a child that another thread is just starting has it open,
/// too, until it becomes another program.
#[derive(Debug)]
pub(crate) struct Flock(File);

impl AsFd for Flock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Drop for Flock {
    fn drop(&mut self) {
        // The file is closed next, and by that it is unlocked sooner or later.
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Whoever has the file open meanwhile finds that it is not at its place any more.
        drop(self.store.disk().remove(&self.place));
    }
}

impl Store {
    /// Locks the step of this exact key, so that it runs once. Who had to wait looks for the result again. While another holds
    /// it, `wait` is asked every few milliseconds: `Break` gives up, and there is no lock.
    pub fn lock_step(&self, key: &ActionKey, wait: Wait<'_>) -> Result<Option<Lock>, StoreError> {
        self.lock_any(&[layout::object(LOCKS, &key.0)], wait)
    }

    /// Takes one of `count` equal slots called `name` (`steps`, a registry's host), as [`Store::lock_step`] does.
    pub fn lock_slot(&self, name: &str, count: usize, wait: Wait<'_>) -> Result<Option<Lock>, StoreError> {
        let slot = |number| layout::file(LOCKS, &format!("slot-{}-{number}", layout::file_name(name)));
        self.lock_any(&(0..count).map(slot).collect::<Vec<_>>(), wait)
    }

    fn lock_any(&self, places: &[String], wait: Wait<'_>) -> Result<Option<Lock>, StoreError> {
        poll(wait, || {
            let mut holder = None;
            for place in places {
                match try_lock(self.disk(), place, FlockOperation::NonBlockingLockExclusive)? {
                    Attempt::Taken(file) => {
                        return Ok(Attempt::Taken(Lock {
                            store: self.clone(),
                            place: place.clone(),
                            _file: file,
                        }));
                    }
                    Attempt::Busy(pid) => holder = holder.or(pid),
                }
            }
            Ok(Attempt::Busy(holder))
        })
    }
}

/// What became of one attempt.
#[derive(Debug)]
pub(crate) enum Attempt<T> {
    Taken(T),
    /// Somebody else has it: this process, if it can be known.
    Busy(Option<u32>),
}

/// Attempts until it succeeds or `wait` gives up.
pub(crate) fn poll<T>(
    wait: Wait<'_>,
    mut attempt: impl FnMut() -> Result<Attempt<T>, StoreError>,
) -> Result<Option<T>, StoreError> {
    let start = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        let holder = match attempt()? {
            Attempt::Taken(taken) => return Ok(Some(taken)),
            Attempt::Busy(holder) => holder,
        };
        if wait(&Waiting {
            holder,
            waited: start.elapsed(),
        })
        .is_break()
        {
            return Ok(None);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Not noticed by people, and cheap: an attempt is three system calls. A blocking `flock` could not be given up.
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// Locks the file at `place`, which is made if need be, without waiting.
pub(crate) fn try_lock(
    disk: &Disk,
    place: &str,
    operation: FlockOperation,
) -> Result<Attempt<Flock>, StoreError> {
    loop {
        let file = disk.open_or_create(place)?;
        match flock(&file, operation) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Ok(Attempt::Busy(holder(&file))),
            Err(errno) => return Err(disk.fail("lock", place)(errno)),
        }
        let locked = fstat(&file).map_err(disk.fail("lock", place))?;
        let there = disk.stat(place)?;
        if there.is_some_and(|there| (there.st_dev, there.st_ino) == (locked.st_dev, locked.st_ino)) {
            // On a full disk the lock is as good without it.
            drop(tell_holder(&file, locked.st_size > 0));
            return Ok(Attempt::Taken(Flock(file)));
        }
    }
}

/// Says whose the lock is, for people. What is new is not cut off: a file that was, ext4 brings to the disk when it is closed.
fn tell_holder(file: &File, had_another: bool) -> io::Result<()> {
    if had_another {
        file.set_len(0)?;
    }
    file.write_all_at(process::id().to_string().as_bytes(), 0)
}

fn holder(mut file: &File) -> Option<u32> {
    let mut pid = String::new();
    file.read_to_string(&mut pid).ok()?;
    pid.parse().ok()
}
