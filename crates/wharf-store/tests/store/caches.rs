//! Cache mounts across processes.

use std::{fs, ops::ControlFlow, time::Duration};

use wharf_store::{CacheMount, GcPolicy, Sharing, Store};

use crate::{
    child,
    context::{Context, tick},
};

fn open(store: &Store, sharing: Sharing) -> Option<CacheMount> {
    store
        .cache_mount("npm", sharing, &mut |_| ControlFlow::Break(()))
        .unwrap()
}

fn open_filled(store: &Store, sharing: Sharing) -> Option<CacheMount> {
    let mut cache = open(store, sharing)?;
    cache.filled().unwrap();
    Some(cache)
}

#[test]
fn shared_ones_are_one_directory() {
    let context = Context::new();
    let (store, other) = (context.open(), context.open());
    let first = open_filled(&store, Sharing::Shared).unwrap();
    let second = open(&other, Sharing::Shared).unwrap();
    assert_eq!(first.path(), second.path());
    assert!(!second.is_new());
    fs::write(first.path().join("f"), "x").unwrap();
    assert!(
        open(&other, Sharing::Locked).is_none(),
        "locked waits for those that share"
    );
    drop((first, second));
    let locked = open(&other, Sharing::Locked).unwrap();
    assert_eq!(fs::read_to_string(locked.path().join("f")).unwrap(), "x");
    assert!(
        open(&store, Sharing::Shared).is_none(),
        "and those that share wait for it"
    );
}

#[test]
fn a_new_one_is_filled_by_one_alone_and_again_after_a_crash() {
    let context = Context::new();
    let store = context.open();
    let mut first = open(&store, Sharing::Shared).unwrap();
    assert!(first.is_new());
    fs::write(first.path().join("half"), "x").unwrap();
    assert!(open(&store, Sharing::Shared).is_none(), "it is being filled");
    drop(first);
    first = open(&store, Sharing::Shared).unwrap();
    assert!(first.is_new(), "it was not filled");
    assert!(!first.path().join("half").exists());
    first.filled().unwrap();
    assert!(!open(&store, Sharing::Shared).unwrap().is_new());
}

#[test]
fn private_ones_are_apart_and_used_again() {
    let context = Context::new();
    let store = context.open();
    let first = open_filled(&store, Sharing::Private).unwrap();
    let second = open_filled(&store, Sharing::Private).unwrap();
    assert_ne!(first.path(), second.path());
    let path = first.path().to_owned();
    drop(first);
    assert_eq!(open(&store, Sharing::Private).unwrap().path(), path);
}

#[test]
fn a_locked_one_is_one_processes_at_a_time() {
    let context = Context::new();
    let store = context.open();
    let mut holder = child::start("cache", &context.root());
    let mut waited_for = None;
    let cache = store.cache_mount("npm", Sharing::Locked, &mut |waiting| {
        waited_for = waiting.holder;
        ControlFlow::Break(())
    });
    assert!(cache.unwrap().is_none());
    assert_eq!(waited_for, Some(holder.pid()));
    holder.kill();
    assert!(!open(&store, Sharing::Locked).unwrap().is_new());
}

#[test]
fn the_least_recently_used_go_and_those_in_use_stay() {
    let context = Context::new();
    let store = context.open();
    let fill = |id: &str| {
        tick();
        let mut cache = store
            .cache_mount(id, Sharing::Shared, &mut |_| unreachable!())
            .unwrap()
            .unwrap();
        fs::write(cache.path().join("f"), vec![1; 100_000]).unwrap();
        cache.filled().unwrap();
        cache
    };
    let in_use = fill("in use");
    drop((fill("old"), fill("new")));
    let policy = GcPolicy {
        max_cache_bytes: Some(250_000),
        ..GcPolicy::default()
    };
    let report = store.gc(&policy).unwrap();
    assert_eq!(report.removed, 1);
    let left = || {
        store
            .df()
            .unwrap()
            .caches
            .into_iter()
            .map(|cache| cache.id)
            .collect::<Vec<_>>()
    };
    assert_eq!(left(), ["in use", "new"]);
    let aged = |days: u64| GcPolicy {
        max_cache_age: Some(Duration::from_hours(days * 24)),
        ..GcPolicy::default()
    };
    assert_eq!(store.gc(&aged(1)).unwrap().removed, 0);
    assert_eq!(left(), ["in use", "new"]);
    store
        .gc(&GcPolicy {
            max_cache_bytes: Some(0),
            ..GcPolicy::default()
        })
        .unwrap();
    assert_eq!(left(), ["in use"]);
    drop(in_use);
    store
        .gc(&GcPolicy {
            max_cache_bytes: Some(0),
            ..GcPolicy::default()
        })
        .unwrap();
    assert_eq!(left(), [""; 0]);
    assert!(
        store
            .cache_mount("new", Sharing::Shared, &mut |_| unreachable!())
            .unwrap()
            .unwrap()
            .is_new()
    );
}
