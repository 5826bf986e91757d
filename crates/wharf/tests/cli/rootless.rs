//! The core once more as ordinary users, on every way of isolating steps that they have.

use std::{fs, process::Command};

use serde_json::Value;

use crate::{
    context::TestContext,
    outcome::Outcome,
    user::{self, User},
};

/// Owners, removals, links, a cache, a secret, no network: what differs most between ways to make a root.
const DOCKERFILE: &str = r#"
    FROM busybox
    COPY --chown=1000:100 file /copied
    RUN test $(id -u) = 0 && test $(stat -c %u /bin/busybox) = 0 && test -w /etc/passwd
    RUN mkdir -p /d/e && echo x > /d/e/f && ln /d/e/f /d/g && ln -s e /d/l && rm /tmp -r && chmod 2755 /d/e
    RUN ! test -e /tmp && test $(stat -c %h /d/g) = 2 && mkdir /tmp && chmod 1777 /tmp
    RUN --mount=type=cache,target=/c --mount=type=tmpfs,target=/t echo x > /c/x && echo y > /t/y
    RUN --network=none --mount=type=secret,id=token grep hush /run/secrets/token
    WORKDIR /srv
    CMD ["sh", "-c", "id -u; cat /d/g"]
"#;

/// What only those can do who have more ids than their own.
const OWNERS: &str = r#"
    RUN test $(stat -c %u:%g /copied) = 1000:100 && chown 33:44 /d/g && test $(stat -c %u:%g /d/g) = 33:44
    USER gull
    RUN test $(id -u):$(id -g) = 1000:100 && test -w /copied && ! test -w /etc/passwd
    USER root
"#;

fn core(user: User, args: &[&str], dockerfile: &str) {
    let context = TestContext::of(Some(user.clone()));
    fs::write(context.path("token"), "hush").expect("a writable directory");
    context.write("file", "copied");
    context.write(".dockerignore", "token\n");
    user.own(&context.path(""));
    let fixed = [
        "-t",
        "image",
        "--secret",
        "id=token,src=token",
        "-o",
        "type=image",
        "-o",
        "type=oci,dest=../out/oci.tar",
    ];
    let args: Vec<_> = fixed.iter().chain(args).copied().collect();
    let Some(built) = context.build(dockerfile, &args) else {
        return;
    };
    let built = built.success();
    let again = context.build(dockerfile, &args).expect("it built").success();
    assert_eq!(again.digest(), built.digest());
    assert!(again.stderr.contains("0 steps run"), "{}", again.stderr);
    let sandbox = args.iter().filter(|arg| arg.starts_with("--sandbox"));
    let run: Vec<_> = ["run"].iter().chain(sandbox).chain(&["image"]).copied().collect();
    assert_eq!(context.wharf(run).success().stdout, "0\nx\n");
    let failed = context
        .build("FROM busybox\nRUN exit 5\n", &args)
        .expect("it built");
    failed.exits(1).says("exit code: 5");
    context.wharf(["store", "verify"]).success();
    context
        .wharf(["store", "gc", "--max-size", "0", "--caches"])
        .success();
}

fn with_owners() -> String {
    DOCKERFILE.replace(
        "    WORKDIR",
        &format!("{}    WORKDIR", OWNERS.trim_start_matches('\n')),
    )
}

#[test]
fn with_subordinate_ids_on_the_lazy_root() {
    if let Some(user) = User::with_subordinate_ids() {
        core(user, &["--sandbox=fuse"], &with_owners());
    }
}

#[test]
fn with_subordinate_ids_on_a_checked_out_root() {
    if let Some(user) = User::with_subordinate_ids() {
        core(user, &["--sandbox=overlay"], &with_owners());
    }
}

#[test]
fn with_one_id_on_the_lazy_root() {
    if let Some(user) = User::with_one_id() {
        core(user, &["--sandbox=fuse"], DOCKERFILE);
    }
}

#[test]
fn with_one_id_on_a_checked_out_root() {
    if let Some(user) = User::with_one_id() {
        core(user, &["--sandbox=overlay"], DOCKERFILE);
    }
}

#[test]
fn with_subordinate_ids_on_a_private_copy() {
    if let Some(user) = User::with_subordinate_ids() {
        core(user, &["--sandbox=copy"], &with_owners());
    }
}

#[test]
fn with_one_id_on_a_private_copy() {
    if let Some(user) = User::with_one_id() {
        core(user, &["--sandbox=copy"], DOCKERFILE);
    }
}

#[test]
fn as_root_on_a_private_copy() {
    if !user::is_root() {
        return wharf_testkit::skip("needs root, who can make devices");
    }
    let context = TestContext::new();
    context.write("file", "copied");
    context.write("token", "hush");
    let args = ["--sandbox=copy", "--secret", "id=token,src=token"];
    // Devices can be made, and are kept.
    let dockerfile = with_owners() + "RUN mknod /null c 1 3\nRUN test -c /null\n";
    if let Some(built) = context.build(&dockerfile, &args) {
        built.success();
    }
}

#[test]
fn a_mere_chroot_is_refused_with_a_reason() {
    let context = TestContext::new();
    if let Some(built) = context.build("FROM busybox\nRUN true\n", &["--sandbox=chroot"]) {
        built.exits(3).says("wharf host");
    }
}

#[test]
fn as_root_on_a_checked_out_root() {
    let context = TestContext::new();
    context.write("file", "copied");
    context.write("token", "hush");
    let args = ["--sandbox=overlay", "--secret", "id=token,src=token"];
    if let Some(built) = context.build(&with_owners(), &args) {
        built.success();
    }
}

#[test]
fn the_image_is_the_same_whoever_builds_it() {
    let dockerfile = "FROM busybox\nCOPY --chown=1000:100 file /copied\nRUN mkdir /d && echo x > /d/f && chown 5:6 /d/f && rm /bin/vi\n";
    let digest = |user: Option<User>, sandbox: &str| {
        let context = TestContext::of(user.clone());
        let file = context.write("file", "copied");
        if let Some(user) = &user {
            user.own(&file);
        }
        let args = [
            "--build-arg",
            "SOURCE_DATE_EPOCH=0",
            "-o",
            "type=image,rewrite-timestamp=true",
            sandbox,
        ];
        Some(context.build(dockerfile, &args)?.success().digest())
    };
    let Some(user) = User::with_subordinate_ids() else {
        return;
    };
    let Some(expected) = digest(None, "--sandbox=fuse") else {
        return;
    };
    for (user, sandbox) in [
        (None, "--sandbox=overlay"),
        (None, "--sandbox=copy"),
        (Some(user.clone()), "--sandbox=fuse"),
        (Some(user.clone()), "--sandbox=overlay"),
        (Some(user), "--sandbox=copy"),
    ] {
        assert_eq!(
            digest(user.clone(), sandbox).as_ref(),
            Some(&expected),
            "{user:?} {sandbox}"
        );
    }
}

/// The command where /dev/fuse is root's alone: another file lies over it, for this command only.
fn with_fuse_shut(context: &TestContext, command: &Command) -> Command {
    let shut = context.out("shut");
    fs::write(&shut, "").expect("root writes anywhere");
    let mut wrapped = Command::new("unshare");
    let script = "chmod 0600 \"$1\" && mount --bind \"$1\" /dev/fuse && shift && exec \"$@\"";
    wrapped.args(["--mount", "sh", "-c", script, "sh"]).arg(shut);
    wrapped.arg(command.get_program()).args(command.get_args());
    wrapped.env_clear();
    wrapped.envs(
        command
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    wrapped.current_dir(command.get_current_dir().expect("a test has a directory"));
    wrapped
}

fn finding<'a>(report: &'a Value, feature: &str) -> &'a Value {
    let findings = report["findings"].as_array().expect("a list");
    let found = findings.iter().find(|finding| finding["feature"] == feature);
    found.unwrap_or_else(|| panic!("no {feature}: {report}"))
}

#[test]
fn without_fuse_steps_run_on_a_checked_out_root() {
    for user in [User::with_subordinate_ids(), User::with_one_id()]
        .into_iter()
        .flatten()
    {
        let context = TestContext::of(Some(user));
        let shown = Outcome::of(&mut with_fuse_shut(
            &context,
            &context.command(["host", "--json"]),
        ));
        let shown = shown.success().json();
        assert_eq!(shown["rung"], "overlay", "{shown}");
        let fuse = finding(&shown, "fuse");
        assert_eq!(fuse["works"], false);
        assert!(
            fuse["remedy"]
                .as_str()
                .is_some_and(|remedy| remedy.contains("/dev/fuse")),
            "{fuse}"
        );
        context.write(
            "Dockerfile",
            "FROM busybox\nRUN echo x > /x && grep -q ' / overlay ' /proc/mounts\n",
        );
        context.own_project();
        let Some(args) = context.build_args(&["-t", "image"]) else {
            return;
        };
        Outcome::of(&mut with_fuse_shut(&context, &context.command(args))).success();
        let mut run = with_fuse_shut(&context, &context.command(["run", "image", "cat", "/x"]));
        assert_eq!(Outcome::of(&mut run).success().stdout, "x\n");
    }
}

#[test]
fn the_host_verb_says_what_there_is_and_what_to_do_about_the_rest() {
    // Whether whoever runs the tests has more ids than one is known of root alone.
    let users = [
        Some((None, user::is_root().then_some(true))),
        User::with_subordinate_ids().map(|user| (Some(user), Some(true))),
        User::with_one_id().map(|user| (Some(user), Some(false))),
    ];
    for (user, ids) in users.into_iter().flatten() {
        let context = TestContext::of(user);
        let report = context.wharf(["host", "--json"]).success().json();
        let text = context.wharf(["host"]).success().stdout;
        for finding in report["findings"].as_array().expect("a list") {
            assert_eq!(finding["works"] == true, finding["remedy"].is_null(), "{finding}");
            let feature = finding["feature"].as_str().expect("a word");
            let mark = if finding["works"] == true { "yes" } else { "no" };
            let line = text.lines().find(|line| line[5..].starts_with(feature));
            assert!(
                line.is_some_and(|line| line.starts_with(mark)),
                "{feature}: {text}"
            );
        }
        if let Some(ids) = ids {
            assert_eq!(finding(&report, "subordinate-ids")["works"], ids, "{report}");
        }
        let rung = report["rung"]
            .as_str()
            .expect("a machine where tests run has one");
        assert!(
            text.ends_with(&format!("steps run on the rung `{rung}`\n")),
            "{text}"
        );
    }
}
