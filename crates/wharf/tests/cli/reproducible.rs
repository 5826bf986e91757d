//! `--reproducible-steps`: steps that run twice give the same files.

use std::{thread, time::Duration};

use crate::context::TestContext;

/// Every step here gives other files each time, unless it is given the variables.
const DOCKERFILE: &str = r#"
    FROM dev
    WORKDIR /app
    RUN echo 'WORDS = {"a", "b", "c"}' > words.py && python3 -c 'import words'
    RUN mkdir py && echo 'HERE = 1' > py/one.py && python3 -m compileall -q py
    RUN python3 -c 'print({"a", "b", "c", "d", "e", "f"})' > set
    RUN echo 'char *when(void) { return __DATE__ __TIME__; }' > when.c && gcc -c when.c
"#;

const BASE: &str = "[base.dev]\napt = \"host\"\nvariant = \"minbase\"\npackages = [\"gcc\", \"libc6-dev\", \"make\", \"python3\"]\n";

#[test]
fn steps_that_run_again_give_the_same_files() {
    let context = TestContext::new();
    context.write("wharf.toml", BASE);
    context.write("Dockerfile", DOCKERFILE);
    let build = |args: &[&str]| context.wharf([&["build", "--progress=plain", "."], args].concat());
    if build(&["--reproducible-steps"]).code == 3 {
        wharf_testkit::skip("no base can be made of this machine's packages");
        return;
    }
    // Another second, for what has the time in it.
    thread::sleep(Duration::from_millis(1100));
    let same = build(&["--reproducible-steps", "--verify-cache"]);
    assert_eq!(same.count("CACHED"), 5, "{}", same.stderr);
    same.success();
    // What steps are given is in their keys, so these are others; and they differ.
    let other = build(&[]).success();
    assert!(other.stderr.contains("4 steps run"), "{}", other.stderr);
    thread::sleep(Duration::from_millis(1100));
    build(&["--verify-cache"]).exits(1).says("differing paths");
}

#[test]
fn a_step_can_see_them_and_the_image_has_none() {
    let context = TestContext::new();
    let dockerfile = "FROM busybox\nENV PYTHONHASHSEED=3\nRUN env > /seen\n";
    let args = ["--reproducible-steps", "-t", "seen"];
    let Some(built) = context.build(dockerfile, &args) else {
        return;
    };
    built.success();
    let seen = context.file("seen", "/seen");
    let set: Vec<_> = seen.lines().collect();
    assert!(set.contains(&"SOURCE_DATE_EPOCH=315532800"), "{seen}");
    assert!(set.contains(&"PYTHONHASHSEED=3"), "{seen}");
    let config = context.inspect("seen", "/config");
    assert!(config.contains("PYTHONHASHSEED=3"), "{config}");
    assert!(!config.contains("SOURCE_DATE_EPOCH"), "{config}");
}
