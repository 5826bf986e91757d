//! Whole processes, timed: wall time by the clock, processor time and memory as the kernel accounts for finished children.

use std::{
    fs,
    ops::Range,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use nix::sys::resource::{UsageWho, getrusage};

/// What a measured piece of work cost.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    /// By the clock.
    pub(crate) wall: Duration,
    /// User and system time of the processes that were waited for.
    pub(crate) cpu: Duration,
}

impl Cost {
    /// The same for one of `count` pieces.
    pub(crate) fn each(self, count: u32) -> Self {
        Self {
            wall: self.wall / count,
            cpu: self.cpu / count,
        }
    }
}

/// Does `work`, which runs processes and waits for them.
pub(crate) fn measure(work: impl FnOnce() -> Result<(), String>) -> Result<Cost, String> {
    let (cpu, begin) = (children()?, Instant::now());
    work()?;
    Ok(Cost {
        wall: begin.elapsed(),
        cpu: children()?.saturating_sub(cpu),
    })
}

/// Processor time of all children so far, to the microsecond.
fn children() -> Result<Duration, String> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|error| error.to_string())?;
    let micros = [usage.user_time(), usage.system_time()]
        .map(|time| time.tv_sec() as u64 * 1_000_000 + time.tv_usec() as u64)
        .iter()
        .sum();
    Ok(Duration::from_micros(micros))
}

/// The sum of some times of a running process in ticks of 10 ms, counted from the first field after its name, which is the third of proc(5).
pub(crate) fn ticks(process: &str, fields: Range<usize>) -> Result<Duration, String> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).map_err(|error| error.to_string())?;
    let all: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let wanted = all
        .get(fields)
        .ok_or_else(|| format!("/proc/{process}/stat is short"))?;
    let ticks: u64 = wanted.iter().filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * 10))
}

/// Runs a command in silence; its error output is the error.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "{command:?}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    ))
}

/// Largest resident memory of one process of the command, in MiB, as `/usr/bin/time` tells it.
pub(crate) fn peak_memory(command: &Command) -> Result<f64, String> {
    let mut timed = Command::new("/usr/bin/time");
    timed
        .args(["-f", "PEAK %M"])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            timed.env(name, value);
        }
    }
    let output = timed.output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let kib = said
        .lines()
        .find_map(|line| line.strip_prefix("PEAK ")?.parse::<f64>().ok());
    kib.map(|kib| kib / 1024.0).ok_or(said)
}

/// The middle one.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        length if length % 2 == 1 => sorted[length / 2],
        length => f64::midpoint(sorted[length / 2 - 1], sorted[length / 2]),
    }
}

/// The 95 % interval of the median by resampling, with a generator that always starts alike.
pub(crate) fn bootstrap(values: &[f64]) -> (f64, f64) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize
    };
    let mut medians: Vec<f64> = (0..2000)
        .map(|_| {
            median(
                &(0..values.len())
                    .map(|_| values[next() % values.len()])
                    .collect::<Vec<_>>(),
            )
        })
        .collect();
    medians.sort_by(f64::total_cmp);
    (medians[50], medians[1949])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(
            (median(&[3.0, 1.0, 2.0]), median(&[4.0, 1.0, 2.0, 3.0])),
            (2.0, 2.5)
        );
        let (low, high) = bootstrap(&[1.0, 1.1, 0.9, 1.0, 1.05]);
        assert!(low <= 1.0 && high >= 1.0 && high - low < 0.3);
    }
}
