//! Leases that nobody has, kept with their empty scratch directories for whoever needs one next.
//!
//! A build that has nothing to do is over in milliseconds; to make a file and a directory for it, and to remove them again, is a good
//! part of that, and the more so the more builds there are: without a journal, ext4 does not give away an inode that was freed in the
//! last minutes, and looks at each of them whenever it makes a file.

use std::{fs::File, os::fd::AsFd};

use rustix::fs::{FlockOperation, flock, fstat};

use crate::{
    disk::Disk,
    error::StoreError,
    layout::{self, IDLE, LEASES, WORK},
};

/// What was idle and is so no more.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) file: File,
    /// Which it was: it can go back there.
    pub(crate) number: usize,
}

/// As many as a machine's builds need at once. More are removed.
const MOST: usize = 8;

/// Makes an idle lease that of `name`. It is locked before it gets its place among the leases.
pub(crate) fn take(disk: &Disk, name: &str) -> Result<Option<Taken>, StoreError> {
    for number in 0..MOST {
        let place = place(number);
        let Some((file, length)) = locked(disk, &place)? else {
            continue;
        };
        if length > 0 {
            file.set_len(0).map_err(disk.fail("write", &place))?;
        }
        if disk.move_if_there(&place, &layout::file(LEASES, name), false)? {
            return Ok(Some(Taken { file, number }));
        }
    }
    Ok(None)
}

/// Makes the scratch directory of `name`: of that of an idle lease, if there is one.
pub(crate) fn scratch(disk: &Disk, name: &str, number: Option<usize>) -> Result<(), StoreError> {
    let scratch = layout::file(WORK, name);
    if let Some(number) = number
        && disk.move_if_there(&directory(number), &scratch, false)?
    {
        return Ok(());
    }
    disk.make_dir(&scratch)
}

/// The file at `place`, locked, and its length, if it is nobody's, and still there: somebody may have had it meanwhile.
fn locked(disk: &Disk, place: &str) -> Result<Option<(File, i64)>, StoreError> {
    let Some(file) = disk.open_existing(place)? else {
        return Ok(None);
    };
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(None);
    }
    let locked = fstat(&file).map_err(disk.fail("lock", place))?;
    let there = disk.stat(place)?;
    Ok(there
        .is_some_and(|there| (there.st_dev, there.st_ino) == (locked.st_dev, locked.st_ino))
        .then_some((file, locked.st_size)))
}

/// Keeps the lease of this name, whose owner needs it no more and has emptied its directory, if it has one (`scratch`); whether there was
/// room. It is unlocked here: a child that is just being started may have the file open, too. `before` is where it was idle last.
pub(crate) fn keep(
    disk: &Disk,
    name: &str,
    file: &File,
    before: Option<usize>,
    scratch: bool,
) -> Result<bool, StoreError> {
    for number in before.into_iter().chain(0..MOST) {
        let place = place(number);
        if !disk.move_if_there(&layout::file(LEASES, name), &place, false)? {
            continue;
        }
        if scratch {
            disk.move_if_there(&layout::file(WORK, name), &directory(number), true)?;
        }
        // If not now, then when the file is closed.
        let _ = flock(file.as_fd(), FlockOperation::Unlock);
        return Ok(true);
    }
    // A store may be older than this directory.
    disk.make_dir(IDLE)?;
    Ok(false)
}

fn place(number: usize) -> String {
    layout::file(IDLE, &number.to_string())
}

fn directory(number: usize) -> String {
    layout::file(IDLE, &format!("{number}.d"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn names(disk: &Disk, directory: &str) -> Vec<String> {
        let mut names = disk.list(directory).unwrap();
        names.sort();
        names
    }

    /// Has the lease's scratch directory made, and says where it is.
    fn scratch(store: &crate::Store) -> String {
        let lease = store.lease().unwrap();
        lease.scratch(store.disk()).unwrap();
        lease.scratch_dir()
    }

    #[test]
    fn one_whose_owner_needs_no_scratch_has_none() {
        let (directory, store) = testing::store();
        store.lease().unwrap();
        drop(store);
        let store = testing::open(&directory, "test");
        assert_eq!(names(store.disk(), IDLE), ["0"]);
        assert!(store.disk().stat(&scratch(&store)).unwrap().is_some());
    }

    #[test]
    fn one_is_passed_from_hand_to_hand() {
        let (directory, store) = testing::store();
        let first = scratch(&store);
        drop(store);
        let store = testing::open(&directory, "test");
        assert_eq!(names(store.disk(), IDLE), ["0", "0.d"]);
        store.lease().unwrap();
        assert_eq!(names(store.disk(), IDLE), ["0.d"]);
        let second = scratch(&store);
        assert_ne!(first, second);
        assert_eq!(names(store.disk(), IDLE), [""; 0]);
        assert_eq!(names(store.disk(), LEASES).len(), 1);
        assert!(store.disk().stat(&second).unwrap().is_some());
    }

    #[test]
    fn there_are_as_many_as_were_needed_at_once_and_not_more_than_some() {
        let (directory, store) = testing::store();
        let stores: Vec<_> = (0..MOST + 3).map(|_| testing::open(&directory, "test")).collect();
        for store in &stores {
            scratch(store);
        }
        drop(stores);
        assert_eq!(names(store.disk(), IDLE).len(), 2 * MOST);
        assert_eq!(names(store.disk(), LEASES), [""; 0]);
        assert_eq!(names(store.disk(), WORK), [""; 0]);
    }

    #[test]
    fn one_whose_owner_has_left_something_ends() {
        let (scratch, store) = testing::store();
        let left = store.lease().unwrap().scratch(store.disk()).unwrap();
        store.disk().make_dir(&left).unwrap();
        drop(store);
        let store = testing::open(&scratch, "test");
        for directory in [IDLE, LEASES, WORK] {
            assert_eq!(names(store.disk(), directory), [""; 0], "{directory}");
        }
    }

    #[test]
    fn what_a_crash_left_half_passed_on_is_taken_all_the_same() {
        let (directory, store) = testing::store();
        scratch(&store);
        drop(store);
        let store = testing::open(&directory, "test");
        store.disk().remove_dir("idle/0.d").unwrap();
        assert!(store.disk().stat(&scratch(&store)).unwrap().is_some());
    }
}
