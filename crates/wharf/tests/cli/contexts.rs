//! Where files and bases come from: standard input, named contexts, layouts, images of the store.

use std::{fs::File, process::Stdio};

use crate::{busybox, context::TestContext, outcome::Outcome, programs::tool};

#[test]
fn a_dockerfile_on_standard_input_has_no_context_unless_it_is_named() {
    let context = TestContext::new();
    let dockerfile = context.write("elsewhere", "FROM scratch\nCOPY elsewhere /file\n");
    let open = || Stdio::from(File::open(&dockerfile).expect("just written"));
    let without = Outcome::of(context.command(["build", "-"]).stdin(open()));
    without.exits(2).says("context");
    Outcome::of(context.command(["build", "-f", "-", "."]).stdin(open())).success();
}

#[test]
fn a_tar_on_standard_input_is_the_context() {
    let context = TestContext::new();
    context.write("in/Dockerfile", "FROM scratch\nCOPY file /file\n");
    context.write("in/file", "x");
    for (flag, name) in [("-cf", "context.tar"), ("-czf", "context.tar.gz")] {
        let archive = context.out(name);
        let (from, to) = (context.path("in"), archive.display().to_string());
        if tool("tar", ["-C", &from.display().to_string(), flag, &to, "."]).is_none() {
            return;
        }
        let input = Stdio::from(File::open(&archive).expect("just written"));
        Outcome::of(context.command(["build", "-"]).stdin(input)).success();
    }
}

#[test]
fn named_contexts_are_directories_layouts_and_images() {
    let context = TestContext::new();
    let Some(layout) = busybox::layout() else { return };
    context.write("../out/file", "from the extra directory\n");
    let built = context.build(
        "FROM busybox\nRUN echo mine > /mine\n",
        &["-t", "example.com/mine"],
    );
    built.expect("the layout was made").success();
    let layout = format!("again=oci-layout://{}:latest", layout.display());
    let dockerfile = r"
        FROM image
        COPY --from=extra file /extra
        COPY --from=again /bin/busybox /other
        COPY --from=example.com/mine /mine /mine-again
        RUN grep extra /extra && grep mine /mine && cmp /other /bin/busybox && cmp /mine /mine-again
    ";
    let args = [
        "--build-context",
        "extra=../out",
        "--build-context",
        &layout,
        "--build-context",
        "image=docker-image://example.com/mine",
    ];
    context
        .build(dockerfile, &args)
        .expect("a machine that built")
        .success();
}

#[test]
fn a_named_context_replaces_a_stage_of_that_name() {
    let context = TestContext::new();
    context.write("../extra/made", "replaced");
    let dockerfile =
        "FROM scratch AS maker\nCOPY missing /made\nFROM scratch\nCOPY --from=maker /made /made\n";
    context.write("Dockerfile", dockerfile);
    context
        .wharf(["build", "--build-context", "maker=../extra", "."])
        .success();
}

#[test]
fn the_dockerfile_may_lie_elsewhere() {
    let context = TestContext::new();
    context.write("docker/Web.Dockerfile", "FROM scratch\nCOPY file /file\n");
    context.write("context/file", "x");
    context
        .wharf(["build", "-f", "docker/Web.Dockerfile", "context"])
        .success();
    context.write("context/dockerfile", "FROM scratch\nCOPY file /file\n");
    context.wharf(["build", "context"]).success();
}

#[test]
fn a_context_that_nothing_takes_is_not_read() {
    let context = TestContext::new();
    context.write("Dockerfile", "FROM scratch\nLABEL a=b\n");
    for number in 0..50 {
        context.write(format!("file{number}"), &number.to_string());
    }
    context
        .wharf(["build", "."])
        .success()
        .never_says("build context");
}
