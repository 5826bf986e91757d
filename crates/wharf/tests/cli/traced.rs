//! A step is reused when what it read is unchanged: what counts, what does not, and what times become.

use std::{collections::BTreeMap, fs, io::Read as _, path::Path, thread, time::Duration};

use wharf_build::exec::SELF_DATED;

use crate::{context::TestContext, outcome::Outcome};

const BADLY_ORDERED: &str = "
    FROM busybox
    WORKDIR /app
    COPY . .
    RUN cat requirements | tr a-z A-Z > /installed
    RUN cat src/* > /compiled
";

fn project() -> TestContext {
    let context = TestContext::new();
    for (path, text) in [
        ("README", "read me"),
        ("requirements", "one"),
        ("src/a", "a"),
        ("src/b", "b"),
    ] {
        context.write(path, text);
    }
    context
}

/// Builds it with what the steps are told to read.
fn build(context: &TestContext) -> Option<Outcome> {
    Some(context.build(BADLY_ORDERED, &["-t", "app"])?.success())
}

/// How many steps ran, as the summary tells it.
#[track_caller]
fn assert_ran(outcome: &Outcome, steps: usize) {
    let said = format!("{steps} step{} run", if steps == 1 { "" } else { "s" });
    assert!(outcome.stderr.contains(&said), "not {said}: {}", outcome.stderr);
}

/// Everything in the project anew, as a checkout would write it.
fn check_out_again(context: &TestContext) {
    // A second later, so that no time is by chance what it was.
    thread::sleep(Duration::from_millis(1100));
    for name in ["README", "requirements", "src/a", "src/b"] {
        let path = context.path(name);
        let bytes = fs::read(&path).expect("it was written");
        fs::remove_file(&path).expect("it is ours");
        fs::write(&path, bytes).expect("it is ours");
    }
}

#[test]
fn a_file_that_nothing_reads_runs_nothing_but_the_copy() {
    let context = project();
    let Some(_) = build(&context) else { return };
    context.write("README", "read me too");
    let again = build(&context).expect("it built");
    assert_ran(&again, 1);
    // What is read runs its reader only.
    context.write("src/a", "A");
    let again = build(&context).expect("it built");
    assert_ran(&again, 2);
    assert_eq!(context.file("app", "compiled"), "Ab");
    // A name more in a listed directory, though it reads as nothing.
    context.write("src/c", "");
    assert_ran(&build(&context).expect("it built"), 2);
}

#[test]
fn a_fresh_checkout_gives_the_image_of_before() {
    let context = project();
    let Some(first) = build(&context) else { return };
    check_out_again(&context);
    let again = build(&context).expect("it built");
    assert_eq!(again.digest(), first.digest(), "{}", again.stderr);
    assert_ran(&again, 0);
}

#[test]
fn unchanged_files_keep_their_times_when_others_change() {
    let context = project();
    let dockerfile = "
        FROM busybox
        COPY . /app
        RUN stat -c '%n %Y' /app/src/a > /times
    ";
    let Some(first) = context.build(dockerfile, &["-t", "app"]) else {
        return;
    };
    first.success();
    let times = context.file("app", "times");
    check_out_again(&context);
    context.write("README", "other");
    let again = context
        .build(dockerfile, &["-t", "app"])
        .expect("it built")
        .success();
    assert_ran(&again, 1);
    assert_eq!(context.file("app", "times"), times);
}

#[test]
fn going_back_finds_the_first_result_and_its_times() {
    let context = project();
    let dockerfile = "
        FROM busybox
        COPY . /app
        RUN stat -c '%n %Y' /app/src/a > /times
    ";
    let build = || context.build(dockerfile, &["-t", "app"]).map(Outcome::success);
    let Some(_) = build() else { return };
    let times = context.file("app", "times");
    thread::sleep(Duration::from_millis(1100));
    context.write("src/a", "longer");
    assert_ran(&build().expect("it built"), 2);
    thread::sleep(Duration::from_millis(1100));
    context.write("src/a", "a");
    // Beside the file that is back there is a change, so that the whole COPY is new.
    context.write("README", "other");
    assert_ran(&build().expect("it built"), 1);
    assert_eq!(context.file("app", "times"), times);
    let shown = context
        .wharf(["run", "app", "stat", "-c", "%n %Y", "/app/src/a"])
        .success();
    assert_eq!(
        shown.stdout, times,
        "the file must have the time that the reused step saw"
    );
}

#[test]
fn a_step_that_ran_again_in_vain_changes_nothing_after_it() {
    let context = project();
    let dockerfile = "
        FROM busybox
        COPY . /app
        RUN cat /app/src/a | cut -c1 > /first
        RUN cat /first > /second
    ";
    let build = || context.build(dockerfile, &["-t", "app"]).map(Outcome::success);
    let Some(_) = build() else { return };
    thread::sleep(Duration::from_millis(1100));
    context.write("src/a", "and more");
    let again = build().expect("it built");
    assert_ran(&again, 2);
    assert!(again.stderr.contains("CACHED"), "{}", again.stderr);
}

#[test]
fn what_is_read_of_bind_mounts_counts_and_nothing_else() {
    let context = project();
    let dockerfile = "
        FROM busybox AS tools
        COPY requirements /tools/list
        COPY README /tools/readme
        FROM busybox
        RUN --mount=type=bind,target=/ctx --mount=type=bind,from=tools,source=/tools,target=/t,rw \\
            cat /ctx/src/a /t/list > /out; echo x > /t/more
    ";
    let build = || context.build(dockerfile, &["-t", "app"]).map(Outcome::success);
    let Some(_) = build() else { return };
    context.write("README", "other");
    assert_ran(&build().expect("it built"), 1);
    context.write("requirements", "two");
    assert_ran(&build().expect("it built"), 3);
    context.write("src/a", "A");
    assert_ran(&build().expect("it built"), 1);
    assert_eq!(context.file("app", "out"), "Atwo");
    // The times of what is mounted are in no image.
    check_out_again(&context);
    assert_ran(&build().expect("it built"), 0);
}

#[test]
fn a_directory_that_appears_at_the_working_directory_counts() {
    let context = project();
    let dockerfile = |copy: &str| {
        format!(
            "FROM busybox\nCOPY {copy} /w\nWORKDIR /w/in\nRUN [ -e there ] && echo yes > /out || echo no > /out\n"
        )
    };
    context.write("one/other", "");
    context.write("two/in/there", "");
    let Some(first) = context.build(&dockerfile("one"), &["-t", "app"]) else {
        return;
    };
    first.success();
    context
        .build(&dockerfile("two"), &["-t", "app"])
        .expect("it built")
        .success();
    assert_eq!(context.file("app", "out"), "yes\n");
}

#[test]
fn reasons_are_told() {
    let context = project();
    let Some(_) = build(&context) else { return };
    context.write("src/c", "c");
    context.write("Dockerfile", BADLY_ORDERED);
    let mut args = context.build_args(&[]).expect("it built before");
    args[1] = "--progress=rawjson".to_owned();
    let told = context.wharf(args).success().stderr;
    let change = r#"{"path":"/app/src","change":"listing","added":["c"],"by":"#;
    assert!(told.contains(change), "{told}");
    assert!(told.contains(r#"{"by":"traced"}"#), "{told}");
}

#[test]
fn reused_steps_can_be_run_again_and_compared() {
    let context = project();
    let Some(_) = build(&context) else { return };
    context.write("README", "other");
    let verified = context
        .build(BADLY_ORDERED, &["--verify-cache"])
        .expect("it built")
        .success();
    // A COPY that ran, and two RUN that were reused, with the WORKDIR before them.
    assert_ran(&verified, 1);
    assert_eq!(verified.count("CACHED"), 3, "{}", verified.stderr);
    let unsound = "FROM busybox\nRUN cat /proc/sys/kernel/random/uuid > /id\n";
    context.build(unsound, &[]).expect("it built").success();
    let found = context.build(unsound, &["--verify-cache=100"]).expect("it built");
    assert_eq!(found.code, 1, "{}", found.stderr);
    assert!(
        found.stderr.contains("1 of 1 differing paths: /id"),
        "{}",
        found.stderr
    );
    assert!(found.stderr.contains("Dockerfile:2"), "{}", found.stderr);
    for wrong in ["0", "101", "some"] {
        let refused = context
            .build(unsound, &[&format!("--verify-cache={wrong}")])
            .expect("it built");
        assert_eq!(refused.code, 2, "{}", refused.stderr);
    }
}

/// The content of every regular file of a tar, by absolute path.
fn contents(tar: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut archive = tar::Archive::new(fs::File::open(tar).expect("it was built"));
    let entries = archive.entries().expect("it is a tar").map(|entry| {
        let mut entry = entry.expect("it is whole");
        let path = format!("/{}", entry.path().expect("a path").display());
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("it is whole");
        (path, bytes)
    });
    entries.collect()
}

#[test]
fn files_that_hold_their_own_date_are_those_that_comparisons_leave_out() {
    let context = TestContext::new();
    context.write(
        "wharf.toml",
        "[base.deb]\napt = \"host\"\nvariant = \"minbase\"\n",
    );
    context.write(
        "Dockerfile",
        "
        FROM deb
        RUN apt-get -qq update && apt-get -qq install -y --no-install-recommends less \\
         && rm -rf /var/lib/apt/lists/* && cp /lib/*/libz.so.1 /usr/local/lib/ && ldconfig
        ",
    );
    let build = |name: &str| {
        let tar = context.out(name);
        let output = format!("type=tar,dest={}", tar.display());
        let built = context.wharf(["build", "--no-cache", "-o", &output, "."]);
        (built.code != 3).then(|| drop(built.success()))?;
        Some(contents(&tar))
    };
    let Some(first) = build("first.tar") else {
        wharf_testkit::skip("no base can be made of this machine's packages");
        return;
    };
    thread::sleep(Duration::from_millis(1100));
    let second = build("second.tar").expect("it built before");
    let differ = first
        .iter()
        .filter(|(path, bytes)| second.get(*path) != Some(bytes));
    let differ: Vec<&str> = differ.map(|(path, _)| &path[..]).collect();
    assert_eq!(differ, SELF_DATED);
}
