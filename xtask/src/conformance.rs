//! `cargo xtask conformance`: builds every case of `tests/conformance` with wharf and with the reference builder, and compares
//! the images. What only one of them builds, and what they build differently, fails.

mod case;
mod image;
mod peers;
mod tree;
mod verdict;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
    thread,
    time::Instant,
};

use case::Case;
use peers::Peers;

/// Twice the cores of CI: a build of the reference mostly waits for its daemon and the disk.
const WORKERS: usize = 4;

/// What the builders make, removed at the next run: a failure can be looked at.
const SCRATCH: &str = "target/conformance";

/// Builds and compares the cases whose name contains `word`, prints a line for each and the counts.
pub(crate) fn run(word: &str) -> Result<(), String> {
    let cases = case::find(Path::new("tests/conformance"), word)?;
    if cases.is_empty() {
        return Err(format!("no case is called {word}"));
    }
    let scratch = fresh_scratch()?;
    let peers = Peers::start(&scratch)?;
    let start = Instant::now();
    let mut verdicts = compare_all(cases, &peers, &scratch);
    verdicts.sort();
    report(&verdicts, start)
}

/// The name of a case, and how the builders differ: nothing when it passed.
type Verdict = (String, Vec<String>);

fn compare_all(cases: Vec<Case>, peers: &Peers, scratch: &Path) -> Vec<Verdict> {
    let queue = Mutex::new(cases.into_iter());
    let verdicts = Mutex::new(Vec::new());
    let work = || {
        loop {
            let next = queue.lock().expect("no worker panics").next();
            let Some(case) = next else { break };
            let differences = compare(&case, peers, scratch);
            verdicts
                .lock()
                .expect("no worker panics")
                .push((case.name, differences));
        }
    };
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(work);
        }
    });
    verdicts.into_inner().expect("no worker panics")
}

fn compare(case: &Case, peers: &Peers, scratch: &Path) -> Vec<String> {
    let folder = scratch.join(case.name.replace('/', "+"));
    let ours = peers.wharf(case, &folder.join("wharf"));
    let theirs = peers.reference(case, &folder.join("reference"));
    let differences = verdict::compare(case, &ours, &theirs);
    if differences.is_empty() {
        // The layouts of hundreds of cases would fill a small disk.
        let _ = fs::remove_dir_all(&folder);
    }
    differences
}

fn report(verdicts: &[Verdict], start: Instant) -> Result<(), String> {
    for (name, differences) in verdicts {
        let word = if differences.is_empty() { "ok" } else { "FAILED" };
        println!("{word:<7} {name}");
        for difference in differences {
            println!("          {}", difference.replace('\n', "\n            "));
        }
    }
    let failed = verdicts
        .iter()
        .filter(|(_, differences)| !differences.is_empty())
        .count();
    println!(
        "conformance: {} passed, {failed} failed in {:.0} s",
        verdicts.len() - failed,
        start.elapsed().as_secs_f64()
    );
    if failed == 0 {
        Ok(())
    } else {
        Err(format!("{failed} cases failed"))
    }
}

fn fresh_scratch() -> Result<PathBuf, String> {
    let scratch = std::path::absolute(SCRATCH).map_err(|error| error.to_string())?;
    let _ = fs::remove_dir_all(&scratch);
    fs::create_dir_all(&scratch).map_err(|error| format!("{}: {error}", scratch.display()))?;
    Ok(scratch)
}
