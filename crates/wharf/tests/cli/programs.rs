//! Other people's tools, which read what wharf made.

use std::{ffi::OsStr, process::Command};

use crate::outcome::Outcome;

/// Runs a tool that must do what it is told; `None` says that the test was skipped because the tool is missing.
#[track_caller]
pub(crate) fn tool<A: AsRef<OsStr>>(program: &str, args: impl IntoIterator<Item = A>) -> Option<String> {
    if !is_installed(program) {
        wharf_testkit::skip(&format!("{program} is not installed"));
        return None;
    }
    Some(Outcome::of(Command::new(program).args(args)).success().stdout)
}

/// Whether a program is found in `PATH`.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).exists())
}
