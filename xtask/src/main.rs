//! Developer commands: `cargo xtask test` is what CI runs.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command for people")]

mod arrows;
mod bench;
mod buildkit;
mod conformance;
mod fuzz;
mod go;
mod setup;
mod stage;
mod test;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask COMMAND

  test [--heavy]     everything that CI runs: set-up, format, lints, licences, docs, arrows, tests
  setup              only install what the tests need beyond Rust
  fuzz [SECONDS]     only fuzz, each target for so long (60)
  bench [NAME…]      measure wharf beside its peers (--runs N, --wharf FILE)
  conformance [WORD] only build the cases of tests/conformance (whose name contains WORD) with wharf and with BuildKit,
                     and compare the images
  arrows             only check which crate depends on which
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["test"] => test::run(test::Length::Short),
        ["test", "--heavy"] => test::run(test::Length::Heavy),
        ["setup"] => setup::run(),
        ["fuzz"] => fuzz::run(60, 0),
        ["fuzz", seconds] => seconds
            .parse()
            .map_err(|_| USAGE.to_owned())
            .and_then(|seconds| fuzz::run(seconds, 0)),
        ["bench", ref names @ ..] => bench::run(names),
        ["conformance"] => conformance::run(""),
        ["conformance", word] => conformance::run(word),
        ["arrows"] => arrows::check(),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}
