//! A store for one test.

use wharf_testkit::Scratch;

use crate::store::{BootId, Store, StoreOptions};

/// A new store below `store` in a directory of its own, in a boot called `test`.
pub(crate) fn store() -> (Scratch, Store) {
    let scratch = Scratch::new();
    let store = open(&scratch, "test");
    (scratch, store)
}

/// The same store, as another process would open it during this boot.
pub(crate) fn open(scratch: &Scratch, boot: &str) -> Store {
    let options = StoreOptions {
        boot: Some(BootId(boot.to_owned())),
        ..StoreOptions::default()
    };
    Store::open(&scratch.join("store"), options).unwrap()
}
