//! A chain of short steps: what a step costs on the recorded root as a whole, from the first one's start to the last one's end.
//!
//! On a checked-out directory most of that would be writing the root out and removing it. Instead of the measured step, its
//! command's own time counts there, and what a step of that shell costs on a directory with nothing but the shell in it.

use super::{
    Bench, Sides,
    events::{self, Step},
};
use crate::bench::measure::median;

pub(super) const NAME: &str = "python3 -c 1, 20 steps";

const STEPS: usize = 20;

/// So many on a checked-out directory, multiplied: every one writes the root out.
const PLAIN_STEPS: usize = 5;

/// A root in which a shell runs and nothing else.
const SHELL: &str = "FROM scratch AS before
COPY --from=chain /usr/bin/dash /bin/sh
COPY --from=chain /usr/lib/*/libc.so.6 /lib/
COPY --from=chain /usr/lib/*/ld-linux-*.so.* /lib64/
";

/// Measures it in turns.
pub(super) fn measure(bench: &Bench<'_>) -> Result<Sides, String> {
    for (name, steps) in [("chain", STEPS), ("chain-plain", PLAIN_STEPS)] {
        let lines = lines(steps, |number| {
            format!("RUN echo begin; python3 -c 1; echo end # {number}")
        });
        bench.dockerfile(name, &format!("FROM chain AS timed\n{lines}"))?;
    }
    let around = lines(STEPS, |number| format!("RUN echo begin; echo end # {number}"));
    bench.dockerfile("around", &format!("{SHELL}FROM before AS timed\n{around}"))?;
    bench.in_turns(|rung| {
        if rung == "fuse" {
            let (steps, cpu) = last_steps(bench, "chain", rung, STEPS)?;
            return Ok((span(&steps) / 1e3, cpu));
        }
        let (steps, cpu) = last_steps(bench, "chain-plain", rung, PLAIN_STEPS)?;
        let (around, _) = last_steps(bench, "around", rung, STEPS)?;
        let around: Vec<f64> = around.iter().map(|step| step.whole() - step.talked()).collect();
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
