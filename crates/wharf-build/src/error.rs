//! Why a build failed, with the place in the Dockerfile where it did.

use std::{io, path::PathBuf};

use wharf_dockerfile::{Diagnostic, Dockerfile, Source, Span};
use wharf_graph::{BaseRequest, LowerError, Step};

use crate::{
    context::ContextError, context_source::ContextSourceError, exec::StepFailure, from_lock::FromLockError,
    image_source::ImageSourceError, output::OutputError, read::ReadDockerfile,
};

/// A place in a Dockerfile and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// What is wrong; empty when the error itself says it.
    pub message: String,
    /// The lines, with a caret under the place.
    pub text: String,
    /// What to do.
    pub hint: Option<String>,
}

/// Why a build failed.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// There is no context, and something needs one.
    #[error("there is no build context")]
    NoContext,
    /// A context cannot be used.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// A context cannot be fetched.
    #[error(transparent)]
    ContextSource(#[from] ContextSourceError),
    /// The Dockerfile cannot be read.
    #[error("cannot read the Dockerfile {path}")]
    ReadDockerfile {
        /// Where it should be.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// An SSH agent cannot be given to steps.
    #[error(transparent)]
    Ssh(#[from] crate::ssh_agent::SshAgentError),
    /// The lock beside the Dockerfile cannot be used.
    #[error(transparent)]
    FromLock(#[from] FromLockError),
    /// The Dockerfile is wrong.
    #[error("{}", count(.excerpts.len()))]
    Dockerfile {
        /// Each error at its place.
        excerpts: Vec<Excerpt>,
    },
    /// The options of `# check=` make no sense.
    #[error("cannot read the options of check")]
    CheckOptions {
        /// Where they are, when they are in the Dockerfile.
        excerpt: Option<Excerpt>,
        /// Why not.
        source: wharf_dockerfile::lint::CheckConfigError,
    },
    /// Rules do not like the Dockerfile, and `# check=error=true` makes that an error.
    #[error("lint violation found for rules: {rules}")]
    Lint {
        /// Their names.
        rules: String,
        /// Each finding at its place.
        excerpts: Vec<Excerpt>,
    },
    /// The build argument names a language that is not spoken here.
    #[error("frontend {0}, of the build argument BUILDKIT_SYNTAX, is not built in")]
    Frontend(String),
    /// A base image cannot be had.
    #[error("cannot use the base {name}")]
    Base {
        /// As the Dockerfile writes it.
        name: String,
        /// Where.
        excerpt: Excerpt,
        /// Why.
        source: Box<ImageSourceError>,
    },
    /// A step failed.
    #[error("{name} failed")]
    Step {
        /// The instruction.
        name: String,
        /// Which step it is.
        step: wharf_graph::StepId,
        /// Where it is written.
        excerpt: Option<Excerpt>,
        /// Why.
        source: Box<StepFailure>,
    },
    /// The result cannot be put where it should go.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The user stopped it.
    #[error("interrupted")]
    Interrupted,
}

fn count(errors: usize) -> String {
    match errors {
        1 => "the Dockerfile has an error".to_owned(),
        errors => format!("the Dockerfile has {errors} errors"),
    }
}

impl Excerpt {
    /// The place of a syntax error.
    pub(crate) fn of_diagnostic(read: &ReadDockerfile, source: &Source, diagnostic: &Diagnostic) -> Self {
        let suggestion = diagnostic
            .suggestion
            .as_ref()
            .map(|name| format!("did you mean `{name}`?"));
        Self {
            message: diagnostic.error.to_string(),
            text: caret(read, source, diagnostic.span),
            hint: suggestion.or_else(|| diagnostic.hint.clone()),
        }
    }

    pub(crate) fn of_span(read: &ReadDockerfile, source: &Source, span: Span) -> Self {
        Self {
            message: String::new(),
            text: caret(read, source, span),
            hint: None,
        }
    }
}

/// `Dockerfile:3:1` and the line with the place underlined.
fn caret(read: &ReadDockerfile, source: &Source, span: Span) -> String {
    let place = source.position(span.start);
    format!(
        "{}:{}:{}\n{}",
        read.name,
        place.line,
        place.column,
        wharf_dockerfile::excerpt(source, span)
    )
}

impl BuildError {
    pub(crate) fn lowering(read: &ReadDockerfile, dockerfile: &Dockerfile, errors: &[LowerError]) -> Self {
        let excerpt = |error: &LowerError| Excerpt {
            message: error.to_string(),
            text: error
                .span
                .map(|span| caret(read, &dockerfile.source, span))
                .unwrap_or_default(),
            hint: error
                .suggestion
                .as_ref()
                .map(|name| format!("did you mean `{name}`?")),
        };
        Self::Dockerfile {
            excerpts: errors.iter().map(excerpt).collect(),
        }
    }

    pub(crate) fn base(
        read: &ReadDockerfile,
        dockerfile: &Dockerfile,
        request: &BaseRequest,
        error: ImageSourceError,
    ) -> Self {
        Self::Base {
            name: request.name.clone(),
            excerpt: Excerpt::of_span(read, &dockerfile.source, request.span),
            source: Box::new(error),
        }
    }

    pub(crate) fn step(read: &ReadDockerfile, step: &Step, failure: StepFailure) -> Self {
        let source = Source::new(String::from_utf8_lossy(&read.bytes).into_owned());
        let excerpt = step.origin.as_ref().map(|origin| {
            let lines = origin.span.start_line as usize..=origin.span.end_line as usize;
            let first = source.line_span(*lines.start());
            let last = source.line_span(*lines.end());
            Excerpt::of_span(read, &source, first.to(last))
        });
        Self::Step {
            name: step.name.split_whitespace().collect::<Vec<_>>().join(" "),
            step: step.id,
            excerpt,
            source: Box::new(failure),
        }
    }

    /// The places to show.
    pub fn excerpts(&self) -> Vec<&Excerpt> {
        match self {
            Self::Dockerfile { excerpts } | Self::Lint { excerpts, .. } => excerpts.iter().collect(),
            Self::Base { excerpt, .. } => vec![excerpt],
            Self::CheckOptions { excerpt, .. } | Self::Step { excerpt, .. } => excerpt.iter().collect(),
            _ => Vec::new(),
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Base { source, .. } => source.hint(),
            Self::Step { source, .. } => source.hint(),
            Self::Output(output) => output.hint(),
            Self::Ssh(error) => error.hint(),
            Self::Frontend(_) => {
                Some("only docker/dockerfile is; without the argument, that language is used".to_owned())
            }
            Self::CheckOptions { .. } => Some("they look like skip=RuleName,OtherRule;error=true".to_owned()),
            Self::Lint { .. } => Some("mend them, or add the rules to `# check=skip=`".to_owned()),
            Self::ReadDockerfile { .. } => {
                Some("name it with -f, or give the directory that holds it".to_owned())
            }
            _ => None,
        }
    }

    /// Whose fault it is: the step's, the request's, the machine's.
    pub fn blame(&self) -> Blame {
        match self {
            Self::ReadDockerfile { source, .. } if source.kind() == io::ErrorKind::NotFound => Blame::Request,
            Self::Dockerfile { .. }
            | Self::CheckOptions { .. }
            | Self::Lint { .. }
            | Self::Frontend(_)
            | Self::NoContext
            | Self::Ssh(crate::ssh_agent::SshAgentError::Key(_))
            | Self::FromLock(FromLockError::Parse { .. } | FromLockError::Version { .. })
            | Self::Context(
                ContextError::NotADirectory(_) | ContextError::Missing { .. } | ContextError::Ignore { .. },
            ) => Blame::Request,
            Self::Base { source, .. } if source.is_usage() => Blame::Request,
            Self::Step { source, .. } if source.is_usage() => Blame::Request,
            Self::Step { source, .. } if source.is_process() => Blame::Step,
            Self::Output(source) if source.is_usage() => Blame::Request,
            Self::Interrupted => Blame::User,
            _ => Blame::Machine,
        }
    }
}

/// Whose fault a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// A step's process failed.
    Step,
    /// The Dockerfile, flags, a missing source.
    Request,
    /// The machine, the network, the disk.
    Machine,
    /// The user stopped it.
    User,
}
