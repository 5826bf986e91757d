//! HEALTHCHECK.

use std::time::Duration;

use super::CommandLine;

/// HEALTHCHECK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HealthcheckInstruction {
    /// `HEALTHCHECK NONE`: no health check, not even the base's.
    None,
    /// `HEALTHCHECK CMD`.
    Probe(Probe),
}

/// A command that tells whether a container is healthy. Zero means "the default" throughout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The command, never empty.
    pub command: CommandLine,
    /// `--interval=`.
    pub interval: Duration,
    /// `--timeout=`.
    pub timeout: Duration,
    /// `--start-period=`.
    pub start_period: Duration,
    /// `--start-interval=`.
    pub start_interval: Duration,
    /// `--retries=`.
    pub retries: u32,
}
