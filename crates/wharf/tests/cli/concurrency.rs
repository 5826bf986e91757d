//! Several processes on one store.

use std::process::Stdio;

use crate::{context::TestContext, outcome::Outcome};

#[test]
fn ten_builds_of_one_dockerfile_run_each_step_once() {
    let context = TestContext::new();
    context.write(
        "Dockerfile",
        "FROM busybox\nRUN sleep 1; cat /proc/sys/kernel/random/uuid > /id\nRUN cat /proc/sys/kernel/random/uuid >> /id\n",
    );
    let Some(args) = context.build_args(&[]) else {
        return;
    };
    let start = || {
        let mut command = context.command(&args);
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs")
    };
    let builds = [(); 10].map(|()| start());
    let outcomes = builds.map(|build| Outcome::from(build.wait_with_output().expect("it ends")).success());
    let digests: Vec<_> = outcomes.iter().map(Outcome::digest).collect();
    assert!(
        digests.iter().all(|digest| *digest == digests[0]),
        "{outcomes:#?}"
    );
    let reused: usize = outcomes.iter().map(|outcome| outcome.count("CACHED")).sum();
    assert_eq!(reused, 18, "two steps, ten builds: {outcomes:#?}");
}

#[test]
fn builds_of_different_things_do_not_disturb_each_other() {
    let context = TestContext::new();
    let builds: Vec<_> = (0..4)
        .filter_map(|number| {
            let file = format!("Dockerfile.{number}");
            context.write(&file, &format!("FROM busybox\nRUN echo {number} > /a\n"));
            let mut command = context.command(context.build_args(&["-f", &file])?);
            Some(
                command
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()
                    .expect("the binary runs"),
            )
        })
        .collect();
    for build in builds {
        Outcome::from(build.wait_with_output().expect("it ends")).success();
    }
    context.wharf(["store", "gc", "--max-size", "1k"]).success();
}
