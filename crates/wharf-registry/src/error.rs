//! Why a registry did not do what was asked, told apart as far as a user can act on it.

use std::time::Duration;

use wharf_http::StatusCode;
use wharf_oci::{DocumentError, MediaType, Platform, config::ConfigError};

use crate::{CertsError, HelperError};

/// Why a registry did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The user's settings forbid the registry.
    #[error("{name}: the registry settings block `{prefix}`")]
    Blocked {
        /// What was asked for.
        name: String,
        /// The rule.
        prefix: String,
    },
    /// There is no such image, tag or blob, as far as this account may know.
    #[error("{name}: not found")]
    NotFound {
        /// What is not there.
        name: String,
    },
    /// Credentials are missing, wrong, or do not suffice. Many registries say so of what does not exist, too.
    #[error("{name}: not authorised{}", said(.message))]
    Unauthorized {
        /// What was asked for.
        name: String,
        /// What the registry said; may be empty.
        message: String,
        /// Whether credentials were shown at all.
        with_account: bool,
        /// The credential helper that failed, if one did.
        #[source]
        helper: Option<Box<HelperError>>,
    },
    /// No host, no connection, no TLS, no answer in time.
    #[error("{name}: the registry is not reachable")]
    Unreachable {
        /// What was asked for.
        name: String,
        /// What the network said.
        source: Box<wharf_http::Error>,
    },
    /// Too many requests, still, after the retries.
    #[error("{name}: the registry limits the rate of requests{}", said(.message))]
    RateLimited {
        /// What was asked for.
        name: String,
        /// What the registry said; may be empty.
        message: String,
        /// How long it asks to wait, when it says so.
        retry_after: Option<Duration>,
    },
    /// There is such an image, but not for this platform.
    #[error("{name}: no image for {wanted}, only for {}", list(.offered))]
    WrongPlatform {
        /// What was asked for.
        name: String,
        /// The platform that was asked for.
        wanted: Box<Platform>,
        /// The platforms that there are.
        offered: Vec<Platform>,
    },
    /// Something else than an image: a chart, a signature.
    #[error("{name}: not an image but `{media_type}`")]
    NotAnImage {
        /// What was asked for.
        name: String,
        /// What it is.
        media_type: MediaType,
    },
    /// The manifest or index is not valid.
    #[error("{name}: the manifest cannot be used")]
    Document {
        /// What was asked for.
        name: String,
        /// Why.
        source: DocumentError,
    },
    /// The image configuration is not valid.
    #[error("{name}: the image configuration cannot be used")]
    Config {
        /// What was asked for.
        name: String,
        /// Why.
        source: ConfigError,
    },
    /// Any other answer that is no success.
    #[error("{name}: the registry answered {status}{}", said(.message))]
    Refused {
        /// What was asked for.
        name: String,
        /// The status.
        status: StatusCode,
        /// What the registry said; may be empty.
        message: String,
    },
    /// An answer that the distribution specification does not allow.
    #[error("{name}: the registry's answer is not understood: {what}")]
    Protocol {
        /// What was asked for.
        name: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A transfer failed: wrong digest or size, too large, broken, a local disk.
    #[error("{name}: the transfer failed")]
    Transfer {
        /// What was transferred.
        name: String,
        /// Why.
        source: Box<wharf_http::Error>,
    },
    /// The certificates for the registry cannot be used.
    #[error("{registry}: its certificates cannot be used")]
    Certs {
        /// The registry.
        registry: String,
        /// Why.
        source: Box<CertsError>,
    },
}

fn said(message: &str) -> String {
    if message.is_empty() {
        String::new()
    } else {
        format!(": {message}")
    }
}

fn list(platforms: &[Platform]) -> String {
    let names: Vec<_> = platforms.iter().map(ToString::to_string).collect();
    if names.is_empty() {
        "none that is named".to_owned()
    } else {
        names.join(", ")
    }
}

impl Error {
    /// What `error`, of a request about `name`, means.
    pub(crate) fn of_http(name: &str, error: wharf_http::Error) -> Self {
        let name = name.to_owned();
        match error {
            wharf_http::Error::NotFound { .. } => Self::NotFound { name },
            wharf_http::Error::RateLimited { retry_after, .. } => Self::RateLimited {
                name,
                message: String::new(),
                retry_after,
            },
            error @ (wharf_http::Error::Trust(_) | wharf_http::Error::Setup(_)) => Self::Unreachable {
                name,
                source: Box::new(error),
            },
            error if error.is_unreachable() => Self::Unreachable {
                name,
                source: Box::new(error),
            },
            error => Self::Transfer {
                name,
                source: Box::new(error),
            },
        }
    }

    /// Whether asking the same place again could help.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { source, .. } | Self::Transfer { source, .. } => source.is_transient(),
            Self::RateLimited { .. } => true,
            Self::Refused { status, .. } => status.is_server_error(),
            _ => false,
        }
    }
}
