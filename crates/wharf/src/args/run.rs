//! The flags of `wharf run`, named as `docker run` names them.

use clap::Args;

/// What `wharf run` was asked to do, as typed.
#[derive(Debug, Clone, Args)]
pub(crate) struct RunArgs {
    /// Publish a container port on the host (`[address:]port:port`)
    #[arg(short, long, value_name = "HOST:CONTAINER")]
    pub(crate) publish: Vec<String>,
    /// Set a variable; without a value, the environment's
    #[arg(short, long, value_name = "KEY[=VALUE]")]
    pub(crate) env: Vec<String>,
    /// Mount a directory or file of the host (`/host:/container[:ro]`)
    #[arg(short, long, value_name = "HOST:CONTAINER")]
    pub(crate) volume: Vec<String>,
    /// Keep standard input open
    #[arg(short, long)]
    pub(crate) interactive: bool,
    /// Give the process a terminal
    #[arg(short, long)]
    pub(crate) tty: bool,
    /// Platform to choose from an index (default: this machine's)
    #[arg(long, value_name = "PLATFORM")]
    pub(crate) platform: Option<String>,
    /// User (`name|uid[:group|gid]`)
    #[arg(short, long, value_name = "USER")]
    pub(crate) user: Option<String>,
    /// Working directory
    #[arg(short, long, value_name = "DIR")]
    pub(crate) workdir: Option<String>,
    /// Replace the image's entry point
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) entrypoint: Option<String>,
    /// Host name
    #[arg(long, value_name = "NAME")]
    pub(crate) hostname: Option<String>,
    /// host, none, or a network of its own (the default when a port is published)
    #[arg(long, value_name = "MODE")]
    pub(crate) network: Option<String>,
    /// Accepted for the sake of scripts: what a container wrote is always removed
    #[arg(long)]
    pub(crate) rm: bool,
    /// Force a way of isolating (`wharf host` tells what this machine offers)
    #[arg(long, value_name = "RUNG")]
    pub(crate) sandbox: Option<String>,
    /// System call filter: default, unconfined, or a profile in Docker's format
    #[arg(long, value_name = "default|unconfined|FILE", default_value = "default")]
    pub(crate) seccomp: String,
    /// The image
    pub(crate) image: String,
    /// Command and arguments, in place of the image's
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<String>,
}
