//! What instructions and flags leave in an image's configuration.

use serde_json::{Value, json};

use crate::context::TestContext;

/// Builds without running anything and gives the configuration.
fn configured(dockerfile: &str, args: &[&str]) -> Value {
    let context = TestContext::new();
    context.write("Dockerfile", dockerfile);
    let fixed = ["build", "-t", "image"];
    context.wharf(fixed.iter().chain(args).chain(&["."])).success();
    context.wharf(["inspect", "image"]).success().json()["config"].take()
}

#[test]
fn every_instruction_that_describes_leaves_its_mark() {
    let config = configured(
        r#"
        FROM scratch
        ARG VERSION=1
        ENV PATH=/opt/bin:/bin VERSION=v$VERSION
        LABEL org.example.a="a b" org.example.version=$VERSION
        EXPOSE 80 53/udp
        VOLUME ["/data", "/more"]
        WORKDIR /srv
        WORKDIR app
        USER 1000:100
        STOPSIGNAL SIGINT
        SHELL ["/bin/ash", "-ec"]
        HEALTHCHECK --interval=5s --timeout=1s --start-period=2s --retries=4 CMD wget -q localhost
        ENTRYPOINT ["/app"]
        CMD serve $HOME
        ONBUILD COPY . /src
        MAINTAINER somebody@example.com
        "#,
        &["--build-arg", "VERSION=7", "--label", "org.example.flag=yes"],
    );
    let expected = json!({
        "ArgsEscaped": true,
        "Cmd": ["/bin/ash", "-ec", "serve $HOME"],
        "Entrypoint": ["/app"],
        "Env": ["PATH=/opt/bin:/bin", "VERSION=v7"],
        "ExposedPorts": {"53/udp": {}, "80/tcp": {}},
        "Healthcheck": {
            "Interval": 5_000_000_000_u64,
            "Retries": 4,
            "StartPeriod": 2_000_000_000_u64,
            "Test": ["CMD-SHELL", "wget -q localhost"],
            "Timeout": 1_000_000_000,
        },
        "Labels": {"org.example.a": "a b", "org.example.flag": "yes", "org.example.version": "v7"},
        "OnBuild": ["COPY . /src"],
        "Shell": ["/bin/ash", "-ec"],
        "StopSignal": "SIGINT",
        "User": "1000:100",
        "Volumes": {"/data": {}, "/more": {}},
        "WorkingDir": "/srv/app",
    });
    assert_eq!(config["config"], expected, "{config:#}");
    assert_eq!(config["author"], "somebody@example.com");
    assert_eq!(config["os"], "linux");
}

#[test]
fn history_has_a_line_for_each_instruction_and_names_what_is_no_layer() {
    let config = configured(
        "FROM scratch\nCOPY Dockerfile /a\nENV A=1\nCOPY Dockerfile /b\n",
        &[],
    );
    let history = config["history"].as_array().expect("an array");
    let lines: Vec<_> = history
        .iter()
        .map(|line| {
            (
                line["created_by"].as_str().unwrap_or_default(),
                line["empty_layer"] == true,
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            ("COPY Dockerfile /a # buildkit", false),
            ("ENV A=1", true),
            ("COPY Dockerfile /b # buildkit", false),
        ]
    );
    assert_eq!(
        config["rootfs"]["diff_ids"].as_array().expect("an array").len(),
        2
    );
}

#[test]
fn arguments_before_from_choose_the_base_and_end_there() {
    let config = configured(
        "ARG BASE=nothing\nARG TAG=1\nFROM ${BASE}\nARG TAG\nARG OTHER=${BASE:-unset}\nENV TAG=$TAG OTHER=$OTHER\n",
        &["--build-arg", "BASE=scratch"],
    );
    assert_eq!(
        config["config"]["Env"][0],
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    );
    assert_eq!(config["config"]["Env"][1], "TAG=1");
    assert_eq!(config["config"]["Env"][2], "OTHER=unset");
}

#[test]
fn a_healthcheck_is_taken_away_again() {
    let config = configured("FROM scratch\nHEALTHCHECK CMD true\nHEALTHCHECK NONE\n", &[]);
    assert_eq!(config["config"]["Healthcheck"]["Test"], json!(["NONE"]));
}

#[test]
fn onbuild_runs_in_the_build_that_uses_the_image() {
    let context = TestContext::new();
    let parent =
        "FROM busybox\nONBUILD ARG WHO=nobody\nONBUILD RUN echo for $WHO > /who\nONBUILD ENV WHO=$WHO\n";
    let Some(built) = context.build(parent, &["-t", "parent"]) else {
        return;
    };
    built.success().never_says("echo for");
    let child = "FROM docker.io/library/parent\nRUN grep 'for gull' /who\n";
    let built = context.build(child, &["-t", "child", "--build-arg", "WHO=gull"]);
    built.expect("a machine that ran the first build").success();
    assert!(
        context
            .inspect("child", "/config/config/Env")
            .contains("WHO=gull")
    );
    assert_eq!(context.inspect("child", "/config/config/OnBuild"), "null");
}

#[test]
fn annotations_are_in_the_manifest() {
    let context = TestContext::new();
    context.write("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    let args = ["build", "-t", "a", "--annotation", "org.example.note=here", "."];
    context.wharf(args).success();
    assert_eq!(
        context.inspect("a", "/manifest/annotations/org.example.note"),
        "here"
    );
}
