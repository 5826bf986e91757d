//! One stage of a pipeline: a command with a title, timed, its outcome kept for the summary.

use std::{
    process::Command,
    time::{Duration, Instant},
};

/// What became of one stage.
pub(crate) struct Outcome {
    title: String,
    failure: Option<String>,
    took: Duration,
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
            failure,
            took: start.elapsed(),
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
            let verdict = if outcome.failure.is_none() { "ok" } else { "FAILED" };
            println!(
                "{verdict:<7} {:>6.1} s  {}",
                outcome.took.as_secs_f64(),
                outcome.title
            );
        }
        let failed: Vec<_> = self
            .outcomes
            .iter()
            .filter(|o| o.failure.is_some())
            .map(|o| &o.title[..])
            .collect();
        println!(
            "stages: {} passed, {} failed",
            self.outcomes.len() - failed.len(),
            failed.len()
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
