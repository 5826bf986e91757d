//! Taking away what is left of processes, beside what comes after them: unmounting takes a small step as long as all else that it is.

use std::{
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use wharf_rootfs::{Background, Session};
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
    pub(super) fn bury(self) {
        let _background = Background::begin();
        // It ends and waits for what holds the mounts.
        drop(self.running);
        // What was asked is known by now, and that it was answered.
        drop(self.session.map(Session::finish));
        drop(self.scratch);
    }
}

/// How many may wait to be taken away: each holds mounts and threads.
const WAITING: usize = 4;

/// For so long the next process may keep the machine to itself, from the end of the one before until it runs.
const PATIENCE: Duration = Duration::from_millis(20);

/// A thread that takes away what is left of processes; begun when there is something, waited for when this is dropped.
#[derive(Debug, Default)]
pub struct Undertaker(Mutex<Option<Worker>>);

#[derive(Debug)]
struct Worker {
    orders: SyncSender<Order>,
    thread: JoinHandle<()>,
}

enum Order {
    /// To be taken away, if nobody says so earlier, when the next process should be running.
    Bury(Box<Remains>),
    /// Now.
    Go,
}

/// Tells the undertaker that the next process runs.
#[derive(Debug)]
pub(super) struct Bell(Option<SyncSender<Order>>);

impl Drop for Bell {
    fn drop(&mut self) {
        // If it cannot be told, it has enough to do.
        drop(self.0.take().map(|orders| orders.try_send(Order::Go)));
    }
}

impl Worker {
    fn begin() -> std::io::Result<Self> {
        let (orders, ordered) = sync_channel(WAITING);
        let thread = thread::Builder::new()
            .name("undertaker".into())
            .spawn(move || work(&ordered))?;
        Ok(Self { orders, thread })
    }
}

fn work(ordered: &Receiver<Order>) {
    while let Ok(first) = ordered.recv() {
        let mut all = Vec::new();
        let mut next = Ok(first);
        while let Ok(Order::Bury(remains)) = next {
            all.push(remains);
            next = if all.len() < WAITING {
                ordered.recv_timeout(PATIENCE)
            } else {
                Err(RecvTimeoutError::Timeout)
            };
        }
        for remains in all {
            remains.bury();
        }
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
        let order = Order::Bury(Box::new(remains));
        let refused = match orders {
            Some(orders) => orders.send(order).err().map(|refused| refused.0),
            None => Some(order),
        };
        if let Some(Order::Bury(remains)) = refused {
            remains.bury();
        }
    }

    /// To be dropped when the next process runs.
    pub(super) fn bell(&self) -> Bell {
        let worker = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Bell(worker.as_ref().map(|worker| worker.orders.clone()))
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
