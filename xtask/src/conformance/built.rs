//! What a builder made of a case.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// The builder's messages, and where the image is when it made one.
pub(crate) struct Built {
    /// Everything it said on standard error.
    pub(crate) messages: String,
    /// What it said on standard output.
    pub(crate) answer: String,
    /// The OCI layout; where it would be, if something else was asked for.
    pub(crate) layout: Option<PathBuf>,
}

/// Runs a builder that makes `layout`.
pub(crate) fn run(command: &mut Command, layout: &Path) -> Built {
    let output = command.output();
    let done = output.as_ref().is_ok_and(|output| output.status.success());
    let answer = output
        .as_ref()
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    Built {
        answer: answer.unwrap_or_default(),
        messages: output.map_or_else(|error| error.to_string(), |output| messages(&output)),
        layout: done.then(|| layout.to_owned()),
    }
}

/// What a program said on standard error.
pub(crate) fn messages(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
