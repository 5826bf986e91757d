//! A chain of short steps: what a step costs on the recorded root as a whole, from the first one's start to the last one's end.
//!
//! On a checked-out directory most of that would be writing the root out and removing it. Instead of the measured step, its
//! command's own time counts there, and what a step costs on a directory with one file in it.

use std::process::Command;

use super::{
    Bench, Sides,
    events::{self, Step},
};
use crate::bench::measure::{median, run};

pub(super) const NAME: &str = "python3 -c 1, 20 steps";

const STEPS: usize = 20;

/// So many on a checked-out directory, multiplied: every one writes the root out.
const PLAIN_STEPS: usize = 5;

/// Measures it in turns.
pub(super) fn measure(bench: &Bench<'_>) -> Result<Sides, String> {
    let nothing = bench.context.join("nothing");
    let source = bench.context.join("nothing.c");
    run(Command::new("cc")
        .args(["-static", "-Os", "-o"])
        .args([nothing, source]))?;
    for (name, steps) in [("chain", STEPS), ("chain-plain", PLAIN_STEPS)] {
        let lines = lines(steps, |number| {
            format!("RUN echo begin; python3 -c 1; echo end # {number}")
        });
        bench.dockerfile(name, &format!("FROM chain AS timed\n{lines}"))?;
    }
    let around = lines(STEPS, |number| format!("RUN [\"/nothing\", \"{number}\"]"));
    bench.dockerfile(
        "around",
        &format!("FROM scratch AS before\nCOPY nothing /\nFROM before AS timed\n{around}"),
    )?;
    bench.in_turns(|rung| {
        if rung == "fuse" {
            let (steps, cpu) = last_steps(bench, "chain", rung, STEPS)?;
            return Ok((span(&steps) / 1e3, cpu));
        }
        let (steps, cpu) = last_steps(bench, "chain-plain", rung, PLAIN_STEPS)?;
        let (around, _) = last_steps(bench, "around", rung, STEPS)?;
        let around: Vec<f64> = around.iter().map(Step::whole).collect();
        let times = (STEPS / PLAIN_STEPS) as f64;
        let between = span(&steps) - steps.iter().map(Step::whole).sum::<f64>();
        let commands: f64 = steps.iter().map(Step::talked).sum();
        let whole = (between + commands) * times + median(&around) * STEPS as f64;
        Ok((whole / 1e3, cpu * times))
    })
}

fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(|number| line(number) + "\n").collect()
}

/// From the first one's start to the last one's end.
fn span(steps: &[Step]) -> f64 {
    match (steps.first(), steps.last()) {
        (Some(first), Some(last)) => last.finished - first.started,
        _ => 0.0,
    }
}

/// The RUN steps of a build, which are its last `count`, and its processor time.
fn last_steps(
    bench: &Bench<'_>,
    dockerfile: &str,
    rung: &str,
    count: usize,
) -> Result<(Vec<Step>, f64), String> {
    let (output, cpu) = bench.build(dockerfile, rung)?;
    let mut steps = events::steps(&output);
    let others = steps
        .len()
        .checked_sub(count)
        .ok_or_else(|| format!("{} of {count} steps ran: {output}", steps.len()))?;
    Ok((steps.split_off(others), cpu))
}
