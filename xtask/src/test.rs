//! `cargo xtask test`: every check and every test, in the order in which they are cheapest to fail.

use std::{fs, path::PathBuf, process::Command};

use crate::{
    arrows, conformance, fuzz, setup,
    stage::{self, Pipeline, cargo},
};

/// How long the heavy suites may take.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// Every case at least once.
    Short,
    /// In full.
    Heavy,
}

/// Pinned, so that a new lint of a new version is a change of ours.
const DENY_VERSION: &str = "0.20.2";

/// Runs all stages and prints the summary.
pub(crate) fn run(length: Length) -> Result<(), String> {
    let mut pipeline = Pipeline::default();
    pipeline.stage("set-up", setup::run);
    pipeline.command("format", &mut cargo(&["fmt", "--all", "--check"]));
    pipeline.stage("arrows", arrows::check);
    pipeline.command(
        "clippy",
        &mut cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--quiet",
            "--",
            "--deny",
            "warnings",
        ]),
    );
    pipeline.stage("licences, bans, sources", deny);
    pipeline.command(
        "docs",
        cargo(&[
            "doc",
            "--workspace",
            "--no-deps",
            "--document-private-items",
            "--quiet",
        ])
        .env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private_intra_doc_links"),
    );
    pipeline.stage("tests", || run_tests(length));
    conformance(&mut pipeline);
    pipeline.stage("fuzzing", || match length {
        Length::Short => fuzz::run(60, fuzz::FIXED),
        Length::Heavy => fuzz::run(600, 0),
    });
    pipeline.finish()
}

/// Runs the tests, then lists and counts those that were skipped for want of a privilege or a program.
fn run_tests(length: Length) -> Result<(), String> {
    let list = std::env::current_dir()
        .map_err(|error| error.to_string())?
        .join("target/skipped-tests");
    let _ = fs::remove_file(&list);
    let result = stage::run(tests(length).env("WHARF_TEST_SKIPS", &list));
    let text = fs::read_to_string(&list).unwrap_or_default();
    let mut skipped: Vec<&str> = text.lines().collect();
    skipped.sort_unstable();
    for line in &skipped {
        println!("skipped: {line}");
    }
    println!("tests skipped: {}", skipped.len());
    result
}

fn tests(length: Length) -> Command {
    let mut command = cargo(&[
        "test",
        "--workspace",
        "--lib",
        "--bins",
        "--tests",
        "--no-fail-fast",
    ]);
    if length == Length::Heavy {
        command.env("WHARF_TEST_HEAVY", "1");
    }
    if nothing_may_be_skipped() {
        command.env("WHARF_TEST_REQUIRE_ALL", "1");
    }
    command
}

/// As root in CI everything can be installed, so that there is no reason to skip.
fn nothing_may_be_skipped() -> bool {
    std::env::var_os("CI").is_some() && setup::is_root()
}

fn conformance(pipeline: &mut Pipeline) {
    match conformance::lacks() {
        Some(why) if !nothing_may_be_skipped() => pipeline.skip("conformance", &why),
        Some(why) => pipeline.stage("conformance", || Err(why)),
        None => pipeline.stage("conformance", || conformance::run("")),
    }
}

/// `cargo deny` without its advisory database, which needs a network that CI may not have.
fn deny() -> Result<(), String> {
    let tools = PathBuf::from("target/tools");
    let program = tools.join("bin/cargo-deny");
    if !program.exists() {
        let root = tools.to_string_lossy();
        stage::run(&mut cargo(&[
            "install",
            "--quiet",
            "--locked",
            "--root",
            &root,
            "--version",
            DENY_VERSION,
            "cargo-deny",
        ]))?;
    }
    // The check itself asks no network: what it reads is fetched first.
    stage::run(&mut cargo(&["fetch", "--quiet"]))?;
    stage::run(Command::new(program).args(["--offline", "check", "bans", "licenses", "sources"]))
}
