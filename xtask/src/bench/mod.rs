//! `cargo xtask bench`: wharf beside its peers on one machine, in one run, in turns; every value is kept.
//!
//! Whole processes of the release build. Needs root, a network for packages, Go for BuildKit, and a machine that does nothing else.

mod buildkit;
mod fleet;
mod language;
mod languages;
mod measure;
mod peers;
mod recording;
mod report;
mod single;
mod traced;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use self::{measure::run as quietly, report::Report};
use crate::stage::{self, cargo};

/// A benchmark by name.
type Bench = (&'static str, fn(&Bed, &mut Report) -> Result<(), String>);

/// All of them.
const BENCHES: &[Bench] = &[
    ("rebuild", single::rebuild),
    ("change", single::change),
    ("run-true", single::run_true),
    ("context", single::context),
    ("memory", single::memory),
    ("base", single::base),
    ("together", single::together),
    ("recording", recording::recording),
    ("fleet", fleet::fleet),
    ("languages", languages::languages),
    ("peers", peers::small),
    ("path-set", traced::path_set),
    ("large-tree", traced::large_tree),
    ("language", language::language),
];

/// What the benchmarks run in.
pub(crate) struct Bed {
    wharf: PathBuf,
    scratch: PathBuf,
    runs: u32,
    /// Only the parts of a benchmark whose names have this in them.
    only: String,
}

impl Bed {
    /// The command, with a store of this name in the scratch directory.
    fn wharf(&self, store: &str) -> Command {
        let mut command = Command::new(&self.wharf);
        command.env("WHARF_STORE", self.scratch.join(store));
        command
    }

    /// A directory of its own, empty.
    fn directory(&self, name: &str) -> Result<PathBuf, String> {
        let directory = self.scratch.join(name);
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).map_err(|error| error.to_string())?;
        Ok(directory)
    }
}

/// Runs the benchmarks that `names` name, or all.
pub(crate) fn run(names: &[&str]) -> Result<(), String> {
    let mut runs = 5;
    let mut program = None;
    let mut only = "";
    let mut wanted = Vec::new();
    let mut words = names.iter();
    while let Some(word) = words.next() {
        match *word {
            "--runs" => {
                let number = words.next().and_then(|number| number.parse().ok());
                runs = number.ok_or("--runs takes a number")?;
            }
            "--wharf" => {
                let path = words.next().ok_or("--wharf takes a file")?;
                program = Some(std::path::absolute(path).map_err(|error| error.to_string())?);
            }
            "--only" => only = words.next().ok_or("--only takes a part of a name")?,
            name if BENCHES.iter().any(|(known, _)| *known == name) => wanted.push(name),
            other => return Err(format!("no benchmark is called {other}: {}", known())),
        }
    }
    install()?;
    let wharf = match program {
        Some(program) => program,
        None => release()?,
    };
    let scratch = std::env::temp_dir().join("wharf-bench");
    let _ = fs::remove_dir_all(&scratch);
    fs::create_dir_all(&scratch).map_err(|error| error.to_string())?;
    let bed = Bed {
        wharf,
        scratch,
        runs,
        only: only.to_owned(),
    };
    for (name, bench) in BENCHES {
        if wanted.is_empty() || wanted.contains(name) {
            let mut report = Report::default();
            println!("\n{name}");
            bench(&bed, &mut report)?;
            report.write(name)?;
        }
    }
    fs::remove_dir_all(&bed.scratch).map_err(|error| error.to_string())
}

fn known() -> String {
    BENCHES
        .iter()
        .map(|(name, _)| *name)
        .collect::<Vec<_>>()
        .join(", ")
}

/// The peers and tools, by program and Debian package.
fn install() -> Result<(), String> {
    let needs = [
        ("/usr/bin/mmdebstrap", "mmdebstrap"),
        ("/usr/sbin/runc", "runc"),
        ("/usr/bin/time", "time"),
        ("/usr/bin/buildah", "buildah"),
    ];
    let missing: Vec<_> = needs
        .iter()
        .filter(|(program, _)| !Path::new(program).exists())
        .collect();
    for (_, package) in missing {
        quietly(Command::new("apt-get").args(["install", "--yes", "--quiet", package]))?;
    }
    Ok(())
}

/// Builds wharf as it is released.
fn release() -> Result<PathBuf, String> {
    stage::run(&mut cargo(&["build", "--release", "--quiet"]))?;
    let target = std::env::current_dir()
        .map_err(|error| error.to_string())?
        .join("target");
    let places = fs::read_dir(&target)
        .map_err(|error| error.to_string())?
        .flatten();
    let programs = places.map(|place| place.path().join("release/wharf"));
    programs
        .chain([target.join("release/wharf")])
        .find(|program| program.exists())
        .ok_or_else(|| "there is no release build".to_owned())
}
