//! Failures: exit code, place, what to do.

use std::net::TcpListener;

use wharf_testkit::fake_http::{Answer, FakeServer, Fault};

use crate::context::TestContext;

/// Builds what cannot be built; nothing of it runs.
fn refused(dockerfile: &str, args: &[&str]) -> crate::outcome::Outcome {
    let context = TestContext::new();
    context.write("Dockerfile", dockerfile);
    context.wharf(["build"].iter().chain(args).chain(&["."]))
}

#[test]
fn a_failing_step_shows_its_last_lines_its_place_and_its_code() {
    let context = TestContext::new();
    let dockerfile = "FROM busybox\n\nRUN seq 1 100 && \\\n    echo oh no >&2 && \\\n    exit 42\n";
    let Some(failed) = context.build(dockerfile, &["-t", "never"]) else {
        return;
    };
    let failed = failed.exits(1);
    let error = failed.error();
    assert!(
        error.contains("exit code: 42") && error.contains("Dockerfile:3:1"),
        "{error}"
    );
    assert!(error.contains("\n100\n") && error.contains("oh no"), "{error}");
    assert!(!error.contains("\n7\n"), "more than the last lines:\n{error}");
    assert!(
        error.contains("3 | RUN seq 1 100") && error.contains("^^^"),
        "{error}"
    );
    context.wharf(["inspect", "never"]).exits(2);
}

#[test]
fn a_program_that_is_not_there_is_a_failing_step() {
    let context = TestContext::new();
    for (run, code) in [("nothing-of-this-name", "127"), ("/etc/passwd", "126")] {
        let Some(failed) = context.build(&format!("FROM busybox\nRUN {run}\n"), &[]) else {
            return;
        };
        failed.exits(1).says(&format!("exit code: {code}"));
    }
    let failed = context
        .build("FROM busybox\nRUN [\"/missing\"]\n", &[])
        .expect("it built");
    failed.exits(1).says("/missing").says("hint:");
    let failed = context.build("FROM scratch\nRUN true\n", &[]).expect("it built");
    failed.exits(1).says("/bin/sh").says("hint:");
}

#[test]
fn all_syntax_errors_are_told_each_at_its_place() {
    let failed = refused("FROM scratch\nCPOY a b\nCOPY --form=x a b\nENV\nEXPOSE\n", &[]).exits(2);
    insta::assert_snapshot!(failed.error(), @"
    error: the Dockerfile has 4 errors

    Dockerfile:2:1: unknown instruction: CPOY
       |
     2 | CPOY a b
       | ^^^^

      did you mean `COPY`?

    Dockerfile:3:6: unknown flag: --form
       |
     3 | COPY --form=x a b
       |      ^^^^^^

      did you mean `--from`?

    Dockerfile:4:1: ENV requires at least one argument
       |
     4 | ENV
       | ^^^


    Dockerfile:5:1: EXPOSE requires at least one argument
       |
     5 | EXPOSE
       | ^^^^^^
    ");
}

#[test]
fn mistakes_of_flags() {
    for (args, said) in [
        (&["--taget", "x"][..], "--target"),
        (&["--output", "type=zip"][..], "type="),
        (&["--secret", "src"][..], "id="),
        (&["--platform", "linux/s390x/v1/x"][..], "linux/s390x/v1/x"),
        (&["-t", "example.com/UPPER"][..], "example.com/UPPER"),
        (&["--network", "moon"][..], "host"),
        (&["--ulimit", "nofile"][..], "soft"),
        (&["--sandbox", "moon"][..], "moon"),
        (&["--build-context", "x"][..], "--build-context"),
    ] {
        refused("FROM scratch\nCOPY Dockerfile /\n", args)
            .exits(2)
            .says(said);
    }
}

#[test]
fn what_is_not_there_is_named() {
    let context = TestContext::new();
    context.wharf(["history", "show"]).exits(2);
    context
        .wharf(["build", "."])
        .exits(2)
        .says("Dockerfile")
        .says("hint:");
    context.wharf(["build", "nowhere"]).exits(2).says("nowhere");
    context
        .wharf(["run", "no-such-image"])
        .says("no-such-image")
        .says("wharf images");
    context.wharf(["inspect", "no-such-image"]).exits(2);
    context.wharf(["history", "show", "no-such-build"]).exits(2);
    let missing = refused("", &[]).exits(2);
    missing.says("Dockerfile");
}

#[test]
fn a_base_that_cannot_be_reached_is_the_machines_fault() {
    // Nobody listens on the discard port.
    let failed = refused("FROM localhost:9/base\nRUN true\n", &[]).exits(3);
    failed.says("localhost:9/base").says("Dockerfile:1");
}

#[test]
fn a_store_that_cannot_be_made_is_the_machines_fault() {
    let context = TestContext::new();
    context.write("Dockerfile", "FROM scratch\n");
    context.write("file", "no directory");
    context
        .wharf(["build", "--store", "file/store", "."])
        .exits(3)
        .says("hint:");
}

#[test]
fn what_needs_an_entitlement_says_which() {
    let context = TestContext::new();
    let dockerfile = "# syntax=docker/dockerfile:1-labs\nFROM busybox\nRUN --security=insecure true\n";
    if let Some(failed) = context.build(dockerfile, &[]) {
        failed.exits(2).says("--allow security.insecure");
        let built = context.build(dockerfile, &["--allow", "security.insecure"]);
        built.expect("a machine that ran steps").success();
    }
}

#[test]
fn check_finds_the_same_errors_without_building() {
    let context = TestContext::new();
    context.write("Dockerfile", "FROM scratch\nCPOY a b\n");
    let checked = context.wharf(["check", "."]);
    assert_ne!(checked.code, 0);
    assert!(format!("{}{}", checked.stdout, checked.stderr).contains("COPY"));
    assert!(!context.store().join("v1/results").exists());
}

/// From the store alone: nobody listens at the port of the image's registry.
#[test]
fn check_knows_the_bases_that_the_store_has() {
    let context = TestContext::new();
    let checked = |args: &[&str]| {
        let checked = context.wharf(["check", "--format=json"].iter().chain(args));
        format!("{}{}", checked.stdout, checked.stderr)
    };
    let dockerfile = "FROM 127.0.0.1:9/base\nENV MORE=$COLOR\nONBUILD RUN $COLOUR\n";
    context.write("Dockerfile", dockerfile);
    assert!(!checked(&["."]).contains("UndefinedVar"));
    assert!(!context.store().exists());
    context.write("base/Dockerfile", "FROM scratch\nENV COLOUR=green\n");
    context.wharf(["build", "-t=127.0.0.1:9/base", "base"]).success();
    let found = checked(&["."]);
    assert!(
        found.contains("UndefinedVar") && found.contains("did you mean $COLOUR"),
        "{found}"
    );
    assert!(!checked(&["--platform=linux/s390x", "."]).contains("UndefinedVar"));
    context.write("wharf.toml", "[base.\"127.0.0.1:9/base\"]\napt = \"host\"\n");
    assert!(!checked(&["."]).contains("UndefinedVar"));
}

#[test]
fn another_language_is_an_error_that_says_so() {
    let context = TestContext::new();
    let build = |dockerfile: &str, args: &[&str]| {
        context.write("Dockerfile", dockerfile);
        context.wharf(["build"].iter().chain(args).chain(&["."]))
    };
    for known in [
        "docker/dockerfile:1",
        "docker.io/docker/dockerfile:1.19-labs",
        "docker/dockerfile-upstream:master",
    ] {
        build(&format!("# syntax={known}\nFROM scratch\nLABEL a=b\n"), &[]).success();
    }
    let other = "# syntax=example.com/other:1\nNOT A DOCKERFILE\n";
    build(other, &[])
        .exits(2)
        .says("Dockerfile:1:10: frontend example.com/other:1 is not built in")
        .says("only docker/dockerfile is");
    let other = "# syntax=example.com/other:1\nFROM scratch\nLABEL a=b\n";
    build(other, &["--build-arg=BUILDKIT_SYNTAX=docker/dockerfile:1"]).success();
    build(
        "FROM scratch\nLABEL a=b\n",
        &["--build-arg=BUILDKIT_SYNTAX=example.com/other"],
    )
    .exits(2)
    .says("BUILDKIT_SYNTAX");
}

#[test]
fn rules_warn_and_fail_a_build_that_wants_it() {
    let context = TestContext::new();
    let build = |check: &str, args: &[&str]| {
        context.write("Dockerfile", &format!("{check}FROM scratch as a\nLABEL b c\n"));
        context.wharf(["build", "--progress=plain"].iter().chain(args).chain(&["."]))
    };
    build("", &[])
        .success()
        .says("warning: line 2: ")
        .says("(LegacyKeyValueFormat)");
    build("# check=error=true\n", &[])
        .exits(2)
        .says("FromAsCasing, LegacyKeyValueFormat")
        .says("Dockerfile:3:");
    build("# check=error=true;skip=all\n", &[])
        .success()
        .never_says("warning: line");
    build("", &["--build-arg=BUILDKIT_DOCKERFILE_CHECK=error=true"]).exits(2);
    build("", &["--build-arg=BUILDKIT_DOCKERFILE_CHECK=nonsense"])
        .exits(2)
        .says("nonsense");
}

#[test]
fn a_build_says_what_it_can_be_given() {
    let context = TestContext::new();
    let dockerfile = "# VERSION of the thing\nARG VERSION=1\nFROM scratch AS a\n# a the end\nFROM a AS b\nARG VERSION\n\
                      RUN --mount=type=secret,id=s,required --mount=type=ssh x\n";
    context.write("Dockerfile", dockerfile);
    let call = |call: &str| {
        let call = format!("--call={call}");
        context.wharf(["build", &call, "."]).success().stdout
    };
    assert_eq!(
        call("outline"),
        "TARGET: b\n\nBUILD ARG   VALUE   DESCRIPTION\nVERSION     1       of the thing\n\nSECRET   REQUIRED\n\
         s        true\n\nSSH       REQUIRED\ndefault   \n\n"
    );
    assert_eq!(
        call("targets"),
        "TARGET      DESCRIPTION\na           \nb (default) \n"
    );
    let outline: serde_json::Value = serde_json::from_str(&call("outline,format=json")).expect("JSON");
    assert_eq!(outline["args"][0]["location"]["ranges"][0]["start"]["line"], 2);
    assert_eq!(outline["secrets"][0]["required"], true);
    let targets: serde_json::Value = serde_json::from_str(&call("targets,format=json")).expect("JSON");
    assert_eq!(targets["targets"][1]["base"], "a");
    context
        .wharf(["build", "--call=list", "."])
        .exits(2)
        .says("build, check, outline or targets");
}

#[test]
fn sources_that_cannot_be_had_are_told_apart() {
    let server = FakeServer::start(|asked| match asked.target.as_str() {
        "/loop" => Answer::status(302).header("Location", "/loop"),
        "/large" => Answer::ok("")
            .header("Content-Length", "99999999999999")
            .fault(Fault::Unsized),
        "/file" => Answer::ok("content"),
        _ => Answer::status(404),
    });
    let closed = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let nobody = closed.expect("a free port");
    let checksum = format!("--checksum=sha256:{}", "0".repeat(64));
    for (source, says) in [
        (server.url("/loop"), "redirect"),
        (server.url("/large"), "larger than"),
        (server.url("/missing"), "not found"),
        (format!("{checksum} {}", server.url("/file")), "the content is"),
        (format!("http://{nobody}/file"), "refused"),
        (format!("git://{nobody}/project.git"), "refused"),
    ] {
        let failed = refused(&format!("FROM scratch\nADD {source} /file\n"), &[]).exits(3);
        let error = failed.error();
        assert!(error.contains(says), "{source}: {error}");
        assert!(error.contains("Dockerfile:2:1"), "{source}: {error}");
    }
}
