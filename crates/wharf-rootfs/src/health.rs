//! Whether a session still answers as the tree says, and how it is made to stop.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use fuser::{Errno, ReplyData, ReplyEntry};

use crate::session::ServeError;

/// Shared by a server's threads and whoever may abort it.
#[derive(Debug, Default)]
pub(crate) struct Health {
    aborted: AtomicBool,
    failure: Mutex<Option<ServeError>>,
    waiting: Mutex<HashMap<u64, Waiting>>,
    next: AtomicU64,
}

/// A reply whose content is not here yet.
#[derive(Debug)]
pub(crate) enum Waiting {
    /// The content itself is asked for.
    Data(ReplyData),
    /// The file is about to be opened.
    Entry(ReplyEntry),
}

impl Waiting {
    /// Answers with an error.
    pub(crate) fn error(self, errno: Errno) {
        match self {
            Self::Data(reply) => reply.error(errno),
            Self::Entry(reply) => reply.error(errno),
        }
    }
}

impl Health {
    /// Answers whoever waits, and makes the server answer nothing but errors from now on.
    pub(crate) fn abort(&self) {
        self.aborted.store(true, Ordering::SeqCst);
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        for reply in waiting.into_values() {
            reply.error(Errno::EIO);
        }
    }

    /// Whether [`Self::abort`] was called.
    pub(crate) fn aborted(&self) -> bool {
        self.aborted.load(Ordering::SeqCst)
    }

    /// Writes down why an answer is not what the tree says. The first reason counts.
    pub(crate) fn fail(&self, error: ServeError) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert(error);
    }

    /// The verdict on the whole session.
    pub(crate) fn verdict(&self) -> Result<(), ServeError> {
        if self.aborted() {
            return Err(ServeError::Aborted);
        }
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.take().map_or(Ok(()), Err)
    }

    /// Lays a reply aside while its content is fetched, where an abort finds it: a process that waits for an answer cannot
    /// be killed.
    pub(crate) fn park(&self, reply: Waiting) -> Parked<'_> {
        let ticket = self.next.fetch_add(1, Ordering::Relaxed);
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(ticket, reply);
        let parked = Parked { health: self, ticket };
        if self.aborted() {
            parked
                .take()
                .into_iter()
                .for_each(|reply| reply.error(Errno::EIO));
        }
        parked
    }
}

/// A reply laid aside.
pub(crate) struct Parked<'a> {
    health: &'a Health,
    ticket: u64,
}

impl Parked<'_> {
    /// The reply, unless an abort has answered it.
    pub(crate) fn take(&self) -> Option<Waiting> {
        let mut waiting = self.health.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.remove(&self.ticket)
    }
}
