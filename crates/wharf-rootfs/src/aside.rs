//! Answers that need contents from elsewhere are given by threads of their own: a session has one or two that receive requests
//! ([`Follow`]), and nobody shall wait for what another one wants.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    thread::{self, JoinHandle},
};

use crate::follow::Follow;

/// Threads of a session that were begun and not waited for.
#[derive(Debug, Default)]
pub(crate) struct Aside {
    begun: Mutex<Vec<JoinHandle<()>>>,
    /// How many works are not done, those among them that have panicked.
    open: Arc<AtomicU32>,
}

impl Aside {
    /// Does `work` in a thread of its own, which goes where `follow` lets threads go; in this one if there cannot be another.
    pub(crate) fn run(&self, follow: &Arc<Follow>, work: impl FnOnce() + Send + 'static) {
        self.open.fetch_add(1, Ordering::AcqRel);
        let open = self.open.clone();
        let work = move || {
            work();
            open.fetch_sub(1, Ordering::AcqRel);
        };
        let work = Arc::new(Mutex::new(Some(work)));
        let take = |work: &Mutex<Option<_>>| work.lock().unwrap_or_else(PoisonError::into_inner).take();
        let begun = thread::Builder::new().name("content".into()).spawn({
            let (work, follow) = (work.clone(), follow.clone());
            move || {
                follow.go_home();
                if let Some(work) = take(&work) {
                    work();
                }
            }
        });
        match begun {
            Ok(begun) => {
                let mut all = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
                all.retain(|one| !one.is_finished());
                all.push(begun);
            }
            Err(_) => take(&work).into_iter().for_each(|work| work()),
        }
    }

    /// Whether all of them have done what they were begun for.
    pub(crate) fn is_quiet(&self) -> bool {
        self.open.load(Ordering::Acquire) == 0
    }

    /// Waits for all of them; false if one has panicked.
    pub(crate) fn finish(&self) -> bool {
        let all = std::mem::take(&mut *self.begun.lock().unwrap_or_else(PoisonError::into_inner));
        // Whether it panicked is known without it.
        for one in all {
            drop(one.join());
        }
        self.is_quiet()
    }
}
