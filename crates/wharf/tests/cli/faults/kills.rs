//! `kill -9` at two hundred moments: at counted calls of every kind that the store, the sandbox and the exports make, and at any time.

use std::{
    collections::BTreeMap,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use wharf_testkit::tracer::{Call, Moment, Place, Traced, trace};

use super::world::World;
use crate::user::{self, User};

/// How many moments of builds are counted calls, how many of an ordinary user's builds, how many of collections.
const COUNTED: (usize, usize, usize) = (100, 25, 25);

/// How many are at any time.
const AT_ANY_TIME: u32 = 50;

/// Moments of every kind that was seen, spread over all calls of the kind.
fn spread(calls: &BTreeMap<Call, u32>, count: usize) -> Vec<Moment> {
    let each = count.div_ceil(calls.len().max(1)) as u32;
    let of_kind = |(call, total): (&Call, &u32)| {
        let (call, total) = (*call, *total);
        let chosen = each.min(total);
        (0..chosen).map(move |number| Moment {
            call,
            number: 1 + number * total / chosen,
        })
    };
    calls.iter().flat_map(of_kind).collect()
}

/// Kinds of moments, and where they were, of which a sum is made.
#[derive(Debug, Default)]
struct Tally {
    kinds: BTreeMap<Call, u32>,
    in_children: u32,
    missed: u32,
}

impl Tally {
    fn add(&mut self, moment: Moment, seen: &Traced) {
        match seen.killed {
            None => self.missed += 1,
            Some(place) => {
                *self.kinds.entry(moment.call).or_default() += 1;
                self.in_children += u32::from(place == Place::Child);
            }
        }
    }

    /// Threads do not always make the same calls, so some moments may not come.
    #[track_caller]
    fn is_enough(&self, moments: &[Moment]) {
        for moment in moments {
            assert!(
                self.kinds.contains_key(&moment.call),
                "{:?} never came: {self:?}",
                moment.call
            );
        }
        assert!(self.missed as usize <= moments.len() / 5, "{self:?}");
    }
}

/// Kills a command at `count` of its calls, each time in a new world.
fn kill_at_calls(
    count: usize,
    world: impl Fn() -> World,
    args: impl Fn(&World) -> Vec<String>,
    expected: &str,
) -> Option<Tally> {
    let run = |world: &World, moment| {
        let home = world.context.out("");
        let all = home.parent().expect("it lies in the scratch directory");
        trace(&world.context.command(args(world)), all, moment)
    };
    let seen = match run(&world(), None) {
        Ok(seen) => seen,
        Err(reason) => {
            wharf_testkit::skip(&reason);
            return None;
        }
    };
    assert_eq!(seen.code, Some(0), "the command works when it is left alone");
    let moments = spread(&seen.calls, count);
    let mut tally = Tally::default();
    for moment in &moments {
        let world = world();
        let seen = run(&world, Some(*moment)).expect("it was traced before");
        world.goes_on(&format!("{moment:?} {:?}", seen.killed), expected);
        tally.add(*moment, &seen);
    }
    tally.is_enough(&moments);
    Some(tally)
}

/// The digest of the image that a build gives which nothing disturbs.
fn undisturbed() -> Option<String> {
    let world = World::new(None);
    world.args()?;
    Some(world.build().success().digest())
}

fn exporting(world: &World) -> Vec<String> {
    world.exporting_args().expect("the test was not skipped")
}

/// Whether a build with steps runs under a tracer; or that the test is skipped. An ordinary user's needs newuidmap(1), which has no
/// privileges while it is traced.
fn steps_can_be_traced() -> bool {
    let root = user::is_root();
    if !root {
        wharf_testkit::skip("tracing a build with steps needs root");
    }
    root
}

#[test]
fn builds_that_are_killed_at_a_call() {
    if !steps_can_be_traced() {
        return;
    }
    let Some(expected) = undisturbed() else { return };
    let Some(tally) = kill_at_calls(COUNTED.0, || World::new(None), exporting, &expected) else {
        return;
    };
    for call in [
        Call::Write,
        Call::Rename,
        Call::Link,
        Call::Unlink,
        Call::Mount,
        Call::Execute,
    ] {
        assert!(tally.kinds.contains_key(&call), "{call:?} is not among {tally:?}");
    }
    assert!(tally.in_children >= 10, "{tally:?}");
}

#[test]
fn builds_of_an_ordinary_user_that_are_killed_at_a_call() {
    let Some(expected) = undisturbed() else { return };
    let Some(user) = User::with_subordinate_ids() else {
        return;
    };
    let world = || World::new(Some(user.clone()));
    kill_at_calls(COUNTED.1, world, exporting, &expected);
}

#[test]
fn collections_that_are_killed_at_a_call() {
    let Some(expected) = undisturbed() else { return };
    let collection = ["store", "gc", "--max-size", "0"].map(str::to_owned).to_vec();
    let world = || {
        let world = World::new(None);
        world.build().success();
        // Its image has no name any more, and so everything goes.
        world
            .context
            .write("../out/other/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
        world
            .context
            .wharf(["build", "-t", "app", "../out/other"])
            .success();
        world
    };
    kill_at_calls(COUNTED.2, world, |_| collection.clone(), &expected);
}

/// A build that lasts until what it wrote is on its way to the disk.
#[test]
fn builds_that_are_killed_at_a_sync() {
    if !steps_can_be_traced() {
        return;
    }
    let Some(expected) = undisturbed() else { return };
    let world = World::new(None);
    world
        .context
        .write("../out/slow/Dockerfile", "FROM busybox\nRUN sleep 7\n");
    let mut args = world.args().expect("the test was not skipped");
    *args.last_mut().expect("the context") = "../out/slow".to_owned();
    let moment = Moment {
        call: Call::Sync,
        number: 1,
    };
    match trace(&world.context.command(args), &world.context.store(), Some(moment)) {
        Ok(seen) => assert_eq!(seen.killed, Some(Place::Program)),
        Err(reason) => return wharf_testkit::skip(&reason),
    }
    world.goes_on("at the first sync", &expected);
}

#[test]
fn builds_that_are_killed_at_any_time() {
    let Some(expected) = undisturbed() else { return };
    let begin = Instant::now();
    let world = World::new(None);
    world.context.wharf(exporting(&world)).success();
    let whole = begin.elapsed();
    for kill in 0..AT_ANY_TIME {
        let world = World::new(None);
        let mut command = world.context.command(exporting(&world));
        let build = command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut build = build.spawn().expect("the binary runs");
        let pause: Duration = whole * kill / AT_ANY_TIME;
        thread::sleep(pause);
        build.kill().and_then(|()| build.wait()).expect("it is our child");
        world.goes_on(&format!("after {pause:?}"), &expected);
    }
}
