//! One stage of a pipeline: a command with a title, timed, its outcome kept for the summary.

use std::{
    process::Command,
    time::{Duration, Instant},
};

/// What became of one stage.
pub(crate) struct Outcome {
    title: String,
    verdict: Verdict,
    took: Duration,
}

#[derive(PartialEq, Eq)]
enum Verdict {
    Passed,
    Failed,
    Skipped,
}

/// Runs stages one after the other, whether or not those before them failed: a reader wants all failures at once.
#[derive(Default)]
pub(crate) struct Pipeline {
    outcomes: Vec<Outcome>,
}

impl Pipeline {
    /// Runs `work` under `title`.
    pub(crate) fn stage(&mut self, title: &str, work: impl FnOnce() -> Result<(), String>) {
        println!("\n=== {title}");
        let start = Instant::now();
        let failure = work().err();
        if let Some(why) = &failure {
            println!("--- {title} failed: {why}");
        }
        self.outcomes.push(Outcome {
            title: title.to_owned(),
            verdict: failure.map_or(Verdict::Passed, |_| Verdict::Failed),
            took: start.elapsed(),
        });
    }

    /// Says that what `title` names is not run, and why: a stage that is skipped is not one that passed.
    pub(crate) fn skip(&mut self, title: &str, why: &str) {
        println!("\n=== {title}\nskipped: {title}: {why}");
        self.outcomes.push(Outcome {
            title: title.to_owned(),
            verdict: Verdict::Skipped,
            took: Duration::ZERO,
        });
    }

    /// Runs a command under `title`.
    pub(crate) fn command(&mut self, title: &str, command: &mut Command) {
        self.stage(title, || run(command));
    }

    /// Prints one line a stage, and says whether all of them passed.
    pub(crate) fn finish(self) -> Result<(), String> {
        println!("\n=== summary");
        for outcome in &self.outcomes {
            let verdict = match outcome.verdict {
                Verdict::Passed => "ok",
                Verdict::Failed => "FAILED",
                Verdict::Skipped => "skipped",
            };
            println!(
                "{verdict:<7} {:>6.1} s  {}",
                outcome.took.as_secs_f64(),
                outcome.title
            );
        }
        let having = |verdict| self.outcomes.iter().filter(move |o| o.verdict == verdict);
        let failed: Vec<_> = having(Verdict::Failed).map(|o| &o.title[..]).collect();
        println!(
            "stages: {} passed, {} failed, {} skipped",
            having(Verdict::Passed).count(),
            failed.len(),
            having(Verdict::Skipped).count()
        );
        if failed.is_empty() {
            Ok(())
        } else {
            Err(format!("failed: {}", failed.join(", ")))
        }
    }
}

/// Runs `command` with its output shown; an exit code other than 0 is an error.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let shown = format!("{command:?}");
    let status = command.status().map_err(|error| format!("{shown}: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{shown}: {status}"))
    }
}

/// A `cargo` command of the toolchain that runs this one.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args);
    command
}
