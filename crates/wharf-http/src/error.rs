//! Why a request failed, told apart as far as a caller can act on it.

use std::{fmt, io, time::Duration};

use reqwest::StatusCode;
use wharf_oci::Digest;

use crate::{ShownUrl, trust::TrustError};

/// What a wait was for when it ran into its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The connection, its TLS handshake included.
    Connect,
    /// Sending the request's body: no byte left.
    Send,
    /// The head of the response.
    Response,
    /// The body of the response: no byte came.
    Body,
    /// The whole of it, retries included.
    Total,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting",
            Self::Send => "sending",
            Self::Response => "waiting for an answer",
            Self::Body => "waiting for more of the body",
            Self::Total => "the whole transfer",
        })
    }
}

/// The lower-level reason of an error, as it came.
pub(crate) type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not an absolute http or https URL with a host.
    #[error("`{text}` is not an http or https URL")]
    InvalidUrl {
        /// The text, as far as it may be shown.
        text: String,
    },
    /// A header's name or value that HTTP does not allow.
    #[error("{url}: header `{name}` cannot be sent")]
    InvalidHeader {
        /// Where the request was for.
        url: ShownUrl,
        /// The header's name.
        name: String,
    },
    /// The trust store, a CA or a client certificate cannot be used.
    #[error("TLS cannot be set up")]
    Trust(#[from] TrustError),
    /// The client could not be made from its options (a proxy that is not a URL, say).
    #[error("the HTTP client cannot be set up")]
    Setup(#[source] Source),
    /// The name server says that there is no such host.
    #[error("{url}: no such host")]
    UnknownHost {
        /// Where the request was for.
        url: ShownUrl,
        /// What the resolver said.
        source: Source,
    },
    /// No connection: refused, no route, no name server. Nothing was sent.
    #[error("{url}: not reachable")]
    Unreachable {
        /// Where the request was for.
        url: ShownUrl,
        /// What the network said.
        source: Source,
    },
    /// The handshake failed: the certificate is not trusted, expired or for another host, or no common protocol.
    #[error("{url}: TLS failed")]
    Tls {
        /// Where the request was for.
        url: ShownUrl,
        /// What the handshake said.
        source: Source,
    },
    /// A wait ran into its limit.
    #[error("{url}: no progress in {after:?} ({phase})")]
    Timeout {
        /// Where the request was for.
        url: ShownUrl,
        /// What was waited for.
        phase: Phase,
        /// The limit.
        after: Duration,
    },
    /// The connection broke before or in the middle of the answer.
    #[error("{url}: the connection broke after {received} bytes")]
    Interrupted {
        /// Where the request was for.
        url: ShownUrl,
        /// Bytes of the body that had come.
        received: u64,
        /// What the network said.
        source: Source,
    },
    /// 404 or 410.
    #[error("{url}: not found")]
    NotFound {
        /// What is not there.
        url: ShownUrl,
    },
    /// 401 or 407: credentials are missing or not accepted.
    #[error("{url}: not authorised ({status})")]
    Unauthorized {
        /// What needs credentials.
        url: ShownUrl,
        /// The status.
        status: StatusCode,
    },
    /// 403: the credentials, or none, do not suffice.
    #[error("{url}: access denied")]
    Forbidden {
        /// What is not for these credentials.
        url: ShownUrl,
    },
    /// 429, still, after the retries.
    #[error("{url}: too many requests")]
    RateLimited {
        /// Where the request was for.
        url: ShownUrl,
        /// How long the server asks to wait, when it says so.
        retry_after: Option<Duration>,
    },
    /// Any other status that is no success.
    #[error("{url}: the server answered {status}{}", said(.message))]
    Status {
        /// Where the request was for.
        url: ShownUrl,
        /// The status.
        status: StatusCode,
        /// The first line of a text answer; may be empty.
        message: String,
    },
    /// The body is larger than the caller allows.
    #[error("{url}: larger than the allowed {limit} bytes")]
    TooLarge {
        /// What is too large.
        url: ShownUrl,
        /// The cap, bytes.
        limit: u64,
    },
    /// The body has another size than expected.
    #[error("{url}: {actual} bytes where {expected} were expected")]
    SizeMismatch {
        /// What has the wrong size.
        url: ShownUrl,
        /// Bytes.
        expected: u64,
        /// Bytes, as announced or received.
        actual: u64,
    },
    /// The body's digest is not the expected one.
    #[error("{url}: the content is {actual}, expected {expected}")]
    DigestMismatch {
        /// What has the wrong content.
        url: ShownUrl,
        /// What was asked for.
        expected: Digest,
        /// What came.
        actual: Digest,
    },
    /// The content changed while a broken download was resumed.
    #[error("{url}: the content changed during the download")]
    Changed {
        /// What changed.
        url: ShownUrl,
    },
    /// A redirect leads back to where it came from.
    #[error("{url}: redirected in a loop")]
    RedirectLoop {
        /// The URL that came up twice.
        url: ShownUrl,
    },
    /// More redirects than the options allow.
    #[error("{url}: more than {limit} redirects")]
    TooManyRedirects {
        /// Where the request was for.
        url: ShownUrl,
        /// The limit.
        limit: usize,
    },
    /// A redirect to nowhere: no location, not http, or from https to http.
    #[error("{url}: redirected to `{location}`, which is not followed")]
    BadRedirect {
        /// The URL that redirects.
        url: ShownUrl,
        /// Where to.
        location: String,
    },
    /// What HTTP does not allow, from the other side.
    #[error("{url}: not understood")]
    Protocol {
        /// Where the request was for.
        url: ShownUrl,
        /// What is wrong.
        source: Source,
    },
    /// The sink of a download, or the source of an upload, failed.
    #[error("{url}: local {what} failed")]
    Local {
        /// Where the request was for.
        url: ShownUrl,
        /// Reading or writing.
        what: &'static str,
        /// What the file system said.
        source: io::Error,
    },
}

fn said(message: &str) -> String {
    if message.is_empty() {
        String::new()
    } else {
        format!(": {message}")
    }
}

impl Error {
    /// Whether asking again later could help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Interrupted { .. }
            | Self::RateLimited { .. }
            | Self::Timeout { .. } => true,
            Self::Status { status, .. } => crate::retry::is_transient(*status),
            _ => false,
        }
    }

    /// Whether the other side was never spoken to: no host, no connection, no TLS, no answer in time.
    pub fn is_unreachable(&self) -> bool {
        matches!(
            self,
            Self::UnknownHost { .. }
                | Self::Unreachable { .. }
                | Self::Tls { .. }
                | Self::Timeout { .. }
                | Self::Interrupted { .. }
        )
    }
}
