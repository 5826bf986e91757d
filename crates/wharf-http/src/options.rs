//! What may vary from one client to another.

use std::{fmt, time::Duration};

use crate::{RetryObserver, RetryPolicy, Trust};

/// What may vary from one [`Client`](crate::Client) to another.
#[derive(Clone, Debug)]
pub struct Options {
    /// The `User-Agent` header.
    pub user_agent: String,
    /// Whom TLS trusts, and the certificate shown to servers that ask for one.
    pub trust: Trust,
    /// Proxies by scheme.
    pub proxies: Proxies,
    /// The limits of every wait.
    pub timeouts: Timeouts,
    /// How often and when a failed request is sent again.
    pub retry: RetryPolicy,
    /// How many redirects one request may take. Ten is what most clients allow.
    pub max_redirects: usize,
    /// Told of every retry before its delay begins.
    pub on_retry: Option<RetryObserver>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            user_agent: concat!("wharf/", env!("CARGO_PKG_VERSION")).to_owned(),
            trust: Trust::default(),
            proxies: Proxies::default(),
            timeouts: Timeouts::default(),
            retry: RetryPolicy::default(),
            max_redirects: 10,
            on_retry: None,
        }
    }
}

/// Which proxy carries which scheme, as `http_proxy`, `https_proxy` and `no_proxy` say it.
///
/// Proxy URLs are `http`, `https`, `socks5` or `socks5h`, with credentials where the proxy wants them; a bare
/// `host:port` is http. Loopback hosts never go through a proxy.
#[derive(Clone, Default)]
pub struct Proxies {
    /// For http URLs.
    pub http: Option<String>,
    /// For https URLs.
    pub https: Option<String>,
    /// Hosts, domains and networks that are reached directly, separated by commas; `*` is every host.
    pub none_for: String,
}

impl fmt::Debug for Proxies {
    /// Without the URLs, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxies")
            .field("http", &self.http.is_some())
            .field("https", &self.https.is_some())
            .field("none_for", &self.none_for)
            .finish()
    }
}

/// The limits of every wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Name look-up, connection and TLS handshake.
    pub connect: Duration,
    /// From the last byte of the request to the head of the response.
    pub response: Duration,
    /// Between two pieces of a body, in either direction.
    pub idle: Duration,
    /// The whole of a request or download: redirects, retries and resumptions included.
    pub total: Duration,
}

impl Default for Timeouts {
    /// 10 s to connect, 60 s for an answer, 30 s without a byte, an hour in all.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            response: Duration::from_mins(1),
            idle: Duration::from_secs(30),
            total: Duration::from_hours(1),
        }
    }
}
