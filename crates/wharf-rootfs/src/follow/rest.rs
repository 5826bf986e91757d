//! How many of a connection's threads receive requests.
//!
//! One thread of each connection rests while one process asks at a time. Of two that wait for a request the kernel wakes
//! the one that has waited longer, which sleeps on another processor, and often the other one, just about to wait, takes the request: waking for
//! nothing costs more than most answers. Where nobody gives way it is the other way round: who asks and two who answer in turns wake each
//! other on processors that are idle, and one who answers alone is always waited for.

use std::{
    sync::{
        Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
};

use super::{lock, yields};

/// The receiving threads of a connection.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Those that do not rest; changed under the gate's lock.
    receiving: AtomicU32,
}

impl Connection {
    /// How many threads receive requests when several processes ask: one goes on while another waits for the disk.
    pub(crate) const THREADS: u32 = 2;

    pub(crate) const fn new() -> Self {
        Self {
            receiving: AtomicU32::new(Self::THREADS),
        }
    }

    /// Whose one thread never rests.
    #[cfg(test)]
    pub(super) const fn of_one() -> Self {
        Self {
            receiving: AtomicU32::new(1),
        }
    }
}

/// A request that is being answered.
pub(crate) struct Asked<'a> {
    gate: &'a Gate,
    connection: &'a Connection,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            // This one will not receive any more, and what it has answered, nobody knows.
            self.gate.end();
        } else {
            self.gate.answering.fetch_sub(1, Ordering::AcqRel);
            self.gate.pass(self.connection);
        }
    }
}

/// Where threads rest while fewer are enough.
#[derive(Debug, Default)]
pub(super) struct Gate {
    /// Told without the lock.
    is_open: AtomicBool,
    /// How many requests have come and are not answered, those among them over which a thread has panicked.
    answering: AtomicU32,
    state: Mutex<GateState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct GateState {
    open: bool,
    ended: bool,
}

impl Gate {
    /// A request has come.
    pub(super) fn enter<'a>(&'a self, connection: &'a Connection) -> Asked<'a> {
        self.answering.fetch_add(1, Ordering::AcqRel);
        Asked {
            gate: self,
            connection,
        }
    }

    /// Whether every request that has come was answered as it should be.
    pub(super) fn is_quiet(&self) -> bool {
        self.answering.load(Ordering::Acquire) == 0
    }

    pub(super) fn set(&self, open: bool) {
        if self.is_open.load(Ordering::Relaxed) == open {
            return;
        }
        let mut state = lock(&self.state);
        state.open = open;
        self.tell(&state);
    }

    pub(super) fn end(&self) {
        let mut state = lock(&self.state);
        state.ended = true;
        self.tell(&state);
    }

    fn tell(&self, state: &GateState) {
        self.is_open.store(state.is_open(), Ordering::Relaxed);
        if state.is_open() {
            self.changed.notify_all();
        }
    }

    /// The calling thread rests until the gate is open, unless it is the last one that receives.
    fn pass(&self, connection: &Connection) {
        if self.is_open.load(Ordering::Relaxed) {
            return;
        }
        let mut state = lock(&self.state);
        if state.is_open() || connection.receiving.load(Ordering::Relaxed) < 2 {
            return;
        }
        connection.receiving.fetch_sub(1, Ordering::Relaxed);
        // Who is woken here is wanted, for several ask.
        yields(false);
        while !state.is_open() {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        connection.receiving.fetch_add(1, Ordering::Relaxed);
    }
}

impl GateState {
    const fn is_open(&self) -> bool {
        self.open || self.ended
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use super::*;

    #[test]
    fn one_of_two_rests_until_several_ask() {
        let gate = Gate::default();
        let connection = Connection::new();
        let passed = |gate: &Gate| {
            let (tell, told) = mpsc::channel();
            thread::scope(|scope| {
                for _ in 0..Connection::THREADS {
                    let tell = tell.clone();
                    let (gate, connection) = (&*gate, &connection);
                    scope.spawn(move || {
                        gate.pass(connection);
                        let _ = tell.send(());
                    });
                }
                told.recv().unwrap();
                let one_rests = told.recv_timeout(Duration::from_millis(50)).is_err();
                gate.set(true);
                if one_rests {
                    told.recv().unwrap();
                }
                one_rests
            })
        };
        assert!(passed(&gate));
        assert!(!passed(&gate), "the gate is open");
        gate.set(false);
        assert!(passed(&gate));
        gate.set(false);
        gate.end();
        gate.set(false);
        assert!(!passed(&gate), "for ever");
    }
}
