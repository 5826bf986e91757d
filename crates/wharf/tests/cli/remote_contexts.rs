//! Contexts on a network: repositories and archives, from servers on loopback.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use wharf_testkit::{
    Scratch,
    fake_http::{Answer, Asked, FakeServer},
    git_http,
};

use crate::{context::TestContext, outcome::Outcome, programs::tool};

/// A repository with two commits, and a server for it.
pub(crate) struct Repository {
    scratch: Scratch,
    server: FakeServer,
}

impl Repository {
    pub(crate) fn new() -> Option<Self> {
        if !git_http::is_installed() {
            wharf_testkit::skip("git and its http-backend are not installed");
            return None;
        }
        let scratch = Scratch::new();
        let root = scratch.path().to_owned();
        let server = FakeServer::start(move |asked| git_http::answer(&root, asked));
        let repository = Self { scratch, server };
        repository.git(&["init", "--quiet", "--initial-branch=main", "."]);
        repository.write("Dockerfile", "FROM scratch\nCOPY . /\n");
        repository.write("file", "first");
        repository.write("sub/Dockerfile", "FROM scratch\nCOPY name /name\n");
        repository.write("sub/name", "below");
        repository.write("sub/Other.Dockerfile", "FROM scratch\nCOPY name /other\n");
        repository.commit();
        repository.git(&["tag", "-a", "-m", "the first", "v1"]);
        repository.write("file", "second");
        repository.write(".dockerignore", "sub\n");
        repository.commit();
        Some(repository)
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.scratch.join("repo.git")
    }

    fn write(&self, path: &str, content: &str) {
        self.scratch.write(Path::new("repo.git").join(path), content);
    }

    fn commit(&self) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message=more"]);
    }

    pub(crate) fn git(&self, args: &[&str]) -> String {
        fs::create_dir_all(self.work()).expect("the scratch directory is writable");
        let mut command = Command::new("git");
        command
            .args(args)
            .current_dir(self.work())
            .env("HOME", self.scratch.path());
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "a bird");
            command.env(format!("GIT_{who}_EMAIL"), "bird@example.com");
        }
        Outcome::of(&mut command).success().stdout.trim().to_owned()
    }

    pub(crate) fn url(&self, fragment: &str) -> String {
        self.server.url(&format!("/repo.git{fragment}"))
    }
}

/// Builds a context into a directory.
fn build(context: &TestContext, args: &[&str]) -> Outcome {
    let output = format!("type=local,dest={}", context.out("files").display());
    let _ = fs::remove_dir_all(context.out("files"));
    context.wharf(["build", "-o", &output].iter().chain(args))
}

#[track_caller]
fn check(context: &TestContext, args: &[&str], files: &[(&str, &str)]) {
    build(context, args).success();
    for (name, content) in files {
        let path = context.out("files").join(name);
        assert_eq!(
            fs::read_to_string(path).ok().as_deref(),
            Some(*content),
            "{name} of {args:?}"
        );
    }
}

#[test]
fn repositories_by_branch_tag_commit_and_directory() {
    let Some(repository) = Repository::new() else {
        return;
    };
    let context = TestContext::new();
    check(&context, &[&repository.url("")], &[("file", "second")]);
    assert!(
        context.out("files/sub").exists(),
        "its .dockerignore is a file like any other"
    );
    assert!(!context.out("files/.git").exists());
    check(&context, &[&repository.url("#main")], &[("file", "second")]);
    check(
        &context,
        &[&repository.url("#v1")],
        &[("file", "first"), ("sub/name", "below")],
    );
    let first = repository.git(&["rev-parse", "v1^{commit}"]);
    check(
        &context,
        &[&repository.url(&format!("#{first}"))],
        &[("file", "first")],
    );
    check(&context, &[&repository.url("#v1:sub")], &[("name", "below")]);
    check(&context, &[&repository.url("#:sub")], &[("name", "below")]);
    check(
        &context,
        &[&repository.url("?tag=v1&subdir=sub")],
        &[("name", "below")],
    );
    let other = ["-f", "Other.Dockerfile", &repository.url("#main:sub")];
    check(&context, &other, &[("other", "below")]);
}

#[test]
fn a_moved_branch_is_seen_and_a_repository_is_a_named_context_too() {
    let Some(repository) = Repository::new() else {
        return;
    };
    let context = TestContext::new();
    context.write("Dockerfile", "FROM scratch\nCOPY --from=source file /file\n");
    let named = format!("source={}", repository.url("#main"));
    let args = ["--build-context", named.as_str(), "."];
    check(&context, &args, &[("file", "second")]);
    repository.write("file", "third");
    repository.commit();
    check(&context, &args, &[("file", "third")]);
}

#[test]
fn what_a_repository_lacks_is_named() {
    let Some(repository) = Repository::new() else {
        return;
    };
    let context = TestContext::new();
    build(&context, &[&repository.url("#nowhere")])
        .exits(3)
        .says("nowhere");
    build(&context, &[&repository.url("#main:absent")])
        .exits(3)
        .says("no directory absent");
    build(&context, &[&repository.server.url("/other.git")])
        .exits(3)
        .says("/other.git");
    build(&context, &["-f", "Absent", &repository.url("")])
        .exits(2)
        .says("Absent");
    // Nobody listens on the discard port.
    build(&context, &["http://127.0.0.1:9/repo.git"])
        .exits(3)
        .says("127.0.0.1:9/repo.git");
}

/// An archive of a small context.
fn archive(context: &TestContext, flag: &str) -> Option<Vec<u8>> {
    context.write("in/Dockerfile", "FROM scratch\nCOPY file /file\n");
    context.write("in/docker/Other", "FROM scratch\nCOPY docker /docker\n");
    context.write("in/file", "in an archive");
    let (from, to) = (context.path("in"), context.out("context.tar"));
    let args = [
        "-C",
        &from.display().to_string(),
        flag,
        &to.display().to_string(),
        ".",
    ];
    tool("tar", args)?;
    Some(fs::read(to).expect("tar wrote it"))
}

#[test]
fn archives_by_url() {
    let context = TestContext::new();
    for flag in ["-cf", "-czf", "-cJf"] {
        let Some(bytes) = archive(&context, flag) else {
            return;
        };
        let server = FakeServer::start(move |_| Answer::ok(bytes.clone()));
        check(&context, &[&server.url("/context")], &[("file", "in an archive")]);
        let other = ["-f", "docker/Other", &server.url("/context")];
        check(
            &context,
            &other,
            &[("docker/Other", "FROM scratch\nCOPY docker /docker\n")],
        );
    }
}

#[test]
fn a_url_of_a_text_is_a_dockerfile() {
    let context = TestContext::new();
    let server = FakeServer::start(|_| Answer::ok("FROM scratch\nCOPY <<E /file\ntext\nE\n"));
    check(&context, &[&server.url("/any/Dockerfile")], &[("file", "text\n")]);
}

#[test]
fn a_dockerfile_by_url_has_the_context_that_is_named() {
    let context = TestContext::new();
    context.write("file", "here");
    let server = FakeServer::start(|_| Answer::ok("FROM scratch\nCOPY file /file\n"));
    check(
        &context,
        &["-f", &server.url("/any/name"), "."],
        &[("file", "here")],
    );
    let server = FakeServer::start(|_| Answer::status(404));
    build(&context, &["-f", &server.url("/any/name"), "."])
        .exits(3)
        .says("/any/name: not found");
}

#[test]
fn a_dockerfile_from_here_for_files_from_there() {
    let Some(repository) = Repository::new() else {
        return;
    };
    let context = TestContext::new();
    let dockerfile = context.write("Mine", "FROM scratch\nCOPY file /mine\n");
    let path = dockerfile.display().to_string();
    check(
        &context,
        &["-f", &path, &repository.url("")],
        &[("mine", "second")],
    );
    let output = format!("type=local,dest={}", context.out("files").display());
    let input = fs::File::open(&dockerfile).expect("just written");
    let args = ["build", "-o", &output, "-f", "-", &repository.url("#v1")];
    Outcome::of(context.command(args).stdin(input)).success();
    assert_eq!(
        fs::read_to_string(context.out("files/mine")).ok().as_deref(),
        Some("first")
    );
}

#[test]
fn servers_are_told_the_secrets_that_are_theirs() {
    let told = |asked: &Asked| asked.header("authorization").unwrap_or("nothing").to_owned();
    let server = FakeServer::start(move |asked| Answer::ok(told(asked)));
    let context = TestContext::new();
    let host = server.authority();
    context.write(
        "Dockerfile",
        &format!("FROM scratch\nADD http://{host}/file /file\n"),
    );
    context.write("token", "hush\n");
    let build = |id: &str| {
        build(
            &context,
            &["--secret", &format!("id={id},src=token"), "--no-cache", "."],
        )
    };
    build(&format!("HTTP_AUTH_TOKEN_{host}")).success();
    let got = || fs::read_to_string(context.out("files/file")).ok();
    assert_eq!(got().as_deref(), Some("Bearer hush"));
    build("HTTP_AUTH_TOKEN_elsewhere").success();
    assert_eq!(got().as_deref(), Some("nothing"));
    let server = FakeServer::start(|_| Answer::status(401));
    context.write(
        "Dockerfile",
        &format!("FROM scratch\nADD {} /r/\n", server.url("/r.git")),
    );
    build("GIT_AUTH_TOKEN").exits(3).says("/r.git");
    let value = "basic eC1hY2Nlc3MtdG9rZW46aHVzaA==";
    let asked = server.asked();
    assert!(
        asked
            .iter()
            .all(|asked| asked.header("authorization") == Some(value)),
        "{asked:?}"
    );
}

#[test]
fn what_a_server_does_not_give_is_the_worlds_fault() {
    let context = TestContext::new();
    let server = FakeServer::start(|_| Answer::status(404));
    build(&context, &[&server.url("/context.tar.gz")])
        .exits(3)
        .says("/context.tar.gz: not found");
    let Some(bytes) = archive(&context, "-czf") else {
        return;
    };
    let server = FakeServer::start(move |_| Answer::ok(&bytes[..bytes.len() / 2]));
    build(&context, &[&server.url("/context.tar.gz")])
        .exits(3)
        .says("context");
    context.wharf(["store", "verify"]).success();
}

#[test]
fn an_archive_on_standard_input_with_another_dockerfile() {
    let context = TestContext::new();
    let Some(bytes) = archive(&context, "-czf") else {
        return;
    };
    let output = format!("type=local,dest={}", context.out("files").display());
    let run = |args: &[&str], bytes: &[u8]| {
        let path = context.out("input");
        fs::write(&path, bytes).expect("a new file");
        let input = fs::File::open(&path).expect("just written");
        Outcome::of(context.command(args).stdin(input))
    };
    run(&["build", "-o", &output, "-f", "docker/Other", "-"], &bytes).success();
    assert!(context.out("files/docker/Other").exists());
    run(&["build", "-"], &bytes[..bytes.len() / 2]).exits(3);
    run(&["build", "-f", "-", "-"], &bytes)
        .exits(2)
        .says("standard input");
}
