//! What a step does.

use crate::{copy::CopyOp, run::RunOp, source::Source};

/// What a step does to its inputs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Op {
    /// Brings files from outside; no inputs.
    Source(Source),
    /// Runs a process on [`Input::ROOT`](crate::Input::ROOT); its other inputs are mounted.
    Run(Box<RunOp>),
    /// Adds files from other inputs to [`Input::ROOT`](crate::Input::ROOT).
    Copy(CopyOp),
    /// Makes a directory and its parents in [`Input::ROOT`](crate::Input::ROOT).
    Mkdir(MkdirOp),
    /// Puts the layers of all inputs on each other, the first lowest.
    Merge,
}

/// WORKDIR: a directory that is there afterwards. One that is there already is left alone; new ones have mode 0755.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MkdirOp {
    /// Absolute and normalised.
    pub path: String,
    /// Who owns what is made: `user[:group]` as USER says it, looked up in the root's `/etc/passwd` and `/etc/group`; empty is
    /// root.
    pub owner: String,
    /// The time of what is made, in seconds since the epoch (SOURCE_DATE_EPOCH); else the time at which the step runs.
    pub mtime: Option<i64>,
}

impl Op {
    /// One word for logs and dumps.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Source(_) => "source",
            Self::Run(_) => "run",
            Self::Copy(_) => "copy",
            Self::Mkdir(_) => "mkdir",
            Self::Merge => "merge",
        }
    }
}
