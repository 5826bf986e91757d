//! Building again: what is reused, and that the digest shows it.

use std::{fs, thread, time::Duration};

use crate::context::TestContext;

const DOCKERFILE: &str =
    "FROM busybox\nCOPY used /used\nRUN cat /proc/sys/kernel/random/uuid > /id\nRUN cat /used > /copied\n";

#[test]
fn nothing_changed_means_nothing_runs_and_the_same_digest() {
    let context = TestContext::new();
    context.write("used", "1");
    let Some(first) = context.build(DOCKERFILE, &["-t", "a"]) else {
        return;
    };
    let first = first.success().digest();
    // A later second must not show anywhere.
    thread::sleep(Duration::from_millis(1100));
    let again = context
        .build(DOCKERFILE, &["-t", "a"])
        .expect("it built")
        .success();
    assert_eq!(again.digest(), first);
    assert!(again.stderr.contains("0 steps run"), "{}", again.stderr);
    assert_eq!(again.count("CACHED"), 3, "{}", again.stderr);
}

#[test]
fn a_change_that_nothing_takes_changes_nothing() {
    let context = TestContext::new();
    context.write("used", "1");
    context.write("unused", "1");
    let Some(first) = context.build(DOCKERFILE, &[]) else {
        return;
    };
    let first = first.success().digest();
    context.write("unused", "2");
    context.write("new/file", "3");
    // The same content written anew has another time, which is not part of a COPY's key.
    fs::remove_file(context.path("used")).expect("the file is there");
    context.write("used", "1");
    let again = context.build(DOCKERFILE, &[]).expect("it built").success();
    assert_eq!(again.digest(), first, "{}", again.stderr);
    assert!(again.stderr.contains("0 steps run"), "{}", again.stderr);
}

#[test]
fn a_changed_file_runs_what_comes_after_it() {
    let context = TestContext::new();
    context.write("used", "1");
    let dockerfile = "FROM busybox\nRUN echo before\nCOPY used /used\nRUN cat /used\n";
    let Some(first) = context.build(dockerfile, &[]) else {
        return;
    };
    let first = first.success().digest();
    context.write("used", "2");
    let again = context.build(dockerfile, &[]).expect("it built").success();
    assert_ne!(again.digest(), first);
    assert!(again.stderr.contains("2 steps run"), "{}", again.stderr);
    // Back to what was there before: reused, and the image of before.
    context.write("used", "1");
    let back = context.build(dockerfile, &[]).expect("it built").success();
    assert_eq!(back.digest(), first);
}

#[test]
fn flags_that_forbid_reuse() {
    let context = TestContext::new();
    context.write("used", "1");
    let dockerfile =
        "FROM busybox AS one\nRUN echo a\nFROM busybox AS two\nRUN echo b\nCOPY --from=one /etc/passwd /p\n";
    let Some(first) = context.build(dockerfile, &[]) else {
        return;
    };
    first.success();
    let runs = |args: &[&str]| {
        let built = context.build(dockerfile, args).expect("it built").success();
        ["echo a", "echo b"].map(|step| {
            let line = built
                .stderr
                .lines()
                .position(|line| line.contains(step))
                .expect("the step's title");
            !built
                .stderr
                .lines()
                .nth(line + 1)
                .is_some_and(|next| next.contains("CACHED"))
        })
    };
    assert_eq!(runs(&[]), [false, false]);
    assert_eq!(runs(&["--no-cache-filter", "one"]), [true, false]);
    assert_eq!(runs(&["--no-cache", "--parallel", "1"]), [true, true]);
}

#[test]
fn a_build_argument_matters_where_it_is_declared() {
    let context = TestContext::new();
    let dockerfile = "FROM busybox\nRUN echo before\nARG V\nRUN echo after $V\n";
    let Some(first) = context.build(dockerfile, &["--build-arg", "V=1"]) else {
        return;
    };
    first.success();
    let again = context
        .build(dockerfile, &["--build-arg", "V=2"])
        .expect("it built");
    assert_eq!(again.success().count("CACHED"), 1);
}

#[test]
fn the_last_epoch_wins_over_the_clock() {
    let args = [
        "--build-arg",
        "SOURCE_DATE_EPOCH=86400",
        "-o",
        "type=image,rewrite-timestamp=true",
        "-t",
        "dated",
    ];
    let digest = || {
        let context = TestContext::new();
        let built = context.build("FROM busybox\nRUN echo 1 > /a\n", &args)?;
        let digest = built.success().digest();
        assert_eq!(
            context.inspect("dated", "/config/created"),
            "1970-01-02T00:00:00Z"
        );
        Some(digest)
    };
    let Some(first) = digest() else { return };
    thread::sleep(Duration::from_millis(1100));
    assert_eq!(digest(), Some(first));
}
