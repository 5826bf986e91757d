//! The same work on many items by a few threads, until all are done or one fails.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// Fewer items are not worth a thread's start.
const ITEMS_PER_THREAD: usize = 16;

/// What `work` makes of each item, in no order; or the first failure, after which no new item is begun. The caller's
/// thread works too.
pub(crate) fn map<T, R, E>(
    items: &[T],
    threads: usize,
    work: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E>
where
    T: Sync,
    R: Send,
    E: Send,
{
    let next = AtomicUsize::new(0);
    let failure = Mutex::new(None);
    let run = || {
        let mut done = Vec::new();
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            match work(item) {
                Ok(result) => done.push(result),
                Err(error) => {
                    next.store(items.len(), Ordering::Relaxed);
                    let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
                    failure.get_or_insert(error);
                }
            }
        }
        done
    };
    let helpers = threads
        .min(items.len().div_ceil(ITEMS_PER_THREAD))
        .saturating_sub(1);
    let mut done = thread::scope(|scope| {
        let helpers: Vec<_> = (0..helpers).map(|_| scope.spawn(run)).collect();
        let mut done = run();
        for helper in helpers {
            let helped = helper.join();
            done.extend(helped.unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        done
    });
    match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => {
            done.clear();
            Err(error)
        }
        None => Ok(done),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn does_everything_once() {
        let items: Vec<u32> = (0..1000).collect();
        let mut squares = map(&items, 4, |item| Ok::<_, ()>(item * item)).unwrap();
        squares.sort_unstable();
        assert!(squares.iter().copied().eq(items.iter().map(|item| item * item)));
    }

    #[test]
    fn stops_at_a_failure() {
        let items: Vec<u32> = (0..1000).collect();
        let result = map(&items, 4, |item| if *item == 7 { Err(*item) } else { Ok(()) });
        assert_eq!(result, Err(7));
    }
}
