//! RUN: shells, users, directories, variables, networks, limits.

use crate::context::TestContext;

/// Builds on the busybox base; the Dockerfile's own tests say whether it worked.
fn works(dockerfile: &str, args: &[&str]) {
    if let Some(built) = TestContext::new().build(dockerfile, args) {
        built.success();
    }
}

#[test]
fn shell_exec_and_heredoc_forms() {
    works(
        r#"
        FROM busybox
        RUN echo $0 | grep sh
        RUN ["/bin/sh", "-c", "test \"$0\" = zero", "zero"]
        RUN <<END
        a=1
        test $a = 1
        END
        RUN <<ONE cat > /one && cat <<TWO >> /one
        first
        ONE
        second
        TWO
        RUN test "$(cat /one | tr '\n' ' ')" = "first second "
        RUN <<EOF
        #!/bin/awk -f
        BEGIN { exit 0 }
        EOF
        SHELL ["/bin/sh", "-euc"]
        RUN (echo $unset) 2> /dev/null && exit 1 || true
        "#,
        &[],
    );
}

#[test]
fn users_and_directories_are_those_of_the_image() {
    works(
        r#"
        FROM busybox
        WORKDIR /a/b
        WORKDIR c
        RUN test $PWD = /a/b/c && test $(stat -c %u /a/b/c) = 0
        USER gull
        RUN test $(id -u):$(id -g) = 1000:100 && id -G | grep 200 && test $HOME = /home/gull
        RUN ! touch /denied 2> /dev/null
        USER 0:fish
        RUN test $(id -u):$(id -g) = 0:200
        USER 4321
        RUN test $(id -u):$(id -g) = 4321:0
        "#,
        &[],
    );
}

/// The root of one step is made while the one before runs, when nobody knows yet what that will make of it.
#[test]
fn every_step_sees_what_those_before_made_of_its_root() {
    works(
        r#"
        FROM busybox
        RUN chmod 711 /
        RUN test $(stat -c %a /) = 711 && mkdir /new
        RUN --network=none ! ip route | grep .
        RUN test -d /new && test $(stat -c %a /) = 711
        RUN (sleep 1; echo late > /late) & echo early > /early
        RUN test -e /early && ! test -e /late
        RUN --mount=type=tmpfs,target=/new touch /new/file
        RUN rmdir /new
        RUN ! test -e /new
        RUN chown 1:2 /
        RUN test $(stat -c %u:%g /) = 1:2
        RUN head -c 2000000 /dev/zero > /large
        RUN test $(wc -c < /large) = 2000000
        USER 4321
        RUN test $(id -u) = 4321 && ! touch /file 2> /dev/null
        "#,
        &["--no-cache"],
    );
}

#[test]
fn an_unknown_user_is_named() {
    let context = TestContext::new();
    if let Some(failed) = context.build("FROM busybox\nUSER osprey\nRUN true\n", &[]) {
        assert_ne!(failed.code, 0);
        failed.says("osprey").says("Dockerfile:3");
    }
}

#[test]
fn arguments_are_variables_of_steps_but_not_of_the_image() {
    let context = TestContext::new();
    let dockerfile =
        "FROM busybox\nARG A=1\nARG B\nENV C=$A\nRUN test $A$B$C = 121\nARG A=9\nRUN test $A = 1\n";
    let built = context.build(
        dockerfile,
        &["--build-arg", "A=1", "--build-arg", "B=2", "-t", "args"],
    );
    if let Some(built) = built {
        built.success();
        let env = context.inspect("args", "/config/config/Env");
        assert!(
            env.contains("C=1") && !env.contains("A=") && !env.contains("B="),
            "{env}"
        );
    }
}

#[test]
fn a_step_without_network_has_only_loopback() {
    works(
        r#"
        FROM busybox
        RUN --network=none test "$(ls /sys/class/net | tr '\n' ' ')" = "lo "
        RUN --network=host ls /sys/class/net
        "#,
        &["--allow", "network.host"],
    );
    works(
        "FROM busybox\nRUN test \"$(ls /sys/class/net)\" = lo\n",
        &["--network=none"],
    );
}

#[test]
fn hosts_limits_and_shared_memory() {
    works(
        r#"
        FROM busybox
        RUN grep -E '^10\.1\.2\.3[[:space:]]+db\.example\.com' /etc/hosts
        RUN test $(ulimit -n) = 100
        RUN test $(df -k /dev/shm | tail -1 | awk '{print $2}') = 2048
        "#,
        &[
            "--add-host",
            "db.example.com:10.1.2.3",
            "--ulimit",
            "nofile=100:200",
            "--shm-size",
            "2m",
        ],
    );
}

#[test]
fn the_sandbox_leaves_no_trace_in_the_image() {
    let context = TestContext::new();
    let dockerfile = "FROM busybox\nRUN echo done > /done\n";
    let Some(built) = context.build(dockerfile, &["-o", "type=tar,dest=files.tar"]) else {
        return;
    };
    built.success();
    let tar = context.path("files.tar");
    let Some(listed) = crate::programs::tool("tar", ["-tf", &*tar.to_string_lossy()]) else {
        return;
    };
    for absent in ["proc/", "sys/", "dev/", "run/", "etc/resolv.conf", "etc/hosts"] {
        assert!(
            !listed.lines().any(|line| line == absent),
            "{absent} in\n{listed}"
        );
    }
    assert!(listed.lines().any(|line| line == "done"));
}

#[test]
fn a_step_is_isolated_from_the_machine() {
    works(
        r#"
        FROM busybox
        RUN test $(ls /proc | grep -c '^[0-9]*$') -lt 10
        RUN ! mount -t tmpfs none /tmp 2> /dev/null
        RUN test -c /dev/null && test -c /dev/tty && ! test -e /dev/fuse
        "#,
        &[],
    );
}

#[test]
fn what_is_removed_is_gone_and_what_is_replaced_is_new() {
    works(
        r#"
        FROM busybox
        RUN mkdir -p /d/e && echo 1 > /d/e/f && echo 1 > /g && ln -s /d /l
        RUN rm -r /d && rm /l && mkdir /l && mv /g /h
        RUN ! test -e /d && test -d /l && ! test -L /l && ! test -e /g && test "$(cat /h)" = 1
        RUN rm -r /l && mkdir -p /d/e && ! test -e /d/e/f
        RUN test -d /d/e && ! test -e /d/e/f && test -z "$(ls -A /d/e)"
        "#,
        &[],
    );
}

#[test]
fn what_was_not_allowed_is_refused_although_there_is_a_result() {
    let context = TestContext::new();
    let dockerfile = "FROM busybox\nRUN --network=host echo x > /x\n";
    let Some(allowed) = context.build(dockerfile, &["--allow=network.host"]) else {
        return;
    };
    allowed.success();
    let refused = context.build(dockerfile, &[]).expect("it built");
    refused.exits(2).says("needs --allow network.host");
}
