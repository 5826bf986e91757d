//! COPY and local ADD: what is chosen, where it goes, whose it is. Nothing runs here; the result is read from a flat tar.

use std::fs;

use crate::{context::TestContext, programs::tool};

/// Builds to a tar and lists it: type and mode, owner, path, link target.
fn listing(context: &TestContext, dockerfile: &str) -> Option<String> {
    context.write("Dockerfile", dockerfile);
    let tar = context.out("files.tar");
    let output = format!("type=tar,dest={}", tar.display());
    context.wharf(["build", "-o", &output, "."]).success();
    let listed = tool("tar", ["--numeric-owner", "-tvf", &tar.to_string_lossy()])?;
    // tar's columns: mode, owner, size, date, time, and the rest of the line.
    let line = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        format!("{} {} {}\n", fields[0], fields[1], fields[5..].join(" "))
    };
    // The root itself is in the tar too, and says nothing here.
    Some(
        listed
            .lines()
            .map(line)
            .filter(|line| !line.ends_with(" ./\n"))
            .collect(),
    )
}

fn project() -> TestContext {
    let context = TestContext::new();
    for (path, text) in [
        ("a.txt", "a"),
        ("b.txt", "b"),
        ("c.md", "c"),
        ("dir/one.txt", "1"),
        ("dir/deep/two.txt", "2"),
        ("dir/deep/three.md", "3"),
    ] {
        context.write(path, text);
    }
    std::os::unix::fs::symlink("one.txt", context.path("dir/link")).expect("a new name");
    context
}

#[test]
fn wildcards_choose_and_a_directory_gives_its_contents() {
    let context = project();
    let listed = listing(
        &context,
        "FROM scratch\nCOPY *.txt /texts/\nCOPY dir /copied/\nCOPY d*r/d??p/*.md /md/\n",
    );
    let Some(listed) = listed else { return };
    insta::assert_snapshot!(listed, @"
    drwxr-xr-x 0/0 copied/
    drwxr-xr-x 0/0 copied/deep/
    -rw-r--r-- 0/0 copied/deep/three.md
    -rw-r--r-- 0/0 copied/deep/two.txt
    lrwxrwxrwx 0/0 copied/link -> one.txt
    -rw-r--r-- 0/0 copied/one.txt
    drwxr-xr-x 0/0 md/
    -rw-r--r-- 0/0 md/three.md
    drwxr-xr-x 0/0 texts/
    -rw-r--r-- 0/0 texts/a.txt
    -rw-r--r-- 0/0 texts/b.txt
    ");
}

#[test]
fn owners_and_modes_are_set_on_the_way() {
    let context = project();
    let dockerfile = r"
        FROM scratch
        COPY --chown=1000:100 dir/deep /owned/
        COPY --chmod=640 a.txt /numbers
        COPY --chmod=u+x,go-r b.txt /symbols
        COPY --chown=7 --chmod=0700 dir /both
        WORKDIR /made/by/workdir
        COPY c.md .
    ";
    let Some(listed) = listing(&context, dockerfile) else {
        return;
    };
    insta::assert_snapshot!(listed, @"
    drwx------ 7/7 both/
    drwx------ 7/7 both/deep/
    -rwx------ 7/7 both/deep/three.md
    -rwx------ 7/7 both/deep/two.txt
    lrwxrwxrwx 7/7 both/link -> one.txt
    -rwx------ 7/7 both/one.txt
    drwxr-xr-x 0/0 made/
    drwxr-xr-x 0/0 made/by/
    drwxr-xr-x 0/0 made/by/workdir/
    -rw-r--r-- 0/0 made/by/workdir/c.md
    -rw-r----- 0/0 numbers
    drwxr-xr-x 1000/100 owned/
    -rw-r--r-- 1000/100 owned/three.md
    -rw-r--r-- 1000/100 owned/two.txt
    -rwx------ 0/0 symbols
    ");
}

#[test]
fn names_of_owners_are_those_of_the_image() {
    let context = project();
    let built = context.build(
        "FROM busybox\nCOPY --chown=gull:fish a.txt /a\nRUN test $(stat -c %u:%g /a) = 1000:200\n",
        &[],
    );
    if let Some(built) = built {
        built.success();
        let failed = context.build("FROM busybox\nCOPY --chown=osprey a.txt /a\n", &[]);
        failed.expect("a machine that built").exits(2).says("osprey");
    }
}

#[test]
fn what_is_ignored_is_not_there() {
    let context = project();
    context.write(
        ".dockerignore",
        "# not these\n*.md\n**/*.md\n!c.md\ndir/deep/two*\nDockerfile\n.dockerignore\n",
    );
    let Some(listed) = listing(&context, "FROM scratch\nCOPY . /\n") else {
        return;
    };
    insta::assert_snapshot!(listed, @"
    -rw-r--r-- 0/0 a.txt
    -rw-r--r-- 0/0 b.txt
    -rw-r--r-- 0/0 c.md
    drwxr-xr-x 0/0 dir/
    drwxr-xr-x 0/0 dir/deep/
    lrwxrwxrwx 0/0 dir/link -> one.txt
    -rw-r--r-- 0/0 dir/one.txt
    ");
}

#[test]
fn a_dockerfiles_own_ignore_file_comes_first() {
    let context = project();
    context.write(".dockerignore", "a.txt\n");
    context.write("Dockerfile.dockerignore", "*\n!a.txt\n");
    let Some(listed) = listing(&context, "FROM scratch\nCOPY . /\n") else {
        return;
    };
    assert_eq!(listed, "-rw-r--r-- 0/0 a.txt\n");
}

#[test]
fn here_documents_are_files() {
    let context = project();
    let dockerfile = "FROM scratch\nARG WHO=you\nCOPY --chmod=700 <<one <<'two' /d/\nhello $WHO\none\nhello $WHO\ntwo\nCOPY <<-EOF /named\n\tindented\n\tEOF\n";
    let Some(listed) = listing(&context, dockerfile) else {
        return;
    };
    insta::assert_snapshot!(listed, @"
    drwx------ 0/0 d/
    -rwx------ 0/0 d/one
    -rwx------ 0/0 d/two
    -rw-r--r-- 0/0 named
    ");
    let output = format!("type=local,dest={}", context.out("files").display());
    context.wharf(["build", "-o", &output, "."]).success();
    let read = |name: &str| fs::read_to_string(context.out("files").join(name)).expect("an exported file");
    assert_eq!(
        [read("d/one"), read("d/two"), read("named")],
        ["hello you\n", "hello $WHO\n", "indented\n"]
    );
}

#[test]
fn add_unpacks_local_archives() {
    let context = project();
    let archive = context.path("dir.tar.gz");
    let args = [
        "-C",
        &context.path("").to_string_lossy(),
        "-czf",
        &archive.to_string_lossy(),
        "dir/deep",
    ]
    .map(str::to_owned);
    if tool("tar", args).is_none() {
        return;
    }
    let listed = listing(
        &context,
        "FROM scratch\nADD --chown=5:5 dir.tar.gz /unpacked/\nCOPY dir.tar.gz /kept/\n",
    );
    let Some(listed) = listed else { return };
    assert!(listed.contains("unpacked/dir/deep/two.txt"), "{listed}");
    assert!(listed.contains("-rw-r--r-- 0/0 kept/dir.tar.gz"), "{listed}");
}

#[test]
fn missing_sources_are_named() {
    let context = project();
    for (instruction, named) in [
        ("COPY nothing /", "nothing"),
        ("COPY a.txt nothing.txt /d/", "nothing.txt"),
        ("COPY ../outside /", "outside"),
    ] {
        context.write("Dockerfile", &format!("FROM scratch\n{instruction}\n"));
        let failed = context.wharf(["build", "."]).exits(2).says(named);
        failed.says("Dockerfile:2:1").says("^^^");
    }
}

#[test]
fn a_wildcard_that_matches_nothing_copies_nothing() {
    let context = project();
    let Some(listed) = listing(&context, "FROM scratch\nCOPY a.txt *.zip /d/\n") else {
        return;
    };
    assert_eq!(listed, "drwxr-xr-x 0/0 d/\n-rw-r--r-- 0/0 d/a.txt\n");
}

#[test]
fn files_of_another_stage_keep_their_owners_and_hard_links() {
    let context = TestContext::new();
    let dockerfile = r"
        FROM busybox AS made
        RUN mkdir /d && echo x > /d/a && ln /d/a /d/b && chown 5:6 /d/a && chmod 4711 /d/a && chown 7 /d
        FROM busybox
        COPY --from=made /d /e
        RUN test $(stat -c %u:%g:%a /e/b) = 5:6:4711 && test $(stat -c %i /e/a) = $(stat -c %i /e/b)
    ";
    if let Some(built) = context.build(dockerfile, &[]) {
        built.success();
    }
}
