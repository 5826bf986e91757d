//! The solver against a fake world: order, parallelism, failure, cancellation, equal steps.

use std::{
    collections::{HashMap, HashSet},
    num::NonZeroUsize,
    sync::{
        Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, ThreadId},
    time::Duration,
};

use wharf_graph::{
    Graph, MkdirOp, Op, Reusable, Source, Step, StepId,
    event::{Event, Reuse},
    key::ExactKey,
};
use wharf_oci::{Digest, Platform};

use crate::{
    Cache, Cancel, Executor, Failure, Hit, Limits, Lookup, Miss, Observer, Solution, SolveError, StepError,
    Task, solve,
};

/// One step of a test's graph: its name, and the numbers of its inputs.
type Line<'a> = (&'a str, &'a [u32]);

fn graph(lines: &[Line<'_>]) -> Graph {
    let step = |(index, (name, inputs)): (usize, &Line<'_>)| Step {
        id: StepId(index as u32),
        op: if inputs.is_empty() {
            Op::Source(Source::Base((*name).to_owned()))
        } else {
            Op::Mkdir(MkdirOp {
                path: (*name).to_owned(),
                owner: String::new(),
                mtime: None,
            })
        },
        inputs: inputs.iter().copied().map(StepId).collect(),
        platform: Platform::host(),
        name: (*name).to_owned(),
        origin: None,
        reuse: if name.contains("fresh") {
            Reusable::No
        } else {
            Reusable::Yes
        },
    };
    Graph {
        steps: lines.iter().enumerate().map(step).collect(),
        targets: Vec::new(),
    }
}

#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("it broke")]
    Broke(#[source] Box<Fault>),
    #[error("exit code {0}")]
    Exit(i32),
    #[error("stopped")]
    Stopped,
}

impl StepError for Fault {
    fn is_interruption(&self) -> bool {
        matches!(self, Self::Stopped)
    }

    fn exit_code(&self) -> Option<i32> {
        matches!(self, Self::Broke(_)).then_some(7)
    }
}

/// A step's output is its name applied to its inputs. Names say what happens: `fail…` fails, `slow…` waits for the cancellation,
/// `meet…` waits until all such steps run at once, `here…` is at hand; what stands before a `#` is the key.
#[derive(Default)]
struct World {
    runs: Mutex<Vec<String>>,
    threads: Mutex<HashSet<ThreadId>>,
    running: AtomicUsize,
    most_running: AtomicUsize,
    meeting: (Mutex<usize>, Condvar),
    meet: usize,
    results: Mutex<HashMap<ExactKey, String>>,
    events: Mutex<Vec<Event>>,
}

impl World {
    fn meeting(count: usize) -> Self {
        Self {
            meet: count,
            ..Self::default()
        }
    }

    fn wait_for_others(&self) {
        let (count, changed) = &self.meeting;
        let mut count = count.lock().unwrap();
        *count += 1;
        changed.notify_all();
        let patience = Duration::from_secs(30);
        let (count, _) = changed
            .wait_timeout_while(count, patience, |count| *count < self.meet)
            .unwrap();
        assert!(*count >= self.meet, "the others did not come");
    }

    fn runs(&self) -> Vec<String> {
        let mut runs = self.runs.lock().unwrap().clone();
        runs.sort();
        runs
    }
}

impl Executor for World {
    type Output = String;
    type Error = Fault;

    fn key(&self, task: &Task<'_, String>) -> Result<Option<ExactKey>, Fault> {
        let name = task.step.name.split('#').next().unwrap_or_default();
        let text = format!("{name}({})", task.inputs.join(","));
        Ok(Some(ExactKey(Digest::of(text.as_bytes()))))
    }

    fn at_hand(&self, task: &Task<'_, String>) -> Result<Option<String>, Fault> {
        self.threads.lock().unwrap().insert(thread::current().id());
        let name = task.step.name.as_str();
        Ok(name.contains("here").then(|| format!("{name}()")))
    }

    fn run(&self, task: &Task<'_, String>) -> Result<String, Fault> {
        self.threads.lock().unwrap().insert(thread::current().id());
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_running.fetch_max(running, Ordering::SeqCst);
        let name = task.step.name.as_str();
        self.runs.lock().unwrap().push(name.to_owned());
        if name.contains("meet") {
            self.wait_for_others();
        }
        if name.contains("slow") {
            let (sender, receiver) = std::sync::mpsc::channel();
            let _hook = task.cancel.on_cancel(move || {
                let _ = sender.send(());
            });
            receiver
                .recv_timeout(Duration::from_secs(30))
                .expect("nobody cancelled");
        }
        self.running.fetch_sub(1, Ordering::SeqCst);
        match name {
            _ if name.contains("slow") => Err(Fault::Stopped),
            _ if name.contains("fail") => Err(Fault::Broke(Box::new(Fault::Exit(7)))),
            _ => Ok(format!(
                "{}({})",
                name.split('#').next().unwrap_or_default(),
                task.inputs.join(",")
            )),
        }
    }
}

impl Cache for World {
    type Output = String;
    type Error = Fault;
    type Ticket = ();

    fn look_up(&self, task: &Task<'_, String>, key: ExactKey) -> Result<Lookup<String, ()>, Fault> {
        let found = self.results.lock().unwrap().get(&key).cloned();
        Ok(match found.filter(|_| task.step.reuse == Reusable::Yes) {
            Some(output) => Lookup::Hit(Hit {
                output,
                reuse: Reuse::Exact,
                saved: None,
            }),
            None => Lookup::Miss(Miss {
                ticket: (),
                reason: None,
            }),
        })
    }

    fn keep(&self, _: &Task<'_, String>, key: ExactKey, (): (), output: String) -> Result<String, Fault> {
        self.results.lock().unwrap().insert(key, output.clone());
        Ok(output)
    }
}

impl Observer for World {
    fn observe(&self, event: Event) {
        self.events.lock().unwrap().push(event);
    }
}

fn limits(count: usize) -> Limits {
    let count = NonZeroUsize::new(count).unwrap();
    Limits {
        steps: count,
        sources: count,
    }
}

fn run(
    world: &World,
    lines: &[Line<'_>],
    wanted: u32,
    count: usize,
) -> Result<Solution<String>, SolveError<Fault>> {
    let graph = graph(lines);
    solve(
        &graph,
        &[StepId(wanted)],
        limits(count),
        world,
        world,
        world,
        &Cancel::new(),
    )
}

const DIAMOND: &[Line<'_>] = &[
    ("base", &[]),
    ("left", &[0]),
    ("right", &[0]),
    ("unneeded", &[0]),
    ("end", &[1, 2]),
];

#[test]
fn inputs_come_first_and_only_what_is_needed_runs() {
    for count in [1, 2, 8] {
        let world = World::default();
        let solution = run(&world, DIAMOND, 4, count).unwrap();
        assert_eq!(
            solution.output(StepId(4)).unwrap(),
            "end(left(base()),right(base()))"
        );
        assert_eq!(solution.output(StepId(3)), None);
        assert_eq!(world.runs(), ["base", "end", "left", "right"]);
    }
}

#[test]
fn a_second_solve_runs_nothing() {
    let world = World::default();
    run(&world, DIAMOND, 4, 2).unwrap();
    world.runs.lock().unwrap().clear();
    run(&world, DIAMOND, 4, 2).unwrap();
    assert_eq!(world.runs(), [""; 0]);
}

#[test]
fn steps_that_may_not_be_reused_run_again_once() {
    let world = World::default();
    let lines: &[Line<'_>] = &[
        ("base", &[]),
        ("fresh", &[0]),
        ("fresh#again", &[0]),
        ("end", &[1, 2]),
    ];
    run(&world, lines, 3, 1).unwrap();
    world.runs.lock().unwrap().clear();
    run(&world, lines, 3, 1).unwrap();
    assert_eq!(world.runs().len(), 1, "{:?}", world.runs());
}

#[test]
fn independent_steps_run_at_once_up_to_the_limit() {
    let lines: &[Line<'_>] = &[
        ("base", &[]),
        ("meet1", &[0]),
        ("meet2", &[0]),
        ("meet3", &[0]),
        ("end", &[1, 2, 3]),
    ];
    let world = World::meeting(3);
    run(&world, lines, 4, 3).unwrap();
    assert_eq!(world.most_running.load(Ordering::SeqCst), 3);

    let lines: &[Line<'_>] = &[
        ("base", &[]),
        ("1", &[0]),
        ("2", &[0]),
        ("3", &[0]),
        ("end", &[1, 2, 3]),
    ];
    let world = World::default();
    run(&world, lines, 4, 1).unwrap();
    assert_eq!(world.most_running.load(Ordering::SeqCst), 1);
}

#[test]
fn sources_do_not_take_the_places_of_steps() {
    let lines: &[Line<'_>] = &[
        ("base", &[]),
        ("meet source", &[]),
        ("meet step", &[0]),
        ("end", &[1, 2]),
    ];
    let world = World::meeting(2);
    run(&world, lines, 3, 1).unwrap();
}

#[test]
fn equal_steps_run_once() {
    let lines: &[Line<'_>] = &[
        ("base", &[]),
        ("make#a", &[0]),
        ("make#b", &[0]),
        ("make#c", &[0]),
        ("end", &[1, 2, 3]),
    ];
    for count in [1, 4] {
        let world = World::default();
        let solution = run(&world, lines, 4, count).unwrap();
        let made = "make(base())";
        assert_eq!(
            solution.output(StepId(4)).unwrap(),
            &format!("end({made},{made},{made})")
        );
        assert_eq!(world.runs().len(), 3, "{:?}", world.runs());
        let same = |event: &&Event| {
            matches!(
                event,
                Event::StepCached {
                    reason: Reuse::SameAs { .. },
                    ..
                }
            )
        };
        assert_eq!(world.events.lock().unwrap().iter().filter(same).count(), 2);
    }
}

#[test]
fn the_longest_way_goes_first() {
    let lines: &[Line<'_>] = &[
        ("base", &[]),
        ("short", &[0]),
        ("long", &[0]),
        ("longer", &[2]),
        ("longest", &[3]),
        ("end", &[1, 4]),
    ];
    let world = World::default();
    run(&world, lines, 5, 1).unwrap();
    assert_eq!(
        *world.runs.lock().unwrap(),
        ["base", "long", "longer", "short", "longest", "end"]
    );
}

#[test]
fn a_failure_stops_the_rest() {
    let lines: &[Line<'_>] = &[
        ("base", &[]),
        ("slow meet", &[0]),
        ("fail meet", &[0]),
        ("after", &[2]),
        ("end", &[1, 3]),
    ];
    let world = World::meeting(2);
    let Err(SolveError::Failed(failures)) = run(&world, lines, 4, 2) else {
        panic!("it did not fail")
    };
    let [
        Failure {
            step: StepId(2),
            error: Fault::Broke(_),
        },
    ] = &failures[..]
    else {
        panic!("{failures:?}")
    };
    assert_eq!(world.runs(), ["base", "fail meet", "slow meet"]);
    let events = world.events.lock().unwrap();
    assert!(events.contains(&Event::StepInterrupted { step: StepId(1) }));
    assert!(events.contains(&Event::StepFailed {
        step: StepId(2),
        causes: vec!["it broke".to_owned(), "exit code 7".to_owned()],
        exit_code: Some(7),
    }));
}

#[test]
fn failures_at_once_are_all_told() {
    let lines: &[Line<'_>] = &[
        ("base", &[]),
        ("fail meet 1", &[0]),
        ("fail meet 2", &[0]),
        ("end", &[1, 2]),
    ];
    let world = World::meeting(2);
    let Err(SolveError::Failed(failures)) = run(&world, lines, 3, 2) else {
        panic!("it did not fail")
    };
    assert_eq!(failures.len(), 2);
}

#[test]
fn cancelling_ends_what_runs_and_starts_nothing() {
    let world = World::default();
    let cancel = Cancel::new();
    let graph = graph(&[("base", &[]), ("slow", &[0]), ("after", &[1])]);
    let result = std::thread::scope(|scope| {
        scope.spawn(|| {
            while world.running.load(Ordering::SeqCst) == 0 || world.runs().len() < 2 {
                std::thread::yield_now();
            }
            cancel.cancel();
        });
        solve(&graph, &[StepId(2)], limits(2), &world, &world, &world, &cancel)
    });
    assert!(matches!(result, Err(SolveError::Interrupted)));
    assert_eq!(world.runs(), ["base", "slow"]);
    let cancelled = solve(&graph, &[StepId(2)], limits(2), &world, &world, &world, &cancel);
    assert!(matches!(cancelled, Err(SolveError::Interrupted)));
}

#[test]
fn ends_are_told_before_the_starts_that_they_allow() {
    let world = World::default();
    let lines: &[Line<'_>] = &[
        ("base", &[]),
        ("make#a", &[0]),
        ("make#b", &[0]),
        ("x", &[1]),
        ("y", &[2]),
        ("end", &[3, 4]),
    ];
    let graph = graph(lines);
    solve(
        &graph,
        &[StepId(5)],
        limits(4),
        &world,
        &world,
        &world,
        &Cancel::new(),
    )
    .unwrap();
    let mut ended = Vec::new();
    for event in world.events.lock().unwrap().iter() {
        match event {
            Event::StepStarted { step, .. } => {
                for input in &graph.step(*step).inputs {
                    assert!(ended.contains(input), "{input:?} before {step:?}");
                }
            }
            Event::StepFinished { step } | Event::StepCached { step, .. } => ended.push(*step),
            _ => {}
        }
    }
}

/// A panic in a step must reach the caller instead of leaving the other workers waiting.
#[test]
fn a_panic_is_passed_on() {
    struct Panics;
    impl Executor for Panics {
        type Output = String;
        type Error = Fault;
        fn key(&self, _: &Task<'_, String>) -> Result<Option<ExactKey>, Fault> {
            Ok(None)
        }
        fn run(&self, task: &Task<'_, String>) -> Result<String, Fault> {
            assert!(task.step.name != "panic", "as told");
            Ok(String::new())
        }
    }
    let graph = graph(&[("base", &[]), ("panic", &[0]), ("x", &[0]), ("end", &[1, 2])]);
    let world = World::default();
    let result = std::panic::catch_unwind(|| {
        let cache = crate::NoCache::<Panics>::new();
        solve(
            &graph,
            &[StepId(3)],
            limits(2),
            &Panics,
            &cache,
            &world,
            &Cancel::new(),
        )
        .is_ok()
    });
    assert!(result.is_err());
}

#[test]
fn what_is_at_hand_starts_no_thread() {
    let world = World::default();
    let lines: &[Line<'_>] = &[
        ("here1", &[]),
        ("here2", &[]),
        ("here3", &[]),
        ("all", &[0, 1, 2]),
    ];
    let outputs = run(&world, lines, 3, 4).unwrap().outputs;
    assert_eq!(outputs[3].as_deref(), Some("all(here1(),here2(),here3())"));
    // The last is alone, and done like any other.
    assert_eq!(world.runs(), ["all", "here3"]);
    assert_eq!(world.threads.lock().unwrap().len(), 1);
    let events = world.events.lock().unwrap();
    let ended = |step| {
        events
            .iter()
            .filter(|event| matches!(event, Event::StepFinished { step: ended } if *ended == StepId(step)))
            .count()
    };
    assert_eq!([0, 1, 2, 3].map(ended), [1; 4]);
}
