//! What recording costs: the same work on the recorded root and on a checked-out directory, in turns.
//!
//! The work times itself, from its first command to its last: on the recorded root what the server needs is in it, and on the
//! other one the time in which the directory was written is not, nor its way to the disk. Downloads are made before, in a stage of
//! their own.

mod chain;
mod disk;
mod events;
mod works;

use std::{path::PathBuf, process::Command};

use self::{
    disk::Disk,
    works::{WORKS, Work},
};
use super::{
    Bed,
    measure::{bootstrap, measure, median},
    report::Report,
    single::{millis, write},
};

/// The smallest number of pairs that says something.
const PAIRS: u32 = 21;

/// The recorded root and the checked-out directory.
const RUNGS: [&str; 2] = ["fuse", "overlay"];

/// Milliseconds of work and of processor time, one of each a run.
#[derive(Default)]
struct Series {
    work: Vec<f64>,
    cpu: Vec<f64>,
}

/// What was measured, in the order of [`RUNGS`].
type Sides = [Series; 2];

/// The project, and the store on a disk of its own.
struct Bench<'a> {
    bed: &'a Bed,
    context: PathBuf,
    rust: String,
    _disk: Disk,
}

/// Measures every piece of work on both, in turns; who starts alternates.
pub(super) fn recording(bed: &Bed, report: &mut Report) -> Result<(), String> {
    let wanted = |name: &str| name.contains(&bed.only);
    let bench = Bench::new(bed)?;
    for work in WORKS.iter().filter(|work| wanted(work.name)) {
        if !work.extra || !bed.only.is_empty() {
            tell(work.name, bench.work(work)?, report);
        }
    }
    if wanted(chain::NAME) {
        tell(chain::NAME, chain::measure(&bench)?, report);
    }
    Ok(())
}

/// The ratio of the pairs and its interval, then what they are made of.
fn tell(name: &str, [recorded, plain]: Sides, report: &mut Report) {
    let pairs = recorded.work.iter().zip(&plain.work);
    let ratios: Vec<f64> = pairs.map(|(one, other)| one / other).collect();
    let (low, high) = bootstrap(&ratios);
    println!(
        "{name}: ratio {:.3}, 95 % interval {low:.3} to {high:.3}",
        median(&ratios)
    );
    report.add(name, "recorded / checked out", "times", ratios);
    for (who, series) in [("recorded root", recorded), ("checked-out directory", plain)] {
        report.add(name, who, "ms", series.work);
        report.add(name, &format!("{who}, CPU of all of wharf"), "ms", series.cpu);
    }
}

impl<'a> Bench<'a> {
    fn new(bed: &'a Bed) -> Result<Self, String> {
        let context = bed.directory("recording")?;
        let bases = WORKS
            .iter()
            .map(|work| (base(work), work.packages))
            .chain([("chain".to_owned(), &["python3"] as &[_])]);
        let bases: Vec<String> = bases
            .map(|(name, packages)| {
                format!("[base.{name}]\napt = \"host\"\nvariant = \"minbase\"\npackages = {packages:?}\n")
            })
            .collect();
        write(&context.join("wharf.toml"), &bases.join("\n"))?;
        for (file, text) in works::files() {
            let path = context.join(file);
            let folder = path.parent().expect("the context is above it");
            std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
            write(&path, &text)?;
        }
        Ok(Self {
            bed,
            context,
            rust: format!("--build-context=rust={}", sysroot()?),
            _disk: Disk::new(bed, "recording-disk")?,
        })
    }

    fn work(&self, work: &Work) -> Result<Sides, String> {
        let Work { before, timed, .. } = work;
        let base = base(work);
        let steps = format!(
            "FROM {base} AS before\n{before}\nFROM before AS timed\nRUN sync; a=$(date +%s%N); {timed}; b=$(date +%s%N); echo took $((b - a)) nanoseconds\n"
        );
        self.dockerfile(&base, &steps)?;
        self.in_turns(|rung| {
            let (output, cpu) = self.build(&base, rung)?;
            Ok((took(&output)?, cpu))
        })
    }

    fn dockerfile(&self, name: &str, text: &str) -> Result<(), String> {
        write(&self.context.join(format!("Dockerfile.{name}")), text)
    }

    /// Runs one build of each side for nothing, then the pairs.
    fn in_turns(&self, run: impl Fn(&str) -> Result<(f64, f64), String>) -> Result<Sides, String> {
        for rung in RUNGS {
            run(rung)?;
        }
        let mut sides = Sides::default();
        for pair in 0..self.bed.runs.max(PAIRS) as usize {
            for side in [pair % 2, (pair + 1) % 2] {
                let (work, cpu) = run(RUNGS[side])?;
                sides[side].work.push(work);
                sides[side].cpu.push(cpu);
            }
        }
        Ok(sides)
    }

    /// Builds; only the stage `timed` runs again. The events, and the processor time in milliseconds of wharf and everything that it
    /// started.
    fn build(&self, dockerfile: &str, rung: &str) -> Result<(String, f64), String> {
        let mut command = self.bed.wharf("recording-disk/store");
        command
            .args(["build", "--progress=rawjson", "--no-cache-filter=timed"])
            .arg(&self.rust)
            .arg(format!("--sandbox={rung}"))
            .arg("-f")
            .arg(self.context.join(format!("Dockerfile.{dockerfile}")))
            .arg(&self.context);
        let mut said = String::new();
        let cost = measure(|| {
            let output = command.output().map_err(|error| error.to_string())?;
            said = String::from_utf8_lossy(&output.stderr).into_owned();
            if output.status.success() {
                Ok(())
            } else {
                Err(format!("{command:?}: {said}"))
            }
        })?;
        Ok((said, millis(cost.cpu)))
    }
}

/// The name of a work's base: the first word of its own.
fn base(work: &Work) -> String {
    let letters = work.name.chars().take_while(char::is_ascii_alphabetic);
    letters.collect()
}

/// Milliseconds that the timed step says it took.
fn took(output: &str) -> Result<f64, String> {
    let said: String = events::steps(output).iter().map(events::Step::text).collect();
    let mut nanos = said.lines().filter_map(|line| {
        let (number, _) = line.strip_prefix("took ")?.split_once(" nanoseconds")?;
        number.parse::<f64>().ok()
    });
    let nanos = nanos
        .next_back()
        .ok_or_else(|| format!("the step did not say how long it took: {output}"))?;
    Ok(nanos / 1e6)
}

/// Where this machine's Rust is.
fn sysroot() -> Result<String, String> {
    let output = Command::new("rustc")
        .args(["--print", "sysroot"])
        .output()
        .map_err(|error| format!("rustc: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
