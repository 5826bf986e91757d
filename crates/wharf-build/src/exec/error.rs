//! Why a step gave nothing.

use wharf_solver::StepError;
use wharf_store::{BlobError, StoreError, TreeError};
use wharf_tree::{BuildError, GraftError, glob::GlobError};

use super::{identity::IdentityError, mounts::MountPlanError, process::ProcessError, source::SourceFailure};
use crate::{emulation::EmulationError, root::PushError};

/// Why a step gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum StepFailure {
    /// Its process ended with another code than 0.
    #[error("{what} did not complete successfully: exit code: {code}")]
    Exit {
        /// The command.
        what: String,
        /// The code that Docker would report.
        code: i32,
    },
    /// Its process could not be started.
    #[error("{what}: {why}")]
    NotExecuted {
        /// The command.
        what: String,
        /// The kernel's answer.
        why: wharf_sandbox::ExecError,
        /// The code that Docker would report.
        code: i32,
    },
    /// Its programs are for another processor.
    #[error(transparent)]
    Emulation(#[from] EmulationError),
    /// Its process could not be run.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A file that COPY or ADD takes is not there.
    #[error("{path}: not found in {place}")]
    NotFound {
        /// As the Dockerfile says it.
        path: String,
        /// The context, the stage or the image.
        place: String,
    },
    /// Files cannot be copied.
    #[error("cannot copy {path}")]
    Graft {
        /// The source.
        path: String,
        /// Why.
        source: GraftError,
    },
    /// A wildcard is wrong.
    #[error(transparent)]
    Glob(#[from] GlobError),
    /// `--chmod` is wrong.
    #[error(transparent)]
    Mode(#[from] wharf_tree::ModeError),
    /// `--exclude` is wrong.
    #[error("--exclude")]
    Exclude(#[from] wharf_dockerfile::patterns::PatternError),
    /// A directory cannot be made.
    #[error("cannot make {path}")]
    Mkdir {
        /// The directory.
        path: String,
        /// Why.
        source: GraftError,
    },
    /// Something cannot be mounted.
    #[error(transparent)]
    Mount(#[from] MountPlanError),
    /// A name of a user or group is not known.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A secret that the step requires was not given.
    #[error("secret {0}: not found")]
    NoSecret(String),
    /// A secret cannot be read.
    #[error("secret {id}: cannot read it")]
    Secret {
        /// Its id.
        id: String,
        /// Why.
        source: std::io::Error,
    },
    /// An SSH agent that the step requires was not given.
    #[error("ssh agent {0}: not given (--ssh)")]
    NoAgent(String),
    /// The machine's certificates cannot be read.
    #[error(transparent)]
    Certificates(std::sync::Arc<crate::ca::CaError>),
    /// A step asks for more than was allowed.
    #[error("{what} needs --allow {entitlement}")]
    NotAllowed {
        /// What was asked for.
        what: &'static str,
        /// What would allow it.
        entitlement: &'static str,
    },
    /// An archive cannot be unpacked.
    #[error("cannot unpack {path}")]
    Unpack {
        /// The archive.
        path: String,
        /// Why.
        source: wharf_tree::tar::ImportError,
    },
    /// An archive's compression is broken.
    #[error("cannot decompress {path}")]
    Decompress {
        /// The archive.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A cache mount cannot be filled.
    #[error("cannot fill the cache mount {id}")]
    CacheMount {
        /// Its id.
        id: String,
        /// Why.
        source: super::checkout::CheckoutJobError,
    },
    /// `--verify-cache` found that a reused step would give something else.
    #[error("the reused result is not what the step gives now: {} of {count} differing paths: {}", paths.len(), paths.join(", "))]
    CacheDiffers {
        /// The first of them.
        paths: Vec<String>,
        /// How many there are.
        count: usize,
    },
    /// Files from outside cannot be had.
    #[error(transparent)]
    Source(#[from] SourceFailure),
    /// A tree cannot be put together.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A layer cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A blob cannot be had.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// A layer cannot be added.
    #[error(transparent)]
    Push(#[from] PushError),
    /// The build was stopped.
    #[error("interrupted")]
    Interrupted,
}

impl StepError for StepFailure {
    fn is_interruption(&self) -> bool {
        matches!(self, Self::Interrupted | Self::Process(ProcessError::Interrupted))
    }

    fn exit_code(&self) -> Option<i32> {
        match self {
            Self::Exit { code, .. } | Self::NotExecuted { code, .. } => Some(*code),
            _ => None,
        }
    }
}

impl StepFailure {
    /// What to do about it, where that can be said.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoSecret(id) => Some(format!(
                "give it with --secret id={id},src=FILE or --secret id={id},env=VARIABLE"
            )),
            Self::NoAgent(id) => Some(format!(
                "start ssh-agent and build with --ssh {id}, or give a key: --ssh {id}=FILE"
            )),
            Self::Exit { code: 137, .. } => {
                Some("the process was killed; it may have run out of memory".to_owned())
            }
            Self::NotExecuted {
                why: wharf_sandbox::ExecError::NotFound { .. },
                ..
            } => Some(
                "the image has no such program; install it in an earlier step or use another base".to_owned(),
            ),
            Self::CacheDiffers { .. } => Some(
                "the step's result depends on more than the files that it read (time, network, randomness, a cache mount); \
                 build it anew with --no-cache-filter, or, if only times and names of files that tools write differ, build with --reproducible-steps"
                    .to_owned(),
            ),
            Self::Source(source) => source.hint(),
            Self::Emulation(error) => error.hint(),
            _ => None,
        }
    }

    /// Whether the step's own process is at fault (exit code 1).
    pub const fn is_process(&self) -> bool {
        matches!(
            self,
            Self::Exit { .. } | Self::NotExecuted { .. } | Self::CacheDiffers { .. }
        )
    }

    /// Whether the request is at fault (exit code 2) rather than the step or the machine.
    pub const fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::NotFound { .. }
                | Self::Glob(_)
                | Self::Mode(_)
                | Self::Exclude(_)
                | Self::NoSecret(_)
                | Self::NoAgent(_)
                | Self::NotAllowed { .. }
                | Self::Graft { .. }
                | Self::Identity(IdentityError::NoUser(_) | IdentityError::NoGroup(_))
                | Self::Source(SourceFailure::NoContext(_))
        )
    }
}
