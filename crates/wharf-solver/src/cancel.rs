//! Stopping a solve from outside or after a failure.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

/// Says once, to everybody who asks or waits, that work is to stop. Clones are the same one.
#[derive(Clone, Default)]
pub struct Cancel(Arc<Shared>);

#[derive(Default)]
struct Shared {
    cancelled: AtomicBool,
    above: Above,
    hooks: Mutex<Hooks>,
}

/// Who says it besides.
#[derive(Default)]
enum Above {
    #[default]
    Nobody,
    /// Whoever sets this, from a signal handler for one.
    Flag(Arc<AtomicBool>, Mutex<Option<Watch>>),
    Cancel(Cancel),
}

/// Begins to wait for a flag.
type Watch = Box<dyn FnOnce(Cancel) + Send>;

#[derive(Default)]
struct Hooks {
    next: u64,
    waiting: BTreeMap<u64, Box<dyn FnOnce() + Send>>,
    /// Hears what is said above.
    above: Option<CancelHook>,
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

    /// Cancelled as soon as `flag` is set. With the first hook, for which it is not enough that one may ask, `watch` is called once: it
    /// sees to it that [`Cancel::cancel`] is called when the flag is set, or has been.
    pub fn by_flag(flag: Arc<AtomicBool>, watch: impl FnOnce(Self) + Send + 'static) -> Self {
        Self::below(Above::Flag(flag, Mutex::new(Some(Box::new(watch)))))
    }

    /// One that is cancelled with this one, or alone.
    #[must_use]
    pub fn child(&self) -> Self {
        Self::below(Above::Cancel(self.clone()))
    }

    fn below(above: Above) -> Self {
        Self(Arc::new(Shared {
            above,
            ..Shared::default()
        }))
    }

    /// Whether work is to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::Acquire)
            || match &self.0.above {
                Above::Nobody => false,
                Above::Flag(flag, _) => flag.load(Ordering::Acquire),
                Above::Cancel(above) => above.is_cancelled(),
            }
    }

    /// Says that work is to stop, and runs the hooks, on this thread. The second time does nothing.
    pub fn cancel(&self) {
        let hooks = {
            let mut hooks = self.0.lock();
            self.0.cancelled.store(true, Ordering::Release);
            std::mem::take(&mut hooks.waiting)
        };
        for hook in hooks.into_values() {
            hook();
        }
    }

    /// Runs `hook` when work is to stop (to kill a process, to wake a waiter), at once if that was said already.
    pub fn on_cancel(&self, hook: impl FnOnce() + Send + 'static) -> CancelHook {
        self.listen();
        let mut hooks = self.0.lock();
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

    /// Sees to it that this one is told what is said above.
    fn listen(&self) {
        match &self.0.above {
            Above::Flag(_, watch) => {
                let watch = watch.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(watch) = watch {
                    watch(self.clone());
                }
            }
            Above::Cancel(above) if self.0.lock().above.is_none() => {
                let told = Arc::downgrade(&self.0);
                let hook = above.on_cancel(move || {
                    if let Some(shared) = Weak::upgrade(&told) {
                        Self(shared).cancel();
                    }
                });
                self.0.lock().above.get_or_insert(hook);
            }
            Above::Nobody | Above::Cancel(_) => {}
        }
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Hooks> {
        self.hooks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for CancelHook {
    fn drop(&mut self) {
        let Some(number) = self.number else { return };
        drop(self.shared.lock().waiting.remove(&number));
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

    /// Counts how often a hook runs.
    fn count(cancel: &Cancel, count: &Arc<AtomicU32>) -> CancelHook {
        let count = Arc::clone(count);
        cancel.on_cancel(move || {
            count.fetch_add(1, Ordering::Relaxed);
        })
    }

    #[test]
    fn a_child_is_told_and_tells_nobody() {
        let (parent, runs) = (Cancel::new(), Arc::new(AtomicU32::new(0)));
        let (alone, with_all, dropped) = (parent.child(), parent.child(), parent.child());
        let hooks = [&alone, &with_all, &with_all].map(|cancel| count(cancel, &runs));
        drop((count(&dropped, &runs), dropped));
        alone.cancel();
        assert!(alone.is_cancelled() && !parent.is_cancelled() && !with_all.is_cancelled());
        parent.cancel();
        assert!(with_all.is_cancelled() && parent.child().is_cancelled());
        assert_eq!(runs.load(Ordering::Relaxed), 3);
        drop((count(&parent.child(), &runs), hooks));
        assert_eq!(runs.load(Ordering::Relaxed), 4);
    }

    #[test]
    fn a_flag_is_watched_from_the_first_hook_on() {
        let (flag, runs) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let (send, watching) = std::sync::mpsc::channel();
        let cancel = Cancel::by_flag(Arc::clone(&flag), move |cancel| {
            send.send(cancel).expect("the test listens");
        });
        let child = cancel.child();
        assert!(!child.is_cancelled() && watching.try_recv().is_err());
        let hook = count(&child, &runs);
        let watcher = watching.try_recv().unwrap();
        flag.store(true, Ordering::Release);
        assert!(cancel.is_cancelled() && child.is_cancelled());
        watcher.cancel();
        assert_eq!(runs.load(Ordering::Relaxed), 1);
        drop((hook, count(&cancel, &runs)));
        assert_eq!(runs.load(Ordering::Relaxed), 2);
        assert!(watching.try_recv().is_err());
    }
}
