//! Taking away what is left of processes, beside what comes after them: unmounting takes a small step as long as all else that it is.

use std::{
    sync::{
        Mutex, PoisonError,
        mpsc::{SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
};

use wharf_rootfs::Session;
use wharf_sandbox::Running;

use super::process::Scratch;

/// What is left of a process of which nothing runs any more: its mounts, who serves them, and what it has written.
pub(super) struct Remains {
    pub(super) running: Option<Running>,
    pub(super) session: Option<Session>,
    pub(super) scratch: Scratch,
}

impl Remains {
    /// Takes all of it away.
    fn bury(self) {
        // It ends and waits for what holds the mounts.
        drop(self.running);
        // What was asked is known by now, and that it was answered.
        drop(self.session.map(Session::finish));
        drop(self.scratch);
    }
}

/// How many may wait to be taken away: each holds mounts and threads.
const WAITING: usize = 4;

/// A thread that takes away what is left of processes; begun when there is something, waited for when this is dropped.
#[derive(Debug, Default)]
pub struct Undertaker(Mutex<Option<Worker>>);

#[derive(Debug)]
struct Worker {
    orders: SyncSender<Remains>,
    thread: JoinHandle<()>,
}

impl Worker {
    fn begin() -> std::io::Result<Self> {
        let (orders, ordered) = sync_channel::<Remains>(WAITING);
        let thread = thread::Builder::new()
            .name("undertaker".into())
            .spawn(move || ordered.into_iter().for_each(Remains::bury))?;
        Ok(Self { orders, thread })
    }
}

impl Undertaker {
    /// Sees to it that all is taken away soon.
    pub(super) fn bury(&self, remains: Remains) {
        let mut worker = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if worker.is_none() {
            *worker = Worker::begin().ok();
        }
        let orders = worker.as_ref().map(|worker| worker.orders.clone());
        drop(worker);
        let refused = match orders {
            Some(orders) => orders.send(remains).err().map(|refused| refused.0),
            None => Some(remains),
        };
        refused.into_iter().for_each(Remains::bury);
    }
}

impl Drop for Undertaker {
    fn drop(&mut self) {
        let worker = self.0.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Worker { orders, thread }) = worker {
            drop(orders);
            // What it could not take away the next process does.
            drop(thread.join());
        }
    }
}
