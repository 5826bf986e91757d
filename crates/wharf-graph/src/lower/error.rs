//! Why a Dockerfile that can be read has no graph.

use wharf_dockerfile::{ExpandError, FileModeError, PortError, Span, SyntaxError, ast::MountError};
use wharf_oci::{ParseDigestError, ParsePlatformError, ParseReferenceError};

use super::{git_url::GitUrlError, windows::WindowsPathError};

/// One error, at its place, with advice when there is some.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct LowerError {
    /// The text it is about; `None` for what is not in the Dockerfile.
    pub span: Option<Span>,
    /// What is wrong.
    pub fault: Box<LowerFault>,
    /// The name that was probably meant.
    pub suggestion: Option<String>,
}

/// What can be wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum LowerFault {
    #[error("there is no stage to build")]
    NoStages,
    #[error("target stage `{0}` could not be found")]
    UnknownTarget(String),
    #[error("SOURCE_DATE_EPOCH is `{0}`, which is not a number of seconds since 1970")]
    Epoch(String),
    #[error("cannot expand `{}`: {}", .0.word, .0.reason)]
    Expand(ExpandError),
    #[error("`{0}` is empty: FROM needs a name")]
    BlankBase(String),
    #[error("`{0}` is empty: --platform needs a platform")]
    BlankPlatform(String),
    #[error(transparent)]
    Platform(#[from] ParsePlatformError),
    #[error(transparent)]
    Reference(#[from] ParseReferenceError),
    #[error("circular dependency detected on stage: {0}")]
    Cycle(String),
    #[error("cannot copy from stage `{from}`: it needs to be defined before stage `{stage}`")]
    LaterStage { from: String, stage: String },
    #[error("invalid stage index {0}")]
    StageIndex(String),
    #[error("variables are not expanded in `from`: give the image a stage of its own (FROM … AS name)")]
    VariableFrom,
    #[error("the configuration of `{0}` is not known")]
    MissingBase(String),
    #[error("the base's ONBUILD trigger `{trigger}` cannot be read: {fault}")]
    Trigger { trigger: String, fault: SyntaxError },
    #[error("RUN needs a program")]
    EmptyCommand,
    #[error(transparent)]
    Mount(#[from] MountError),
    #[error("invalid mount target `{0}`")]
    MountTarget(String),
    #[error("ssh does not support source")]
    SshSource,
    #[error("--device is not supported: steps have no devices but the usual ones")]
    Device,
    #[error(transparent)]
    Port(#[from] PortError),
    #[error(transparent)]
    FileMode(#[from] FileModeError),
    #[error("checksum can't be specified for multiple sources")]
    ChecksumOfMany,
    #[error("checksum requires HTTP(S) or Git sources")]
    ChecksumOfLocal,
    #[error(transparent)]
    Checksum(#[from] ParseDigestError),
    #[error("checksum mismatch `{flag}` != `{url}`")]
    ChecksumConflict { flag: String, url: String },
    #[error("source can't be a git ref for COPY")]
    GitOfCopy,
    #[error("source can't be a URL for COPY")]
    UrlOfCopy,
    #[error(transparent)]
    GitUrl(#[from] GitUrlError),
    #[error(transparent)]
    WindowsPath(#[from] WindowsPathError),
    #[error("inconsistent keep-git-dir configuration")]
    KeepGitDirConflict,
    #[error("invalid signal: {0}")]
    Signal(String),
    #[error("VOLUME specified can not be an empty string")]
    EmptyVolume,
}

impl LowerError {
    /// An error without advice.
    pub(crate) fn new(span: impl Into<Option<Span>>, fault: impl Into<LowerFault>) -> Self {
        Self {
            span: span.into(),
            fault: Box::new(fault.into()),
            suggestion: None,
        }
    }

    /// The same with a suggestion.
    #[must_use]
    pub(crate) fn suggest(self, suggestion: Option<String>) -> Self {
        Self { suggestion, ..self }
    }

    /// The same, at another place: that of the FROM that brought a trigger.
    #[must_use]
    pub(crate) fn at(self, span: Span) -> Self {
        Self {
            span: Some(span),
            ..self
        }
    }
}
