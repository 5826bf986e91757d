//! Cache mounts that several builds want at once, and what becomes of them.

use std::{
    process::{Child, Stdio},
    thread,
    time::Duration,
};

use crate::{context::TestContext, outcome::Outcome};

fn start(context: &TestContext, file: &str, step: &str) -> Option<Child> {
    context.write(file, &format!("FROM busybox\n{step}\n"));
    let mut command = context.command(context.build_args(&["--parallel=4", "-f", file])?);
    let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    Some(piped.spawn().expect("the binary runs"))
}

fn both_succeed(steps: [&str; 2]) {
    let context = TestContext::new();
    let files = ["Dockerfile.one", "Dockerfile.two"];
    let builds: Vec<_> = files
        .iter()
        .zip(steps)
        .filter_map(|(file, step)| {
            let build = start(&context, file, step);
            thread::sleep(Duration::from_millis(20));
            build
        })
        .collect();
    for build in builds {
        Outcome::from(build.wait_with_output().expect("it ends")).success();
    }
}

#[test]
fn a_locked_cache_is_one_steps_at_a_time() {
    let step =
        "RUN --mount=type=cache,id=one,sharing=locked,target=/c mkdir /c/mine && sleep 0.3 && rmdir /c/mine";
    both_succeed([&format!("{step} # first"), &format!("{step} # second")]);
}

/// Says `$1` in a cache that both share, and waits until the other has said `$2`.
const MEET: &str = "meet() { touch /said/$1; n=0; until test -e /said/$2; do n=$((n+1)); test $n -lt 600 || exit 1; sleep 0.05; done; }";

#[test]
fn a_private_cache_is_nobody_elses_meanwhile() {
    let step = |me: &str, other: &str| {
        format!(
            "RUN --mount=type=cache,id=said,target=/said --mount=type=cache,id=own,sharing=private,target=/c {MEET}; \
             echo {me} > /c/file && meet {me} {other} && test $(cat /c/file) = {me}"
        )
    };
    both_succeed([&step("gull", "tern"), &step("tern", "gull")]);
}

#[test]
fn a_shared_cache_is_everybodys() {
    let step = |me: &str, other: &str| {
        format!("RUN --mount=type=cache,id=said,sharing=shared,target=/said {MEET}; meet {me} {other}")
    };
    both_succeed([&step("gull", "tern"), &step("tern", "gull")]);
}

#[test]
fn caches_are_shown_one_by_one_and_have_a_cap_of_their_own() {
    let context = TestContext::new();
    let dockerfile = "FROM busybox\nRUN --mount=type=cache,id=big,target=/c head -c 3000000 /dev/zero > /c/file\nRUN --mount=type=cache,id=small,target=/c touch /c/file\n";
    let Some(built) = context.build(dockerfile, &[]) else {
        return;
    };
    built.success();
    let shown = || {
        let shown = context.wharf(["store", "df", "--json"]).success().json();
        let caches = shown["caches"].as_array().cloned().unwrap_or_default();
        for cache in &caches {
            let used: jiff::Timestamp = cache["last-use"]
                .as_str()
                .and_then(|used| used.parse().ok())
                .expect("a time");
            assert!(used <= jiff::Timestamp::now(), "{cache}");
        }
        let ids = caches
            .iter()
            .map(|cache| cache["id"].as_str().unwrap_or_default().to_owned());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(shown(), ["big", "small"]);
    let text = context.wharf(["store", "df"]).success().stdout;
    let line = text.lines().find(|line| line.starts_with("cache big"));
    assert!(
        line.is_some_and(|line| line.contains("MiB") && line.contains("last used 2")),
        "{text}"
    );
    context.wharf(["store", "gc"]).success();
    assert_eq!(shown(), ["big", "small"], "both were used today");
    context.wharf(["store", "gc", "--max-cache-size", "1m"]).success();
    assert_eq!(shown(), ["small"], "the least recently used goes first");
    let again = context.build(dockerfile, &[]).expect("it built").success();
    assert!(again.stderr.contains("0 steps run"), "{}", again.stderr);
    context.wharf(["store", "gc", "--caches"]).success();
    assert_eq!(shown(), [""; 0]);
}

#[test]
fn two_steps_that_lock_the_same_caches_take_turns() {
    let context = TestContext::new();
    let lock = |id: &str, target: &str| format!("--mount=type=cache,sharing=locked,id={id},target={target}");
    let step = |one: &str, other: &str| format!("RUN {} {} sleep 0.2\n", lock(one, "/1"), lock(other, "/2"));
    let dockerfile = format!(
        "FROM busybox AS a\n{}FROM busybox AS b\n{}FROM busybox\nCOPY --from=a /etc/passwd /a\nCOPY --from=b /etc/passwd /b\nRUN {} {} touch /1/x && test -e /2/x\n",
        step("x", "y"),
        step("y", "x"),
        lock("x", "/1"),
        lock("x", "/2"),
    );
    if let Some(built) = context.build(&dockerfile, &[]) {
        built.success();
    }
}
