//! Locks that hold across processes and go away with their holder.

use std::{ops::ControlFlow, time::Duration};

use crate::{error::StoreError, result::ActionKey, store::Store};

/// What a waiter is told, again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// The process that holds the lock, as far as it can be known (it may have just gone).
    pub holder: Option<u32>,
    /// How long this has been waiting.
    pub waited: Duration,
}

/// Held until dropped, or until the process is gone.
#[derive(Debug)]
pub struct Lock {}

impl Store {
    /// Locks the step of this exact key, so that it runs once. Who had to wait looks for the result again. While another holds it,
    /// `wait` is asked every few milliseconds: `Break` gives up, and there is no lock.
    pub fn lock_step(
        &self,
        _key: &ActionKey,
        _wait: &mut dyn FnMut(&Waiting) -> ControlFlow<()>,
    ) -> Result<Option<Lock>, StoreError> {
        unimplemented!()
    }

    /// Takes one of `count` equal slots called `name` (`steps`, a registry's host), as [`Store::lock_step`] does.
    pub fn lock_slot(
        &self,
        _name: &str,
        _count: usize,
        _wait: &mut dyn FnMut(&Waiting) -> ControlFlow<()>,
    ) -> Result<Option<Lock>, StoreError> {
        unimplemented!()
    }
}
