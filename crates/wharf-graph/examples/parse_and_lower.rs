//! `parse_and_lower FILE RUNS`: how long it takes to make a graph of a Dockerfile whose stages stand on nothing; milliseconds, a line
//! each. What the benchmark `language` runs.
#![allow(clippy::print_stdout, reason = "the benchmark reads it")]

use std::{env, error::Error, fs, time::Instant};

use wharf_graph::{Bases, LowerOptions, lower};
use wharf_oci::Platform;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().collect();
    let [_, file, runs] = &args[..] else {
        return Err("usage: parse_and_lower FILE RUNS".into());
    };
    let text = fs::read_to_string(file)?;
    let options = LowerOptions {
        every_stage: true,
        ..LowerOptions::new(Platform::host())
    };
    for _ in 0..runs.parse::<u32>()? {
        let begin = Instant::now();
        let parsed = wharf_dockerfile::parse(&text);
        let dockerfile = parsed
            .into_result()
            .map_err(|errors| format!("{}", errors[0].error))?;
        let graph = lower(&dockerfile, &options, &Bases::new()).map_err(|errors| errors[0].to_string())?;
        let took = begin.elapsed();
        if graph.steps.is_empty() {
            return Err("the Dockerfile has no steps".into());
        }
        println!("{}", took.as_secs_f64() * 1000.0);
    }
    Ok(())
}
