//! What is wrong with a Dockerfile, and where.

use crate::ast::{Keyword, NetworkMode, SecurityMode};
use crate::numbers::DurationError;
use crate::source::Span;

/// One error, at its place, with advice when there is some. All errors of a file are reported at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The text it is about.
    pub span: Span,
    /// What is wrong.
    pub error: SyntaxError,
    /// What was probably meant, to stand in place of the span's text or the part of it that the error quotes.
    pub suggestion: Option<String>,
    /// What to do.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// An error without advice.
    pub fn new(span: Span, error: SyntaxError) -> Self {
        let hint = error.hint();
        Self {
            span,
            error,
            suggestion: None,
            hint,
        }
    }

    /// The same with a suggestion.
    #[must_use]
    pub fn suggest(self, suggestion: Option<String>) -> Self {
        Self { suggestion, ..self }
    }
}

/// What can be wrong with the text of a Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum SyntaxError {
    #[error("bytes that are not UTF-8")]
    NotUtf8,
    #[error("file with no instructions")]
    NoInstructions,
    #[error("dockerfile contains no stages to build")]
    NoStages,
    #[error("no build stage in current context: {0} stands before the first FROM")]
    BeforeFrom(Keyword),
    #[error("only one {0} parser directive can be used")]
    RepeatedDirective(String),
    #[error("invalid escape token '{0}' does not match ` or \\")]
    InvalidEscape(String),
    #[error("frontend {0} is not built in")]
    UnknownFrontend(String),
    #[error("unknown instruction: {0}")]
    UnknownInstruction(String),
    #[error("a line continuation without an instruction")]
    EmptyInstruction,
    #[error("unterminated heredoc <<{0}")]
    UnterminatedHeredoc(String),
    #[error("{0} cannot accept a heredoc as a destination")]
    HeredocDestination(Keyword),
    #[error("{0} requires at least one argument")]
    AtLeastOneArgument(Keyword),
    #[error("{0} requires exactly one argument")]
    ExactlyOneArgument(Keyword),
    #[error(
        "{0} requires at least two arguments, but only one was provided: destination could not be determined"
    )]
    NoDestination(Keyword),
    #[error("{0} must have two arguments")]
    TwoArguments(Keyword),
    #[error("can't find = in {word:?}: must be of the form name=value")]
    NoEquals { keyword: Keyword, word: String },
    #[error("{0} names can not be blank")]
    BlankName(Keyword),
    #[error("when using JSON array syntax, arrays must be comprised of strings only")]
    JsonNotStrings,
    #[error("{0} requires the arguments to be in JSON form")]
    NotJson(Keyword),
    #[error("unknown flag: --{0}")]
    UnknownFlag(String),
    #[error("duplicate flag specified: --{0}")]
    DuplicateFlag(String),
    #[error("missing a value on flag: --{0}")]
    FlagWithoutValue(String),
    #[error("expecting boolean value for flag --{flag}, not: {value}")]
    FlagNotBoolean { flag: String, value: String },
    #[error("FROM requires either one or three arguments")]
    FromArguments,
    #[error("invalid name for build stage: {0:?}, name can't start with a number or contain symbols")]
    InvalidStageName(String),
    #[error("chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")]
    ChainedOnbuild,
    #[error("{0} isn't allowed as an ONBUILD trigger")]
    ForbiddenTrigger(Keyword),
    #[error("an ONBUILD trigger should be a single instruction")]
    TriggerNotSingle,
    #[error("HEALTHCHECK NONE takes no arguments")]
    HealthcheckNoneArguments,
    #[error("missing command after HEALTHCHECK CMD")]
    HealthcheckWithoutCommand,
    #[error("unknown type {0:?} in HEALTHCHECK (try CMD)")]
    UnknownHealthcheck(String),
    #[error("invalid value for --{flag}: {error}")]
    InvalidDuration {
        flag: &'static str,
        error: DurationError,
    },
    #[error("invalid value for --retries: {0:?} is not a number from 0 to 2147483647")]
    InvalidRetries(String),
    #[error("VOLUME specified can not be an empty string")]
    EmptyVolume,
    #[error("invalid network mode {0:?}")]
    UnknownNetwork(String),
    #[error("security {0:?} is not valid")]
    UnknownSecurity(String),
    #[error("a bare \" in the comma-separated value {0:?}")]
    InvalidCsv(String),
    #[error("a comma-separated value that is empty")]
    EmptyCsv,
    #[error("'from' doesn't support variable expansion, define alias stage instead")]
    MountFromVariable,
    #[error("invalid field '{0}' must be a key=value pair")]
    DeviceField(String),
    #[error("device name already set to {0}")]
    DeviceNamedTwice(String),
    #[error("invalid value for required: {0}")]
    DeviceRequired(String),
}

impl SyntaxError {
    /// What to do about it, where that is not plain from the message.
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::UnknownFrontend(_) => {
                "only docker/dockerfile is; without the line, that language is used".to_owned()
            }
            Self::NotUtf8 => "save the file as UTF-8".to_owned(),
            Self::NoStages => "begin a stage: FROM scratch".to_owned(),
            Self::BeforeFrom(_) => "only ARG may stand before the first FROM".to_owned(),
            Self::UnterminatedHeredoc(name) => {
                format!("end it with a line that holds {name} and nothing else")
            }
            Self::NoEquals { .. } => "quote a value that holds spaces: name=\"two words\"".to_owned(),
            Self::NotJson(keyword) => format!("write {keyword} [\"/bin/sh\", \"-c\"]"),
            Self::InvalidStageName(_) => {
                "letters first, then letters, digits, '-', '_' and '.' may follow".to_owned()
            }
            Self::UnknownNetwork(_) => one_of(NetworkMode::NAMES.map(|(name, _)| name).as_slice()),
            Self::UnknownSecurity(_) => one_of(SecurityMode::NAMES.map(|(name, _)| name).as_slice()),
            Self::MountFromVariable => {
                "put FROM image AS name before this stage and mount from=name".to_owned()
            }
            _ => return None,
        };
        Some(hint)
    }
}

fn one_of(names: &[&str]) -> String {
    format!("one of: {}", names.join(", "))
}
