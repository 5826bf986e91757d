//! What may go wrong with the machine: a boot that ended unclean, full disks, a root that is taken away, steps that fail or leave
//! something running.

use std::{collections::BTreeMap, fs, io::Read as _, path::Path, process::Command};

use super::is_heavy;
use crate::{
    context::{TestContext, files},
    outcome::Outcome,
    user::User,
};

/// Every kind of work that writes to the store: a context, a copy, steps that make, remove and link, a stage, a cache.
const DOCKERFILE: &str = "
    FROM busybox AS one
    WORKDIR /w
    COPY a b ./
    RUN cat a b > c && ln c d && rm a && mkdir -p e/f && echo x > e/f/g
    RUN --mount=type=cache,target=/cache echo y > /cache/z && cat c > h
    FROM busybox
    COPY --from=one /w /w
    COPY dir /dir
    RUN cat /w/h /dir/* > /last
";

/// A project on an empty store, and the arguments of its build.
fn project() -> Option<(TestContext, Vec<String>)> {
    let context = TestContext::new();
    context.write("a", "one\n");
    context.write("b", "two\n");
    for number in 0..5 {
        context.write(format!("dir/{number}"), "text\n");
    }
    context.write("Dockerfile", DOCKERFILE);
    let tar = context.out("image.tar");
    let output = format!("type=tar,dest={}", tar.display());
    let args = context.build_args(&["-t", "app", "-o", "type=image", "-o", &output])?;
    Some((context, args))
}

/// Paths of the image with type, mode, owner, target and content, and its configuration without times.
fn made(context: &TestContext) -> (BTreeMap<String, String>, String) {
    let mut archive = tar::Archive::new(fs::File::open(context.out("image.tar")).expect("it was built"));
    let entries = archive.entries().expect("a tar").map(|entry| {
        let mut entry = entry.expect("a whole tar");
        let (header, mut bytes) = (entry.header().clone(), Vec::new());
        entry.read_to_end(&mut bytes).expect("a whole tar");
        let shown = format!(
            "{:?} {:?} {:?}:{:?} {:?} {}",
            header.entry_type(),
            header.mode(),
            header.uid(),
            header.gid(),
            entry.link_name(),
            wharf_oci::Digest::of(&bytes).short()
        );
        (entry.path().expect("a path").display().to_string(), shown)
    });
    (entries.collect(), context.inspect("app", "/config/config"))
}

fn expected() -> Option<(BTreeMap<String, String>, String)> {
    let (context, args) = project()?;
    context.wharf(&args).success();
    Some(made(&context))
}

/// Runs a command where the machine says that it was started again since.
fn after_another_boot(command: &Command, boot: &Path) -> Outcome {
    let script = format!(
        "mount --bind {} /proc/sys/kernel/random/boot_id && exec \"$@\"",
        boot.display()
    );
    let mut unshared = Command::new("unshare");
    unshared
        .args(["--mount", "sh", "-c", &script, "sh"])
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            unshared.env(name, value);
        }
    }
    if let Some(directory) = command.get_current_dir() {
        unshared.current_dir(directory);
    }
    Outcome::of(&mut unshared)
}

#[test]
fn a_boot_that_ended_unclean_costs_what_was_not_yet_on_disk() {
    let Some(expected) = expected() else { return };
    if !rustix::process::geteuid().is_root() {
        wharf_testkit::skip("only root can play another boot");
        return;
    }
    let rounds = if is_heavy() { 40 } else { 10 };
    for round in 0..rounds {
        let (context, args) = project().expect("it built before");
        context.wharf(&args).success();
        lose_power(&context, round);
        let boot = context.out("boot_id");
        fs::write(&boot, format!("0f0f0f0f-0000-4000-8000-{round:012}\n")).expect("a writable place");
        let built = after_another_boot(&context.command(&args), &boot);
        assert_eq!(built.code, 0, "round {round}: {}", built.stderr);
        assert_eq!(made(&context), expected, "round {round}");
        // What the build had no need of is found and forgotten by the first look at everything.
        let verify = || after_another_boot(&context.command(["store", "verify"]), &boot);
        verify();
        let verified = verify();
        assert_eq!(
            verified.code, 0,
            "round {round}: {}{}",
            verified.stdout, verified.stderr
        );
        let built = after_another_boot(&context.command(&args), &boot);
        assert_eq!(built.code, 0, "round {round}: {}", built.stderr);
        assert_eq!(made(&context), expected, "round {round}");
    }
}

/// Empties, cuts and zeroes objects, as file systems do that had not written them yet, and forgets that anything was.
fn lose_power(context: &TestContext, round: usize) {
    let store = context.store().join("v1");
    for boot in files(&store.join("boots")) {
        fs::remove_file(boot).expect("it is ours");
    }
    let kinds = [
        "blobs", "trees", "times", "results", "paths", "slots", "heads", "memo", "stat",
    ];
    let objects = kinds.iter().flat_map(|kind| files(&store.join(kind)));
    for (index, object) in objects.enumerate() {
        let bytes = fs::read(&object).expect("it is ours");
        let damaged = match (index * 7 + round * 3) % 11 {
            0 => Vec::new(),
            1 => bytes[..bytes.len() / 2].to_vec(),
            2 => vec![0; bytes.len()],
            _ => continue,
        };
        let modified = fs::metadata(&object)
            .and_then(|info| info.modified())
            .expect("it is there");
        fs::write(&object, damaged).expect("it is ours");
        let file = fs::File::options().write(true).open(&object).expect("it is ours");
        file.set_modified(modified).expect("it is ours");
    }
}

/// A small disk at the store's place, in a mount namespace that ends with the command.
fn on_a_small_disk(context: &TestContext, script: &str) -> Outcome {
    let store = context.store();
    fs::create_dir_all(&store).expect("a writable place");
    let wharf = env!("CARGO_BIN_EXE_wharf");
    let script = format!(
        "mount -t tmpfs -o size=24m none {store} && WHARF={wharf} && {script}",
        store = store.display()
    );
    let plain = context.command(Vec::<String>::new());
    let mut unshared = Command::new("unshare");
    unshared.args(["--mount", "sh", "-c", &script]).env_clear();
    for (name, value) in plain.get_envs() {
        if let Some(value) = value {
            unshared.env(name, value);
        }
    }
    unshared.current_dir(context.path(""));
    Outcome::of(&mut unshared)
}

#[test]
fn a_full_disk_is_told_and_harms_nothing() {
    let context = TestContext::new();
    let Some(args) = context.build_args(&[]) else {
        return;
    };
    if !rustix::process::geteuid().is_root() {
        wharf_testkit::skip("only root can mount a small disk");
        return;
    }
    let args = args
        .iter()
        .map(|arg| format!("'{arg}'"))
        .collect::<Vec<_>>()
        .join(" ");
    let store = context.store().display().to_string();
    fs::write(context.path("large"), vec![7; 40 << 20]).expect("a writable place");
    let grown = format!("mount -o remount,size=400m {store} && $WHARF {args} && $WHARF store verify");
    // In the store: a file of the context does not fit.
    context.write("Dockerfile", "FROM busybox\nCOPY large /large\n");
    let outcome = on_a_small_disk(&context, &format!("$WHARF {args}; echo code $?; {grown}"));
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert!(
        outcome.stdout.contains("code 3"),
        "{}{}",
        outcome.stdout,
        outcome.stderr
    );
    assert!(
        outcome.stderr.contains("No space left on device"),
        "{}",
        outcome.stderr
    );
    // In the root of a step: its own process is told, and fails.
    context.write(
        "Dockerfile",
        "FROM busybox\nRUN dd if=/dev/zero of=/large bs=1M count=40\n",
    );
    let outcome = on_a_small_disk(&context, &format!("$WHARF {args}; echo code $?; {grown}"));
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert!(
        outcome.stdout.contains("code 1"),
        "{}{}",
        outcome.stdout,
        outcome.stderr
    );
    assert!(
        outcome.stderr.contains("No space left on device"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_root_that_is_taken_away_fails_its_step_and_leaves_no_result() {
    const CONNECTIONS: &str = "/sys/fs/fuse/connections";
    // Other tests have connections too, and the kernel says no more of one than whose it is.
    let Some(user) = User::of_one_test() else { return };
    let context = TestContext::of(Some(user.clone()));
    let dockerfile = "FROM busybox\nCOPY later /later\nRUN echo begun; sleep 2; cat /later > /out || :\n";
    context.write("later", "text");
    context.write("Dockerfile", dockerfile);
    context.own_project();
    let Some(args) = context.build_args(&[]) else {
        return;
    };
    let script = format!(
        "mount -t fusectl none {CONNECTIONS}; \"$@\" & build=$!; \
         while kill -0 $build 2>/dev/null && ! test -e {now}; do sleep 0.1; \
         for c in {CONNECTIONS}/*; do test \"$(stat -c %u $c 2>/dev/null)\" = {uid} && sleep 0.3 && echo 1 > $c/abort && echo $c > {now}; \
         done; done; wait $build",
        now = context.out("now").display(),
        uid = user.uid()
    );
    let wharf = context.command(&args);
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-c", &script, "sh"])
        .arg(wharf.get_program())
        .args(wharf.get_args())
        .env_clear();
    for (name, value) in wharf.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    let broken = Outcome::of(command.current_dir(context.path("")));
    let events = format!("{}{}", broken.stdout, broken.stderr);
    if fs::read_to_string(context.out("now"))
        .unwrap_or_default()
        .trim()
        .is_empty()
    {
        wharf_testkit::skip("FUSE connections cannot be seen here");
        return;
    }
    assert_eq!(broken.code, 3, "{events}");
    assert!(
        events.contains("FUSE connection") || events.contains("taken away"),
        "{events}"
    );
    let built = context.wharf(&args).success();
    assert!(
        built.stderr.contains("1 step run"),
        "the failed step has no result: {}",
        built.stderr
    );
    context.wharf(["store", "verify"]).success();
}

#[test]
fn what_a_step_leaves_running_is_ended_and_its_work_until_then_counts() {
    let context = TestContext::new();
    let dockerfile = "FROM busybox\nRUN (while :; do echo x >> /log; done) & sleep 0.2; echo y > /done\nRUN test -s /log\n";
    let Some(built) = context.build(dockerfile, &["-t", "app"]) else {
        return;
    };
    built.success();
    let again = context
        .build(dockerfile, &["-t", "app"])
        .expect("it built")
        .success();
    assert!(again.stderr.contains("0 steps run"), "{}", again.stderr);
    assert_eq!(context.file("app", "done"), "y\n");
}

#[test]
fn a_step_that_fails_or_is_stopped_leaves_no_result() {
    let context = TestContext::new();
    let dockerfile = "FROM busybox\nRUN echo x > /x; exit 7\n";
    let Some(failed) = context.build(dockerfile, &[]) else {
        return;
    };
    failed.exits(1);
    let kept = |kind: &str| files(&context.store().join("v1").join(kind)).len();
    assert_eq!((kept("results"), kept("slots"), kept("heads")), (0, 0, 0));
    context.build(dockerfile, &[]).expect("it ran").exits(1);
}

/// One overlay too many for the kernel: it refuses the layer of large files only after it has begun with the root's own directories.
#[test]
fn a_store_on_an_overlay_has_steps_whose_large_files_are_served() {
    let context = TestContext::new();
    context.write("Dockerfile", "FROM busybox\nRUN true\n");
    let Some(args) = context.build_args(&["-o", "type=cacheonly"]) else {
        return;
    };
    if !rustix::process::geteuid().is_root() {
        wharf_testkit::skip("only root can mount an overlay");
        return;
    }
    context.wharf(&args).success();
    context.write(
        "Dockerfile",
        "FROM busybox\nRUN echo layers: $(grep -c datadir /proc/mounts)\n",
    );
    let blobs = context.store().join("v1/blobs");
    let [upper, work] = ["upper", "work"].map(|name| context.out(name));
    for directory in [&upper, &work] {
        fs::create_dir(directory).expect("a writable place");
    }
    let script = format!(
        "mount -t overlay -o lowerdir={blobs},upperdir={},workdir={} none {blobs} && exec \"$@\"",
        upper.display(),
        work.display(),
        blobs = blobs.display()
    );
    let plain = context.command(&args);
    let mut unshared = Command::new("unshare");
    unshared
        .args(["--mount", "sh", "-c", &script, "sh"])
        .arg(plain.get_program())
        .args(plain.get_args());
    for (name, value) in plain.get_envs() {
        if let Some(value) = value {
            unshared.env(name, value);
        }
    }
    unshared.current_dir(context.path(""));
    let built = Outcome::of(&mut unshared).success();
    assert!(built.stderr.contains("layers: 0"), "{}", built.stderr);
}
