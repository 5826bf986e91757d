//! Answers that need contents from elsewhere are given by threads of their own: a session has one or two that receive requests
//! ([`Follow`]), and nobody shall wait for what another one wants.

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use crate::follow::Follow;

/// Threads of a session that were begun and not waited for.
#[derive(Debug, Default)]
pub(crate) struct Aside(Mutex<Vec<JoinHandle<()>>>);

impl Aside {
    /// Does `work` in a thread of its own, which goes where `follow` lets threads go; in this one if there cannot be another.
    pub(crate) fn run(&self, follow: &Arc<Follow>, work: impl FnOnce() + Send + 'static) {
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
                let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                all.retain(|one| !one.is_finished());
                all.push(begun);
            }
            Err(_) => take(&work).into_iter().for_each(|work| work()),
        }
    }

    /// Waits for all of them.
    pub(crate) fn finish(&self) -> thread::Result<()> {
        let all = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        all.into_iter().try_for_each(JoinHandle::join)
    }
}
