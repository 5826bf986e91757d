//! A small cache without an order: each key is at home in one slot, and the last one there stays.

use std::sync::{Mutex, PoisonError};

type Slot<K, V> = Mutex<Option<(K, V)>>;

/// Values by key, at most `N` of them. No lock that all readers want.
#[derive(Debug)]
pub(crate) struct Slots<K, V, const N: usize>([Slot<K, V>; N]);

impl<K: PartialEq, V: Clone, const N: usize> Slots<K, V, N> {
    pub(crate) fn new() -> Self {
        Self([const { Mutex::new(None) }; N])
    }

    /// The value of `key`, whose home is derived from `hash`.
    pub(crate) fn get(&self, hash: u64, key: &K) -> Option<V> {
        let slot = self.slot(hash).lock().unwrap_or_else(PoisonError::into_inner);
        let held = slot.as_ref().filter(|(held, _)| held == key);
        held.map(|(_, value)| value.clone())
    }

    /// Keeps a value in place of its home's last one.
    pub(crate) fn put(&self, hash: u64, key: K, value: V) {
        let mut slot = self.slot(hash).lock().unwrap_or_else(PoisonError::into_inner);
        let replaced = slot.replace((key, value));
        drop(slot);
        drop(replaced);
    }

    fn slot(&self, hash: u64) -> &Slot<K, V> {
        &self.0[(hash % N as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_stays() {
        let slots: Slots<&str, u32, 2> = Slots::new();
        slots.put(0, "a", 1);
        slots.put(1, "b", 2);
        assert_eq!((slots.get(0, &"a"), slots.get(1, &"b")), (Some(1), Some(2)));
        slots.put(2, "c", 3);
        assert_eq!((slots.get(0, &"a"), slots.get(2, &"c")), (None, Some(3)));
    }
}
