//! What a run of the binary came to.

use std::process::{Command, Output};

use serde_json::Value;

/// Exit code and output.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The exit code; that of a shell when a signal ended it.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
}

impl Outcome {
    /// Runs to the end.
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = command
            .output()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self::from(output)
    }

    /// Demands exit code 0.
    #[track_caller]
    pub(crate) fn success(self) -> Self {
        self.exits(0)
    }

    /// Demands an exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code\n{}{}", self.stdout, self.stderr);
        self
    }

    /// Demands that standard error has a text.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "no `{text}` in\n{}", self.stderr);
        self
    }

    /// Demands that standard error lacks a text.
    #[track_caller]
    pub(crate) fn never_says(self, text: &str) -> Self {
        assert!(!self.stderr.contains(text), "`{text}` in\n{}", self.stderr);
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {}", self.stdout))
    }

    /// The image's digest, from the last lines of a build.
    #[track_caller]
    pub(crate) fn digest(&self) -> String {
        let line = self.stderr.lines().find(|line| line.starts_with("image"));
        line.and_then(|line| line.split_whitespace().find(|word| word.starts_with("sha256:")))
            .unwrap_or_else(|| panic!("no digest in\n{}", self.stderr))
            .to_owned()
    }

    /// The error as the user reads it: from `error:` to the end.
    #[track_caller]
    pub(crate) fn error(&self) -> &str {
        let start = self
            .stderr
            .find("error:")
            .unwrap_or_else(|| panic!("no error in\n{}", self.stderr));
        self.stderr[start..].trim_end()
    }

    /// How many lines of standard error have a text.
    pub(crate) fn count(&self, text: &str) -> usize {
        self.stderr.lines().filter(|line| line.contains(text)).count()
    }
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        use std::os::unix::process::ExitStatusExt as _;
        let code = output.status.code();
        Self {
            code: code.unwrap_or_else(|| 128 + output.status.signal().unwrap_or_default()),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}
