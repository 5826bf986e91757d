//! Several stages: only what the target needs, names, numbers, `--target`.

use crate::context::TestContext;

const STAGES: &str = r#"
    FROM busybox AS builder
    RUN echo made > /made

    FROM busybox AS unneeded
    RUN echo never-built && false

    FROM busybox AS tests
    COPY --from=builder /made /checked
    RUN grep made /checked

    FROM scratch AS final
    COPY --from=builder /made /app/made
    COPY --from=0 /made /app/by-number
"#;

#[test]
fn only_the_stages_that_the_target_needs_are_built() {
    let context = TestContext::new();
    let Some(built) = context.build(STAGES, &["-t", "final"]) else {
        return;
    };
    let built = built.success().never_says("never-built").never_says("grep made");
    assert_eq!(built.count("echo made"), 1, "{}", built.stderr);
    assert_eq!(
        context
            .inspect("final", "/manifest/layers/1/mediaType")
            .matches("tar")
            .count(),
        1
    );
    assert_eq!(context.inspect("final", "/manifest/layers/2"), "null");
}

#[test]
fn another_target_is_named() {
    let context = TestContext::new();
    for target in ["tests", "TESTS"] {
        let Some(built) = context.build(STAGES, &["--target", target]) else {
            return;
        };
        built
            .success()
            .says("grep made /checked")
            .never_says("never-built");
    }
}

#[test]
fn an_unknown_stage_is_a_mistake_with_a_suggestion() {
    let context = TestContext::new();
    context.write("Dockerfile", STAGES);
    let failed = context.wharf(["build", "--target", "fnal", "."]).exits(2);
    failed.says("fnal").says("final");
    context.write(
        "Dockerfile",
        "FROM scratch AS first\nFROM scratch\nCOPY --from=fist /a /b\n",
    );
    let failed = context.wharf(["build", "."]);
    // A name that is no stage is an image's; that there is a stage of nearly that name is worth saying.
    assert_ne!(failed.code, 0, "{}", failed.stderr);
    failed.says("fist");
}

#[test]
fn stages_without_a_common_step_run_at_the_same_time() {
    let context = TestContext::new();
    // Each waits for the other through a cache mount; one after the other, the first would wait in vain.
    let dockerfile = r#"
        FROM busybox AS a
        RUN --mount=type=cache,id=meet,target=/meet touch /meet/a; \
            for i in $(seq 300); do test -e /meet/b && exit 0; sleep 0.1; done; exit 1
        FROM busybox AS b
        RUN --mount=type=cache,id=meet,target=/meet touch /meet/b; \
            for i in $(seq 300); do test -e /meet/a && exit 0; sleep 0.1; done; exit 1
        FROM scratch
        COPY --from=a /etc/passwd /a
        COPY --from=b /etc/passwd /b
    "#;
    if let Some(built) = context.build(dockerfile, &["--parallel", "2"]) {
        built.success();
    }
}
