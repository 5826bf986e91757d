//! The same inputs give the same image; `--reproducible-steps`: steps that run twice give the same files.

use std::{process::Command, thread, time::Duration};

use crate::{
    context::{TestContext, started_by},
    outcome::Outcome,
    user::User,
};

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

/// Several layers, one of which is compressed in parts; steps that can run at once; equal steps on equal trees made of other layers;
/// files with times of their own.
const IMAGE: &str = r#"
    FROM busybox AS one
    RUN mkdir /o && echo x > /o/f && touch -d @77 /o/g
    RUN seq 1 400000 > /o/numbers
    FROM busybox AS two
    RUN mkdir /o
    RUN echo x > /o/f && touch /o/g
    RUN seq 1 400000 > /o/numbers
    RUN true
    RUN true
    FROM busybox
    WORKDIR /w/x
    COPY --chown=7:8 file /w/
    COPY --from=one /o /one
    COPY --from=two /o /two
    COPY --link file /linked/
    COPY <<end /here
    text
    end
    RUN ln /one/f /one/h && rm /one/g && chmod 2755 /w
    LABEL a=b
"#;

/// Builds the image in `context` as `change` wants it; its digest.
fn image(context: &TestContext, args: &[&str], change: impl FnOnce(Command) -> Command) -> Option<String> {
    context.write("Dockerfile", IMAGE);
    context.write("file", "copied");
    context.own_project();
    let fixed = ["-o", "type=image,rewrite-timestamp=true"];
    let args = context.build_args(&[&fixed, args].concat())?;
    let built = Outcome::of(&mut change(context.command(args))).success();
    Some(built.digest())
}

const EPOCH: &[&str] = &["--build-arg", "SOURCE_DATE_EPOCH=1000000000"];

#[test]
fn the_image_is_the_same_wherever_whenever_and_by_whom_it_is_built() {
    let first = TestContext::new();
    let Some(expected) = image(&first, EPOCH, |command| command) else {
        return;
    };
    // Another second, for what has the time in it.
    thread::sleep(Duration::from_millis(1100));
    let same = |found: Option<String>, how: &str| assert_eq!(found.as_ref(), Some(&expected), "{how}");
    same(image(&first, EPOCH, |command| command), "reused");
    let again = [EPOCH, &["--no-cache"]].concat();
    same(image(&first, &again, |command| command), "run again");
    let other = TestContext::new();
    same(
        image(&other, EPOCH, |command| {
            started_by(&["taskset", "--cpu-list", "0"], &command)
        }),
        "another store, one processor",
    );
    let by_environment = TestContext::new();
    let many = ["--parallel=7"];
    let dated = |mut command: Command| {
        command.env("SOURCE_DATE_EPOCH", "1000000000");
        command
    };
    same(
        image(&by_environment, &many, dated),
        "the environment's epoch, seven steps at once",
    );
    for user in [User::with_subordinate_ids()].into_iter().flatten() {
        same(
            image(&TestContext::of(Some(user)), EPOCH, |command| command),
            "rootless",
        );
    }
}
