//! Coverage-guided fuzzing on stable Rust: libFuzzer, with LLVM's coverage pass switched on by hand.

use std::{fs, path::PathBuf, process::Command};

use crate::stage::{self, cargo};

/// What `fuzz/` has.
const TARGETS: &[&str] = &["dockerfile", "inventory", "layer_tar", "tree_pack"];

/// What cargo-fuzz passes without a sanitizer: 8-bit counters and a table of program counters for libFuzzer.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Ccodegen-units=1";

/// The seed of the short run, so that CI does the same thing twice; 0 is a new one each time.
pub(crate) const FIXED: u32 = 1;

/// Fuzzes every target for so many seconds. What it finds lies in `target/fuzz`.
pub(crate) fn run(seconds: u32, seed: u32) -> Result<(), String> {
    let root = PathBuf::from("target/fuzz");
    let build = root.join("build");
    let mut command = cargo(&[
        "build",
        "--release",
        "--quiet",
        "--manifest-path",
        "fuzz/Cargo.toml",
    ]);
    stage::run(command.env("RUSTFLAGS", FLAGS).env("CARGO_TARGET_DIR", &build))?;
    for target in TARGETS {
        let corpus = root.join("corpus").join(target);
        fs::create_dir_all(&corpus).map_err(|error| format!("{}: {error}", corpus.display()))?;
        println!("fuzzing {target} for {seconds} s");
        let program = binary(&build, target)?;
        let artifacts = format!("-artifact_prefix={}/", root.display());
        let time = format!("-max_total_time={seconds}");
        let seed = format!("-seed={seed}");
        let args = [
            &time[..],
            &seed,
            &artifacts,
            "-timeout=20",
            "-rss_limit_mb=4096",
            "-print_final_stats=1",
            "-verbosity=0",
        ];
        let mut command = Command::new(program);
        command.args(args).arg(&corpus);
        let seeds = PathBuf::from("fuzz/seeds").join(target);
        if seeds.exists() {
            command.arg(seeds);
        }
        stage::run(&mut command)?;
    }
    Ok(())
}

/// The build's target triple is part of the path.
fn binary(build: &std::path::Path, name: &str) -> Result<PathBuf, String> {
    let folders = fs::read_dir(build).map_err(|error| format!("{}: {error}", build.display()))?;
    let candidates = folders
        .flatten()
        .map(|folder| folder.path().join("release").join(name));
    candidates
        .into_iter()
        .find(|path| path.is_file())
        .ok_or_else(|| format!("no fuzz target {name} was built"))
}
