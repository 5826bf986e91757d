//! `RUN --mount`: what is there during a step and nowhere after it.

use std::{fs, path::Path};

use crate::context::TestContext;

const SECRET: &str = "correct-horse-battery-staple";

#[test]
fn a_cache_stays_between_builds_and_out_of_the_image() {
    let context = TestContext::new();
    let step = |text: &str| {
        format!(
            "FROM busybox\nRUN --mount=type=cache,target=/cache {text}\nRUN test -z \"$(ls -A /cache)\"\n"
        )
    };
    let Some(built) = context.build(&step("echo kept > /cache/file"), &[]) else {
        return;
    };
    built.success();
    let again = context.build(&step("test $(cat /cache/file) = kept"), &[]);
    again.expect("a machine that built").success();
    let other = context.build(
        "FROM busybox\nRUN --mount=type=cache,id=other,target=/cache test -z \"$(ls -A /cache)\"\n",
        &[],
    );
    other.expect("a machine that built").success();
}

#[test]
fn a_cache_has_the_owner_and_mode_that_were_asked_for() {
    let dockerfile = "FROM busybox\nUSER gull\nRUN --mount=type=cache,target=/c,uid=1000,gid=200,mode=0750 test $(stat -c %u:%g:%a /c) = 1000:200:750 && touch /c/mine\n";
    if let Some(built) = TestContext::new().build(dockerfile, &[]) {
        built.success();
    }
}

#[test]
fn a_bind_shows_the_context_or_a_stage() {
    let context = TestContext::new();
    context.write("src/file", "from the context");
    let dockerfile = r#"
        FROM busybox AS other
        RUN echo other > /made
        FROM busybox
        RUN --mount=type=bind,source=src,target=/src grep context /src/file && ! touch /src/new 2> /dev/null
        RUN --mount=target=/all,rw cat /all/src/file && echo gone > /all/src/file
        RUN --mount=from=other,source=/made,target=/made grep other /made
        RUN --mount=from=other,target=/root-of-other test -x /root-of-other/bin/busybox
        RUN ! test -e /src/file && ! test -e /made
    "#;
    if let Some(built) = context.build(dockerfile, &[]) {
        built.success();
        assert_eq!(
            fs::read_to_string(context.path("src/file")).expect("still there"),
            "from the context"
        );
    }
}

#[test]
fn a_tmpfs_is_empty_and_forgotten() {
    let dockerfile = "FROM busybox\nRUN --mount=type=tmpfs,target=/t,size=1m test -z \"$(ls -A /t)\" && echo x > /t/x && ! head -c 2000000 /dev/zero > /t/big\nRUN ! test -e /t/x\n";
    if let Some(built) = TestContext::new().build(dockerfile, &[]) {
        built.success();
    }
}

#[test]
fn a_secret_is_in_no_layer_log_history_or_store() {
    let context = TestContext::new();
    fs::write(context.out("token"), SECRET).expect("a writable directory");
    let source = format!("id=token,src={}", context.out("token").display());
    let dockerfile = r#"
        FROM busybox
        RUN --mount=type=secret,id=token test $(cat /run/secrets/token) = $(cat /run/secrets/token) && test $(stat -c %a:%u /run/secrets/token) = 400:0
        RUN --mount=type=secret,id=token,target=/etc/token,mode=0444 test $(wc -c < /etc/token) = 28
        RUN --mount=type=secret,id=token,env=TOKEN test ${#TOKEN} = 28
        RUN test ! -s /run/secrets/token && test ! -s /etc/token && test -z "$TOKEN"
    "#;
    let archive = context.out("image.tar");
    let output = format!("type=oci,dest={},compression=uncompressed", archive.display());
    let args = [
        "--secret",
        &source,
        "-o",
        &output,
        "-o",
        "type=image",
        "-t",
        "secretive",
    ];
    let Some(built) = context.build(dockerfile, &args) else {
        return;
    };
    let built = built.success();
    assert!(!built.stderr.contains(SECRET) && !built.stdout.contains(SECRET));
    assert!(!holds(&archive), "the image has the secret");
    assert!(!any_holds(&context.store()), "the store has the secret");
    let history = context.wharf(["history", "show", "--json"]).success();
    assert!(!history.stdout.contains(SECRET));
}

fn holds(path: &Path) -> bool {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    bytes
        .windows(SECRET.len())
        .any(|window| window == SECRET.as_bytes())
}

fn any_holds(directory: &Path) -> bool {
    fs::read_dir(directory)
        .expect("a directory of the store")
        .flatten()
        .any(|entry| {
            let kind = entry.file_type().expect("an entry of the store");
            (kind.is_dir() && any_holds(&entry.path())) || (kind.is_file() && holds(&entry.path()))
        })
}

#[test]
fn a_secrets_value_is_no_reason_to_run_a_step_again() {
    let context = TestContext::new();
    let dockerfile = "FROM busybox\nRUN --mount=type=secret,id=token cat /run/secrets/token > /dev/null\n";
    context.write("Dockerfile", dockerfile);
    let Some(args) = context.build_args(&["--secret", "id=token,env=TOKEN"]) else {
        return;
    };
    for (value, cached) in [("one", 0), ("two", 1)] {
        let built = crate::outcome::Outcome::of(context.command(&args).env("TOKEN", value)).success();
        assert_eq!(built.count("CACHED"), cached, "{}", built.stderr);
    }
}

#[test]
fn a_required_secret_that_was_not_given_is_a_mistake() {
    let context = TestContext::new();
    let optional = "FROM busybox\nRUN --mount=type=secret,id=absent test ! -e /run/secrets/absent\n";
    let Some(built) = context.build(optional, &[]) else {
        return;
    };
    built.success();
    let required = "FROM busybox\nRUN --mount=type=secret,id=absent,required cat /run/secrets/absent\n";
    let failed = context
        .build(required, &[])
        .expect("a machine that built")
        .exits(2);
    failed
        .says("absent")
        .says("--secret id=absent")
        .says("Dockerfile:2:1");
}
