//! `kill -9` at any moment leaves a store that the next process opens.

use std::{thread, time::Duration};

use wharf_store::GcPolicy;

use crate::{
    child,
    context::{Context, tick},
};

/// How many processes are killed. Each is killed a little later than the one before.
const KILLS: u64 = 12;

#[test]
fn killed_writers_leave_nothing_that_is_broken() {
    let context = Context::new();
    for kill in 0..KILLS {
        let mut writer = child::start("write", &context.root());
        thread::sleep(Duration::from_micros(kill * 7571));
        writer.kill();
        let store = context.open();
        let report = store.verify().unwrap();
        assert_eq!(report.damage, [], "after kill {kill}");
        assert_eq!(report.absent, 0);
    }
    assert_ne!(
        context.names("results"),
        [""; 0],
        "something was written in between"
    );
    tick();
    let store = context.open();
    store
        .gc(&GcPolicy {
            max_bytes: Some(0),
            ..GcPolicy::default()
        })
        .unwrap();
    drop(store);
    for directory in [
        "work", "leases", "trash", "trees", "times", "paths", "results", "heads",
    ] {
        assert_eq!(context.names(directory), [""; 0], "{directory}");
    }
    assert_eq!(context.open().records().unwrap().len() as u64, KILLS);
}

#[test]
fn scratch_of_the_dead_is_removed_by_the_next_one() {
    let context = Context::new();
    let mut writer = child::start("write", &context.root());
    thread::sleep(Duration::from_millis(30));
    writer.kill();
    assert_eq!(context.names("leases").len(), 1);
    context.open();
    for _ in 0..200 {
        if context.names("leases").is_empty() && context.names("work").is_empty() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("left: {:?} {:?}", context.names("leases"), context.names("work"));
}

#[test]
fn scratch_of_the_living_stays() {
    let context = Context::new();
    let store = context.open();
    let scratch = store.work_dir().unwrap();
    context.open().gc(&GcPolicy::default()).unwrap();
    assert!(scratch.path().exists());
}
