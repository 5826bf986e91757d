//! Stopping a solve from outside or after a failure.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// Says once, to everybody who asks or waits, that work is to stop. Clones are the same one.
#[derive(Clone, Default)]
pub struct Cancel(Arc<Shared>);

#[derive(Default)]
struct Shared {
    cancelled: AtomicBool,
    hooks: Mutex<Hooks>,
}

#[derive(Default)]
struct Hooks {
    next: u64,
    waiting: BTreeMap<u64, Box<dyn FnOnce() + Send>>,
}

/// Takes a hook off when dropped.
#[must_use = "a hook is taken off when this is dropped"]
pub struct CancelHook {
    shared: Arc<Shared>,
    number: Option<u64>,
}

impl Cancel {
    /// Not cancelled yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether work is to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::Acquire)
    }

    /// Says that work is to stop, and runs the hooks, on this thread. The second time does nothing.
    pub fn cancel(&self) {
        let hooks = {
            let mut hooks = self.0.hooks.lock().unwrap_or_else(PoisonError::into_inner);
            self.0.cancelled.store(true, Ordering::Release);
            std::mem::take(&mut hooks.waiting)
        };
        for hook in hooks.into_values() {
            hook();
        }
    }

    /// Runs `hook` when work is to stop (to kill a process, to wake a waiter), at once if that was said already.
    pub fn on_cancel(&self, hook: impl FnOnce() + Send + 'static) -> CancelHook {
        let mut hooks = self.0.hooks.lock().unwrap_or_else(PoisonError::into_inner);
        let number = if self.is_cancelled() {
            drop(hooks);
            hook();
            None
        } else {
            hooks.next += 1;
            let number = hooks.next;
            hooks.waiting.insert(number, Box::new(hook));
            Some(number)
        };
        CancelHook {
            shared: Arc::clone(&self.0),
            number,
        }
    }
}

impl Drop for CancelHook {
    fn drop(&mut self) {
        let Some(number) = self.number else { return };
        let mut hooks = self.shared.hooks.lock().unwrap_or_else(PoisonError::into_inner);
        drop(hooks.waiting.remove(&number));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    #[test]
    fn hooks_run_once_and_only_while_held() {
        let cancel = Cancel::new();
        let count = Arc::new(AtomicU32::new(0));
        let hook = |amount| {
            let count = Arc::clone(&count);
            move || {
                count.fetch_add(amount, Ordering::Relaxed);
            }
        };
        let kept = cancel.on_cancel(hook(1));
        drop(cancel.on_cancel(hook(10)));
        cancel.clone().cancel();
        cancel.cancel();
        assert_eq!(count.load(Ordering::Relaxed), 1);
        let late = cancel.on_cancel(hook(100));
        assert_eq!(count.load(Ordering::Relaxed), 101);
        drop((kept, late));
    }
}
