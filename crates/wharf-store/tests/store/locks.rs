//! Locks across processes.

use std::{fs, ops::ControlFlow, thread, time::Duration};

use wharf_store::Waiting;

use crate::{
    child,
    context::{Context, key},
};

/// Gives up at once, and says whom it would have waited for.
fn give_up(seen: &mut Vec<Waiting>) -> impl FnMut(&Waiting) -> ControlFlow<()> {
    |waiting| {
        seen.push(*waiting);
        ControlFlow::Break(())
    }
}

#[test]
fn who_waits_is_told_for_whom() {
    let context = Context::new();
    let store = context.open();
    let holder = child::start("hold", &context.root());
    let mut seen = Vec::new();
    assert!(
        store
            .lock_step(&key("step"), &mut give_up(&mut seen))
            .unwrap()
            .is_none()
    );
    assert_eq!(seen[0].holder, Some(holder.pid()));
    assert!(
        store
            .lock_step(&key("other step"), &mut give_up(&mut Vec::new()))
            .unwrap()
            .is_some()
    );

    let waiter = thread::spawn({
        let store = store.clone();
        move || {
            store
                .lock_step(&key("step"), &mut |_| ControlFlow::Continue(()))
                .unwrap()
        }
    });
    thread::sleep(Duration::from_millis(50));
    assert!(!waiter.is_finished());
    holder.finish();
    assert!(waiter.join().unwrap().is_some());
    assert_eq!(context.names("locks"), [""; 0]);
}

#[test]
fn a_dead_holder_holds_nothing() {
    let context = Context::new();
    let store = context.open();
    let mut holder = child::start("hold", &context.root());
    holder.kill();
    let lock = store
        .lock_step(&key("step"), &mut |waiting| panic!("{waiting:?}"))
        .unwrap();
    assert!(lock.is_some());
}

#[test]
fn handles_of_one_process_exclude_each_other() {
    let context = Context::new();
    let lock = context
        .open()
        .lock_step(&key("step"), &mut |_| unreachable!())
        .unwrap();
    let mut seen = Vec::new();
    assert!(
        context
            .open()
            .lock_step(&key("step"), &mut give_up(&mut seen))
            .unwrap()
            .is_none()
    );
    assert_eq!(seen[0].holder, Some(std::process::id()));
    drop(lock);
    assert!(
        context
            .open()
            .lock_step(&key("step"), &mut |_| unreachable!())
            .unwrap()
            .is_some()
    );
}

#[test]
fn slots_are_counted() {
    let context = Context::new();
    let store = context.open();
    let take = || {
        store
            .lock_slot("steps", 2, &mut |_| ControlFlow::Break(()))
            .unwrap()
    };
    let (first, second) = (take(), take());
    assert!(first.is_some() && second.is_some());
    assert!(take().is_none());
    drop(first);
    assert!(take().is_some());
}

#[test]
fn ten_processes_run_a_step_once() {
    let context = Context::new();
    drop(context.open());
    let builders: Vec<_> = (0..10).map(|_| child::start("build", &context.root())).collect();
    builders.into_iter().for_each(child::Running::finish);
    assert_eq!(fs::read_to_string(context.root().join("runs")).unwrap(), "ran\n");
}
