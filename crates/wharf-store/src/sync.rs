//! Bringing what was written to the disk, off everybody's path.

use std::{
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Condvar, Mutex, PoisonError, Weak},
    thread,
    time::Duration,
};

use rustix::fs::syncfs;

use crate::{
    error::StoreError,
    stamp::Stamp,
    store::{Inner, Store},
};

/// How long writes gather before they are synced. A `syncfs` costs the whole file system, so not often; what is lost by a crash in
/// between is only hashed again.
const PAUSE: Duration = Duration::from_secs(5);

/// Tells a thread that there is something to sync. The thread is started by the first write and ends with the handle.
#[derive(Debug, Default)]
pub(crate) struct Syncer(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    started: bool,
    dirty: bool,
    stopped: bool,
}

impl Syncer {
    /// Something was written through `store`.
    pub(crate) fn wrote(&self, store: &Store) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.dirty {
            return;
        }
        state.dirty = true;
        if state.started {
            self.0.changed.notify_one();
        } else if let Ok(dir) = store.disk().dir().try_clone() {
            let (shared, inner) = (Arc::clone(&self.0), Arc::downgrade(&store.inner));
            // Without a thread nothing is recorded as synced, which costs hashing after a crash and nothing else.
            let thread = thread::Builder::new().name("store-sync".to_owned());
            state.started = thread.spawn(move || shared.run(&dir, &inner)).is_ok();
        }
    }

    /// Ends the thread, now or after the sync that it is at.
    pub(crate) fn stop(&self) {
        self.0
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .stopped = true;
        self.0.changed.notify_one();
    }
}

impl Shared {
    fn run(&self, dir: &OwnedFd, store: &Weak<Inner>) {
        while self.wait_for_work() {
            let until = Stamp::now();
            if syncfs(dir.as_fd()).is_err() {
                continue;
            }
            let Some(inner) = store.upgrade() else {
                return;
            };
            let store = Store { inner };
            drop(store.boots().and_then(|boots| boots.synced(&store, until)));
        }
    }

    /// Waits until something was written and had time to gather company; `false` at the end.
    fn wait_for_work(&self) -> bool {
        let guard = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = |state: &mut State| !state.dirty && !state.stopped;
        let guard = self
            .changed
            .wait_while(guard, idle)
            .unwrap_or_else(PoisonError::into_inner);
        let (mut state, _) = self
            .changed
            .wait_timeout_while(guard, PAUSE, |state| !state.stopped)
            .unwrap_or_else(PoisonError::into_inner);
        state.dirty = false;
        !state.stopped
    }
}

impl Store {
    /// Waits until everything that was written so far has reached the disk, and records that.
    pub fn sync(&self) -> Result<(), StoreError> {
        let until = Stamp::now();
        syncfs(self.disk().dir()).map_err(self.disk().fail("sync", "."))?;
        self.boots()?.synced(self, until)
    }
}
