//! The flags of `wharf build`: names, short forms and value syntax are those of `docker buildx build`.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};

/// What `wharf build` was asked to do, as typed. `crate::request` makes a build of it. Of a flag that is given twice and has one
/// value, the last counts, as in Docker's command: scripts append flags to flags.
#[derive(Debug, Clone, Args)]
#[command(args_override_self = true)]
pub(crate) struct BuildArgs {
    /// Context: a directory, `-` for a Dockerfile or tar on standard input, or the URL of a tar, Dockerfile or git repository
    #[arg(value_name = "PATH|URL|-", default_value = ".")]
    pub(crate) context: String,

    /// Add a custom host-to-IP mapping (`host:ip`)
    #[arg(long = "add-host", value_name = "HOST:IP")]
    pub(crate) add_host: Vec<String>,
    /// Allow an extra privileged entitlement (`network.host`, `security.insecure`)
    #[arg(long, value_name = "ENTITLEMENT", value_delimiter = ',')]
    pub(crate) allow: Vec<String>,
    /// Add an annotation to the image (`[level:]key=value`)
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) annotation: Vec<String>,
    /// Attach what the image holds or how it was made (`type=sbom`, `type=provenance,mode=min|max`)
    #[arg(long, value_name = "TYPE")]
    pub(crate) attest: Vec<String>,
    /// Set a build-time variable; without a value, the environment's
    #[arg(long = "build-arg", value_name = "KEY[=VALUE]")]
    pub(crate) build_arg: Vec<String>,
    /// Additional build context (`name=path`)
    #[arg(long = "build-context", value_name = "NAME=PATH")]
    pub(crate) build_context: Vec<String>,
    /// Override the configured builder instance
    #[arg(long, value_name = "NAME")]
    pub(crate) builder: Option<String>,
    /// External cache source (`user/app:cache`, `type=local,src=path/to/dir`)
    #[arg(long = "cache-from", value_name = "SOURCE")]
    pub(crate) cache_from: Vec<String>,
    /// Cache export destination (`user/app:cache`, `type=local,dest=path/to/dir`)
    #[arg(long = "cache-to", value_name = "DESTINATION")]
    pub(crate) cache_to: Vec<String>,
    /// Method for evaluating the build: build, check, outline, targets (`outline,format=json`)
    #[arg(long, value_name = "METHOD", default_value = "build")]
    pub(crate) call: String,
    /// Parent cgroup of RUN steps
    #[arg(long = "cgroup-parent", value_name = "CGROUP")]
    pub(crate) cgroup_parent: Option<String>,
    /// Shorthand for `--call=check`
    #[arg(long)]
    pub(crate) check: bool,
    /// Enable debug logging
    #[arg(short = 'D', long)]
    pub(crate) debug: bool,
    /// Name of the Dockerfile (default: `PATH/Dockerfile`; `-` is standard input)
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<String>,
    /// Write the image ID to a file
    #[arg(long, value_name = "FILE")]
    pub(crate) iidfile: Option<PathBuf>,
    /// Set metadata for the image
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) label: Vec<String>,
    /// Shorthand for `--output=type=docker`: load the image into a running Docker or Podman
    #[arg(long)]
    pub(crate) load: bool,
    /// Write build result metadata to a file
    #[arg(long = "metadata-file", value_name = "FILE")]
    pub(crate) metadata_file: Option<PathBuf>,
    /// Networking mode of RUN instructions: default, host, none
    #[arg(long, value_name = "MODE", default_value = "default")]
    pub(crate) network: String,
    /// Do not use results of earlier builds
    #[arg(long = "no-cache")]
    pub(crate) no_cache: bool,
    /// Do not use earlier results of these stages
    #[arg(long = "no-cache-filter", value_name = "STAGE", value_delimiter = ',')]
    pub(crate) no_cache_filter: Vec<String>,
    /// Output destination (`type=local,dest=path`)
    #[arg(short, long, value_name = "OUTPUT")]
    pub(crate) output: Vec<String>,
    /// Target platform of the build
    #[arg(long, value_name = "PLATFORM", value_delimiter = ',')]
    pub(crate) platform: Vec<String>,
    /// Build policy
    #[arg(long, value_name = "POLICY")]
    pub(crate) policy: Vec<String>,
    /// Type of progress output
    #[arg(long, value_name = "TYPE", default_value = "auto")]
    pub(crate) progress: ProgressMode,
    /// Shorthand for `--attest=type=provenance`
    #[arg(long, value_name = "VALUE", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub(crate) provenance: Option<String>,
    /// Always look for newer versions of base images and packages
    #[arg(long)]
    pub(crate) pull: bool,
    /// Shorthand for `--output=type=registry,unpack=false`
    #[arg(long)]
    pub(crate) push: bool,
    /// Suppress the build output and print the image ID on success
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Shorthand for `--attest=type=sbom`
    #[arg(long, value_name = "VALUE", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub(crate) sbom: Option<String>,
    /// Secret to expose to the build (`id=mysecret[,src=/local/secret|,env=VARIABLE]`)
    #[arg(long, value_name = "SECRET")]
    pub(crate) secret: Vec<String>,
    /// Size of `/dev/shm` of RUN steps (`64m`)
    #[arg(long = "shm-size", value_name = "BYTES")]
    pub(crate) shm_size: Option<String>,
    /// SSH agent socket or keys to expose to the build (`default|<id>[=<socket>|<key>[,<key>]]`)
    #[arg(long, value_name = "AGENT", num_args = 1)]
    pub(crate) ssh: Vec<String>,
    /// Name and optionally tag of the image (`name:tag`)
    #[arg(short, long, value_name = "NAME")]
    pub(crate) tag: Vec<String>,
    /// Stage to build
    #[arg(long, value_name = "STAGE")]
    pub(crate) target: Option<String>,
    /// Limits of RUN steps (`nofile=1024:2048`)
    #[arg(long, value_name = "ULIMIT")]
    pub(crate) ulimit: Vec<String>,

    #[command(flatten)]
    pub(crate) wharf: WharfBuildArgs,
    #[command(flatten)]
    pub(crate) legacy: LegacyBuildArgs,
}

/// Flags that are wharf's own.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Flags of wharf")]
pub(crate) struct WharfBuildArgs {
    /// Certificates that steps trust besides the image's: the machine's (`host`), none, or a PEM file
    #[arg(long, value_name = "host|none|FILE")]
    pub(crate) ca: Option<String>,
    /// How many steps run at once (default: the number of processors)
    #[arg(long, value_name = "N")]
    pub(crate) parallel: Option<std::num::NonZeroUsize>,
    /// Give RUN steps the variables that make pip, npm, cargo, gcc and others give the same files when they run again
    #[arg(long = "reproducible-steps")]
    pub(crate) reproducible_steps: bool,
    /// Force a way of isolating steps (`wharf host` tells what this machine offers)
    #[arg(long, value_name = "RUNG")]
    pub(crate) sandbox: Option<String>,
    /// System call filter of RUN steps: default, unconfined, or a profile in Docker's format
    #[arg(long, value_name = "default|unconfined|FILE", default_value = "default")]
    pub(crate) seccomp: String,
    /// Run reused steps (all, or this share of them) again and compare: finds steps whose result depends on more than they read
    #[arg(
        long = "verify-cache",
        value_name = "PERCENT",
        num_args = 0..=1,
        default_missing_value = "100",
        require_equals = true
    )]
    pub(crate) verify_cache: Option<String>,
}

/// Flags of the classic builder that buildx accepts and ignores; so does wharf, with a warning.
#[derive(Debug, Clone, Args)]
pub(crate) struct LegacyBuildArgs {
    #[arg(long, hide = true)]
    pub(crate) compress: bool,
    #[arg(long = "cpu-period", hide = true)]
    pub(crate) cpu_period: Option<String>,
    #[arg(long = "cpu-quota", hide = true)]
    pub(crate) cpu_quota: Option<String>,
    #[arg(short = 'c', long = "cpu-shares", hide = true)]
    pub(crate) cpu_shares: Option<String>,
    #[arg(long = "cpuset-cpus", hide = true)]
    pub(crate) cpuset_cpus: Option<String>,
    #[arg(long = "cpuset-mems", hide = true)]
    pub(crate) cpuset_mems: Option<String>,
    #[arg(long = "force-rm", hide = true)]
    pub(crate) force_rm: bool,
    #[arg(long, hide = true)]
    pub(crate) isolation: Option<String>,
    #[arg(short = 'm', long, hide = true)]
    pub(crate) memory: Option<String>,
    #[arg(long = "memory-swap", hide = true)]
    pub(crate) memory_swap: Option<String>,
    #[arg(long, hide = true, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub(crate) rm: Option<String>,
    #[arg(long = "security-opt", hide = true)]
    pub(crate) security_opt: Vec<String>,
    #[arg(long, hide = true)]
    pub(crate) squash: bool,
}

/// `--progress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressMode {
    /// A live display on a terminal, plain lines elsewhere.
    Auto,
    /// A live display.
    Tty,
    /// Plain lines.
    Plain,
    /// One JSON object a line.
    Rawjson,
    /// Only errors.
    Quiet,
}
