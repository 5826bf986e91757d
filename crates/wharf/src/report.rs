//! Errors on the screen: what failed, why, what to do. The only place that renders them.

use std::{error::Error, fmt::Write as _, io, iter, process::ExitCode};

/// An error on its way to the user.
#[derive(Debug)]
pub(crate) struct Report {
    /// What failed and why: an error and its sources.
    pub(crate) error: Box<dyn Error>,
    /// Lines shown between the error and the hint: a place in a Dockerfile, the end of a step's output.
    pub(crate) context: Option<String>,
    /// What to do.
    pub(crate) hint: Option<String>,
    /// Whose fault it is.
    pub(crate) code: Code,
}

/// Exit codes: what a script may tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// A step, check or verification failed.
    Failed = 1,
    /// Usage, settings, the Dockerfile.
    Usage = 2,
    /// The machine, the disk, the network.
    Environment = 3,
    /// Ctrl-C.
    Interrupted = 130,
}

impl Report {
    /// A report of `error` without more to say.
    pub(crate) fn new(code: Code, error: impl Error + 'static) -> Self {
        Self {
            error: Box::new(error),
            context: None,
            hint: None,
            code,
        }
    }

    /// The same with a hint.
    pub(crate) fn with_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }

    /// The text: `error:`, `caused by:`, `hint:`.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("error: {}", self.error);
        let mut cause = self.error.source();
        let mut last = self.error.to_string();
        while let Some(error) = cause {
            let message = error.to_string();
            if message != last {
                let _ = write!(text, "\n  caused by: {message}");
            }
            last = message;
            cause = error.source();
        }
        if let Some(context) = &self.context {
            let _ = write!(text, "\n\n{}\n", context.trim_end());
        }
        if let Some(hint) = self.hint.as_deref().or_else(|| hint_of_cause(&*self.error)) {
            let _ = write!(text, "\nhint: {hint}");
        }
        text
    }

    /// Prints it to standard error and gives the exit code.
    pub(crate) fn print(&self) -> ExitCode {
        eprintln!("{}", self.text());
        ExitCode::from(self.code as u8)
    }
}

/// What to do about causes that any operation may meet.
fn hint_of_cause(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let causes = iter::successors(Some(error), |error| (*error).source());
    let mut kinds = causes.filter_map(|error| error.downcast_ref::<io::Error>().map(io::Error::kind));
    kinds.find_map(|kind| match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(DISK_FULL),
        _ => None,
    })
}

/// What makes room, wherever it is lacking.
pub(crate) const DISK_FULL: &str =
    "a disk is full: `wharf store df` shows what the store holds, and `wharf store gc` makes room in it";

/// A message that needs no type of its own: it is made where it is shown.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Message(pub(crate) String);

impl<E: Error + 'static> From<(Code, E)> for Report {
    fn from((code, error): (Code, E)) -> Self {
        Self::new(code, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot open the store")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn a_full_disk_has_a_hint_wherever_it_is_met() {
        let error = Outer(std::io::ErrorKind::StorageFull.into());
        let text = Report::new(Code::Environment, error).text();
        assert!(text.ends_with(&format!("hint: {DISK_FULL}")), "{text}");
    }

    #[test]
    fn what_why_and_what_to_do() {
        let error = Outer(std::io::Error::other("permission denied"));
        let report = Report::new(Code::Environment, error).with_hint(Some("use --store".into()));
        assert_eq!(
            report.text(),
            "error: cannot open the store\n  caused by: permission denied\nhint: use --store"
        );
    }
}
