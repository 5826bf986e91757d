//! Taking objects away: aside first, a second look, then for good.

use super::census::Counted;
use crate::{
    df::Usage,
    disk::Disk,
    error::StoreError,
    layout::{self, TRASH},
    stamp::Stamp,
    store::Store,
};

/// Something that is to go.
#[derive(Debug)]
pub(super) struct Victim {
    pub(super) place: String,
    pub(super) counted: Counted,
}

/// So many objects are aside at a time: their names fit into one block of 1 KiB, the trash directory's first, which a full disk could not
/// let grow.
const BATCH: usize = 10;

/// Takes away, and counts.
#[derive(Debug)]
pub(super) struct Sweep<'a> {
    store: &'a Store,
    pub(super) removed: Usage,
}

impl<'a> Sweep<'a> {
    pub(super) const fn new(store: &'a Store) -> Self {
        Self {
            store,
            removed: Usage { count: 0, bytes: 0 },
        }
    }

    /// Takes these away, save those that were used since they were counted.
    pub(super) fn objects(&mut self, victims: &[Victim]) -> Result<(), StoreError> {
        let disk = self.store.disk();
        for batch in victims.chunks(BATCH) {
            let mut aside = Vec::with_capacity(batch.len());
            for victim in batch {
                if disk.move_if_there(&victim.place, &layout::trash(&victim.place), true)? {
                    aside.push(victim);
                }
            }
            for victim in aside {
                self.second_look(victim)?;
            }
        }
        Ok(())
    }

    fn second_look(&mut self, victim: &Victim) -> Result<(), StoreError> {
        let trash = layout::trash(&victim.place);
        let used = self.store.disk().stat(&trash)?.map(|stat| Stamp::used(&stat));
        if used != Some(victim.counted.used) {
            return put_back(self.store.disk(), &trash, &victim.place);
        }
        self.store.disk().remove(&trash)?;
        self.removed = self.removed.and(victim.counted.bytes);
        Ok(())
    }
}

/// Puts everything back that a collection left aside when it was killed. For who holds the maintenance lock.
pub(super) fn restore(disk: &Disk) -> Result<(), StoreError> {
    for name in disk.list(TRASH)? {
        put_back(disk, &layout::file(TRASH, &name), &layout::untrash(&name))?;
    }
    Ok(())
}

/// One that was written again meanwhile stays instead.
fn put_back(disk: &Disk, trash: &str, place: &str) -> Result<(), StoreError> {
    if !disk.move_if_there(trash, place, false)? {
        disk.remove(trash)?;
    }
    Ok(())
}
