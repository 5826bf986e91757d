//! The command of RUN, CMD, ENTRYPOINT and HEALTHCHECK in its two forms.

use crate::source::Span;
use crate::word::Word;

/// A command line. Neither form is expanded by the builder: the shell does that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandLine {
    /// The shell form: one text, given to the stage's shell. Empty when the instruction had no argument.
    Shell(Word),
    /// The exec (JSON) form: program and arguments, run without a shell. Empty for `[]`.
    Exec {
        /// Where the array stands, brackets included.
        span: Span,
        /// The decoded strings.
        args: Vec<Word>,
    },
}

impl CommandLine {
    /// Where the command stands.
    pub fn span(&self) -> Span {
        match self {
            Self::Shell(word) => word.span,
            Self::Exec { span, .. } => *span,
        }
    }

    /// Whether this is the exec form.
    pub fn is_exec(&self) -> bool {
        matches!(self, Self::Exec { .. })
    }

    /// The strings of the exec form, or the one text of the shell form.
    pub fn words(&self) -> &[Word] {
        match self {
            Self::Shell(word) => std::slice::from_ref(word),
            Self::Exec { args, .. } => args,
        }
    }
}
