//! The verbs and what they take.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::{build::BuildArgs, run::RunArgs};

/// Container images from Dockerfiles, fast, for a whole team.
#[derive(Debug, Parser)]
#[command(name = "wharf", version, max_term_width = 110, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// Flags of every verb.
#[derive(Debug, Clone, Args)]
pub(crate) struct GlobalArgs {
    /// Directory of the store [default: $XDG_DATA_HOME/wharf, or /var/lib/wharf for root]
    #[arg(long, global = true, value_name = "DIR", env = "WHARF_STORE")]
    pub(crate) store: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Build an image from a Dockerfile
    #[command(visible_alias = "b")]
    Build(Box<BuildArgs>),
    /// Check a Dockerfile without building it
    Check(CheckArgs),
    /// Run a command in an image of the store
    Run(Box<RunArgs>),
    /// List the images of the store
    Images(FormatArgs),
    /// Give an image another name
    Tag(TagArgs),
    /// Show an image's manifest and configuration
    Inspect(InspectArgs),
    /// Fetch an image from a registry
    Pull(PullArgs),
    /// Send an image to a registry
    Push(PushArgs),
    /// Remove an image's name from the store
    Rmi(RmiArgs),
    /// Make, show or compare base images from packages
    #[command(subcommand)]
    Base(BaseVerb),
    /// Write the lock files of a project
    Lock(LockArgs),
    /// Show, clean or verify the store
    #[command(subcommand)]
    Store(StoreVerb),
    /// List the builds of the past, or show one
    History(HistoryArgs),
    /// Tell why steps of a build ran, and why others did not
    Explain(ExplainArgs),
    /// Tell what this machine offers to build steps
    Host(FormatArgs),
}

/// `--json`.
#[derive(Debug, Clone, Args)]
pub(crate) struct FormatArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `wharf check`.
#[derive(Debug, Clone, Args)]
pub(crate) struct CheckArgs {
    /// Context, or Dockerfiles
    #[arg(value_name = "PATH", default_value = ".")]
    pub(crate) paths: Vec<PathBuf>,
    /// Name of the Dockerfile (default: `PATH/Dockerfile`)
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Set a build-time variable
    #[arg(long = "build-arg", value_name = "KEY[=VALUE]")]
    pub(crate) build_arg: Vec<String>,
    /// Stage to check
    #[arg(long, value_name = "STAGE")]
    pub(crate) target: Option<String>,
    /// Platform to check for
    #[arg(long, value_name = "PLATFORM")]
    pub(crate) platform: Option<String>,
    /// text, json or sarif
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: String,
}

/// `wharf tag`.
#[derive(Debug, Clone, Args)]
pub(crate) struct TagArgs {
    /// The image
    pub(crate) image: String,
    /// Its new name
    pub(crate) name: String,
}

/// `wharf inspect`.
#[derive(Debug, Clone, Args)]
pub(crate) struct InspectArgs {
    /// An image of the store, or with --remote of a registry
    pub(crate) image: String,
    /// Ask the registry instead of the store
    #[arg(long)]
    pub(crate) remote: bool,
}

/// `wharf pull`.
#[derive(Debug, Clone, Args)]
pub(crate) struct PullArgs {
    /// The image
    pub(crate) image: String,
    /// Platforms to choose from an index, or `all` (default: the machine's)
    #[arg(long, value_name = "PLATFORM", value_delimiter = ',')]
    pub(crate) platform: Vec<String>,
}

/// `wharf push`.
#[derive(Debug, Clone, Args)]
pub(crate) struct PushArgs {
    /// The image, in the store and in the registry
    pub(crate) image: String,
    /// Another name in the registry
    pub(crate) name: Option<String>,
}

/// `wharf rmi`.
#[derive(Debug, Clone, Args)]
pub(crate) struct RmiArgs {
    /// Names of images
    #[arg(required = true)]
    pub(crate) images: Vec<String>,
}

/// `wharf base …`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum BaseVerb {
    /// Make a base now, so that builds find it
    Build {
        /// Its name in wharf.toml
        name: String,
        /// Directory of the project
        #[arg(long, default_value = ".")]
        project: PathBuf,
        /// Look for newer packages
        #[arg(long)]
        pull: bool,
    },
    /// Show what a base consists of
    Show {
        /// Its name in wharf.toml
        name: String,
        /// Directory of the project
        #[arg(long, default_value = ".")]
        project: PathBuf,
    },
    /// Compare a base with what its lock, or another base, says
    Diff {
        /// Its name in wharf.toml
        name: String,
        /// The other base; without it, the lock
        other: Option<String>,
        /// Directory of the project
        #[arg(long, default_value = ".")]
        project: PathBuf,
    },
}

/// `wharf lock`.
#[derive(Debug, Clone, Args)]
pub(crate) struct LockArgs {
    /// Directory of the project
    #[arg(default_value = ".")]
    pub(crate) project: PathBuf,
    /// Name of the Dockerfile whose FROM digests are locked too
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Platforms whose packages and images are locked [default: this machine's]
    #[arg(long, value_name = "PLATFORM", value_delimiter = ',')]
    pub(crate) platform: Vec<String>,
}

/// `wharf store …`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum StoreVerb {
    /// Show what takes how much room
    Df(FormatArgs),
    /// Remove what is over the size cap, least recently used first
    Gc {
        /// Keep at most this much (`20g`) [default: the configured cap]
        #[arg(long, value_name = "SIZE")]
        max_size: Option<String>,
        /// Keep at most this much in cache mounts (`5g`) [default: the configured cap]
        #[arg(long, value_name = "SIZE", conflicts_with = "caches")]
        max_cache_size: Option<String>,
        /// Empty the cache mounts as well
        #[arg(long)]
        caches: bool,
    },
    /// Hash everything and report what is damaged
    Verify(FormatArgs),
}

/// `wharf history`.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct HistoryArgs {
    #[command(subcommand)]
    pub(crate) verb: Option<HistoryVerb>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `wharf explain`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ExplainArgs {
    /// One step: its number, `stage/ordinal`, `:line` in the Dockerfile, or a part of its text
    pub(crate) step: Option<String>,
    /// The beginning of a build's name (`wharf history`); the last build when absent
    #[arg(long, value_name = "BUILD")]
    pub(crate) build: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `wharf history …`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum HistoryVerb {
    /// Show one build
    Show {
        /// The beginning of its name; the last build when absent
        build: Option<String>,
        /// Print all events as JSON lines
        #[arg(long)]
        json: bool,
    },
}
