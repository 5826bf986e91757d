//! Ctrl-C and `kill -9` in the middle of a step: nothing stays behind, and the next build works.

use std::{
    fs,
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{context::TestContext, outcome::Outcome};

/// A build in the middle of a step that would last for an hour.
struct Stuck {
    context: TestContext,
    build: Child,
    /// The argument by which the step's process is known among all others.
    mark: String,
}

impl Stuck {
    fn start(mark: u32) -> Option<Self> {
        let context = TestContext::new();
        // No other process of this machine sleeps for just so long.
        let mark = format!("{}.{mark}", 3600 + std::process::id());
        let dockerfile =
            format!("FROM busybox\nRUN echo begun > /a\nRUN --mount=type=cache,target=/c sleep {mark}\n");
        context.write("Dockerfile", &dockerfile);
        let mut command = context.command(context.build_args(&[])?);
        let build = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let stuck = Self { context, build, mark };
        assert!(soon(|| stuck.steps() > 0), "the step never began");
        Some(stuck)
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.build);
        kill_process(pid, signal).expect("the build still runs");
    }

    /// How many processes of the step there are.
    fn steps(&self) -> usize {
        let processes = fs::read_dir("/proc").expect("proc is mounted").flatten();
        let lines = processes.filter_map(|process| fs::read_to_string(process.path().join("cmdline")).ok());
        lines
            .filter(|line| line.starts_with("sleep\0") && line.contains(&self.mark))
            .count()
    }

    fn end(mut self) -> (TestContext, Outcome) {
        let mark = std::mem::take(&mut self.mark);
        let output = self
            .build
            .wait_with_output()
            .expect("the build can be waited for");
        let gone = Self {
            context: self.context,
            build: std::process::Command::new("true").spawn().expect("true runs"),
            mark,
        };
        assert!(soon(|| gone.steps() == 0), "the step still runs");
        let Self {
            context, mut build, ..
        } = gone;
        build.wait().expect("true ends");
        (context, Outcome::from(output))
    }
}

/// Waits until it is so.
fn soon(is_so: impl Fn() -> bool) -> bool {
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(20) {
        if is_so() {
            return true;
        }
        thread::sleep(Duration::from_millis(10));
    }
    false
}

/// Nothing is mounted in the store, and a build in it reuses what was done and goes on.
fn goes_on(context: &TestContext) {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("proc is mounted");
    let store = context.store().display().to_string();
    assert!(!mounts.contains(&store), "{mounts}");
    let built = context
        .build(
            "FROM busybox\nRUN echo begun > /a\nRUN --mount=type=cache,target=/c true\n",
            &[],
        )
        .expect("steps ran before");
    let built = built.success();
    assert_eq!(built.count("CACHED"), 1, "{}", built.stderr);
    let left = fs::read_dir(context.store().join("v1/work")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "scratch directories of builds that are gone");
    context.wharf(["store", "verify"]).success();
}

#[test]
fn a_first_interrupt_stops_the_build_in_good_order() {
    for (mark, signal) in [(1, Signal::INT), (2, Signal::TERM)] {
        let Some(stuck) = Stuck::start(mark) else { return };
        stuck.signal(signal);
        let (context, outcome) = stuck.end();
        outcome.exits(130).says("interrupted");
        goes_on(&context);
        let history = context.wharf(["history"]).success();
        assert!(history.stdout.contains("interrupted"), "{}", history.stdout);
    }
}

#[test]
fn a_build_that_is_killed_leaves_nothing_running_or_mounted() {
    let Some(stuck) = Stuck::start(3) else { return };
    stuck.signal(Signal::KILL);
    let (context, outcome) = stuck.end();
    outcome.exits(137);
    goes_on(&context);
    let history = context.wharf(["history"]).success();
    assert!(history.stdout.contains("cut off"), "{}", history.stdout);
}
