//! `wharf explain`: what people are told about steps that ran and steps that did not.

use crate::context::TestContext;

const DOCKERFILE: &str = "
    FROM busybox
    WORKDIR /app
    COPY . .
    RUN cat list > /installed
    RUN echo src/* > /names
    ARG VERSION=1
    RUN echo $VERSION > /version
";

/// What is told of one step, without its times.
fn told(context: &TestContext, step: &str) -> String {
    let said = context.wharf(["explain", step]).success().stdout;
    let lines = said.lines().skip(2).map(|line| {
        let words = line
            .split(' ')
            .filter(|word| !word.contains('.') || word.parse::<f64>().is_err());
        words.collect::<Vec<_>>().join(" ")
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_step_says_why() {
    let context = TestContext::new();
    for (path, text) in [
        ("list", "one"),
        ("src/a", "a"),
        ("README", "old"),
        (".dockerignore", "Dockerfile\n"),
    ] {
        context.write(path, text);
    }
    let build = |args: &[&str]| {
        context
            .build(DOCKERFILE, args)
            .map(crate::outcome::Outcome::success)
    };
    let Some(_) = build(&[]) else { return };
    context.write("README", "new");
    context.write("src/b", "b");
    let again = build(&["--build-arg", "VERSION=2"]).expect("it built");
    assert!(
        again.stderr.contains("because /app/src has b in it now"),
        "{}",
        again.stderr
    );
    insta::assert_snapshot!(told(&context, "COPY"), @r"
    #3 [3/6] COPY . .  (line 3)
       ran s, because what it copies, or where to, changed
         /app/README changed
         /app/src/b is new
    ");
    insta::assert_snapshot!(told(&context, "/5"), @r"
    #5 [5/6] RUN echo src/* > /names  (line 5)
       ran s, because /app/src has b in it now
         /app/src has b in it now, by COPY . . at line 3
       hint: the step lists /app/src, where b is new: copy what it needs before COPY . . (line 3), or add b to .dockerignore
    ");
    insta::assert_snapshot!(told(&context, "/4"), @r"
    #4 [4/6] RUN cat list > /installed  (line 4)
       reused: CACHED (what it read is unchanged), s saved
    ");
    insta::assert_snapshot!(told(&context, "version"), @r"
    #6 [6/6] RUN echo 2 > /version  (line 7)
       ran s: the variable VERSION changed
    ");
    let json = context.wharf(["explain", "--json", ":5"]).success().json();
    assert_eq!(json["steps"][0]["reason"]["why"], "changed");
    assert_eq!(json["steps"][0]["reason"]["changes"][0]["added"][0], "b");
    let nobody = context.wharf(["explain", "nothing like it"]);
    nobody.exits(2).says("no step of this build");
}
