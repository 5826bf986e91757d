//! `images`, `tag`, `rmi`, `history`: what the store tells.

use crate::context::TestContext;

#[test]
fn names_are_given_listed_and_taken_away() {
    let context = TestContext::new();
    context.write("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    context
        .wharf(["build", "-t", "first", "-t", "example.com/second:2", "."])
        .success();
    context.wharf(["tag", "first", "third:3"]).success();
    let listed = context.wharf(["images", "--json"]).success().json();
    let names: Vec<_> = listed
        .as_array()
        .expect("an array")
        .iter()
        .map(|row| row["name"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(
        names,
        [
            "docker.io/library/first:latest",
            "docker.io/library/third:3",
            "example.com/second:2"
        ]
    );
    context.wharf(["rmi", "third:3"]).success();
    context.wharf(["rmi", "third:3"]).exits(2);
    let listed = context.wharf(["images"]).success().stdout;
    assert!(
        listed.contains("example.com/second:2") && !listed.contains("third"),
        "{listed}"
    );
}

#[test]
fn every_build_leaves_a_record() {
    let context = TestContext::new();
    context.write("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    context.wharf(["build", "-t", "made", "."]).success();
    context.write("Dockerfile", "FROM scratch\nCOPY missing /\n");
    context.wharf(["build", "."]).exits(2);
    let listed = context.wharf(["history", "--json"]).success().json();
    let outcomes: Vec<_> = listed
        .as_array()
        .expect("an array")
        .iter()
        .map(|row| row["outcome"].clone())
        .collect();
    assert_eq!(outcomes, ["failed", "succeeded"]);
    let first = listed[1]["build"].as_str().expect("a name");
    let shown = context.wharf(["history", "show", first]).success();
    assert!(
        shown.stdout.contains("COPY Dockerfile /") && shown.stdout.contains("made"),
        "{}",
        shown.stdout
    );
    let last = context.wharf(["history", "show"]).success();
    assert!(
        last.stdout.contains("FAILED") && last.stdout.contains("missing"),
        "{}",
        last.stdout
    );
}
