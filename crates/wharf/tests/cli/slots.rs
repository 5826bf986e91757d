//! What processes on one store share: how many steps run at once.

use std::{
    fs,
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{context::TestContext, outcome::Outcome};

fn start(context: &TestContext, file: &str, dockerfile: &str, args: &[&str]) -> Option<Child> {
    context.write(file, dockerfile);
    let args = [&["-f", file], args].concat();
    let mut command = context.command(context.build_args(&args)?);
    let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    Some(piped.spawn().expect("the binary runs"))
}

fn end(build: Child) -> Outcome {
    Outcome::from(build.wait_with_output().expect("it ends"))
}

#[test]
fn all_processes_together_run_no_more_steps_than_one_may() {
    let context = TestContext::new();
    let builds: Vec<_> = (0..5)
        .filter_map(|number| {
            let step = |part| {
                format!(
                    "RUN --mount=type=cache,id=running,target=/c touch /c/{number}{part} && ls /c > /seen && sleep 0.2 \\\n \
                     && rm /c/{number}{part} && test $(wc -l < /seen) -le 2\n"
                )
            };
            let dockerfile = format!("FROM busybox AS one\n{}FROM busybox AS two\n{}FROM scratch\nCOPY --from=one /seen /one\nCOPY --from=two /seen /two\n", step("a"), step("b"));
            start(&context, &format!("Dockerfile.{number}"), &dockerfile, &["--parallel=2"])
        })
        .collect();
    for build in builds {
        end(build).success();
    }
}

#[test]
fn what_is_reused_needs_no_slot() {
    let context = TestContext::new();
    let reused = "FROM busybox\nRUN echo done > /done\n";
    let Some(first) = context.build(reused, &["--parallel=1"]) else {
        return;
    };
    first.success();
    let waits = "FROM busybox\nRUN --mount=type=cache,id=gate,target=/c touch /c/started && until test -e /c/go; do sleep 0.05; done\n";
    let build = start(&context, "Dockerfile.waits", waits, &["--parallel=1"]).expect("it built");
    let gate = gate(&context);
    let again = context
        .build(reused, &["--parallel=1"])
        .expect("it built")
        .success();
    assert!(again.stderr.contains("0 steps run"), "{}", again.stderr);
    fs::write(gate, "").expect("it is ours");
    end(build).success();
}

/// What opens the gate of a step that has begun.
fn gate(context: &TestContext) -> std::path::PathBuf {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_mins(1) {
        let caches = fs::read_dir(context.store().join("v1/caches"))
            .into_iter()
            .flatten();
        let mut places = caches.flatten().map(|cache| cache.path().join("0"));
        if let Some(place) = places.find(|place| place.join("started").exists()) {
            return place.join("go");
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("the step did not begin");
}
