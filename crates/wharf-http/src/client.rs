//! Sends requests: attempts, redirects within an attempt, deadlines around everything.

use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use reqwest::StatusCode;
use url::Url;

use crate::{
    Bytes, Error, Options, Phase, Proxies, Request, Response, RetryPolicy, ShownUrl, TrustError,
    body::Sent,
    deadline::Deadline,
    dns, failure,
    redirect::Trail,
    request::is_web,
    retry::{self, RetryNotice},
};

/// Sends requests. Clones share connections.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    options: Options,
    transport: OnceLock<Transport>,
}

/// What is made at the first request, so that a command that needs no network reads no CA store.
struct Transport {
    http: reqwest::Client,
    trusts_somebody: bool,
}

/// How many attempts of a request failed so far, and by which policy it goes on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempts {
    pub(crate) failed: u32,
    pub(crate) policy: RetryPolicy,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    /// A client. Nothing is read or connected before the first request.
    pub fn new(options: Options) -> Self {
        Self(Arc::new(Inner {
            options,
            transport: OnceLock::new(),
        }))
    }

    /// What it was made with.
    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// Sends `request` and gives the head of its answer, whatever the status; [`Response::ok`] tells successes.
    ///
    /// Follows redirects and retries as the options say. A transient status (408, 429, 5xx) is given only when the
    /// attempts are used up or the server asks for more patience than the policy has.
    pub async fn send(&self, request: &Request) -> Result<Response, Error> {
        self.send_until(request, self.deadline(request), &mut self.attempts(request))
            .await
    }

    /// The body of a successful answer, of at most `limit` bytes. A body that breaks off is asked for again.
    pub async fn bytes(&self, request: &Request, limit: u64) -> Result<Bytes, Error> {
        let deadline = self.deadline(request);
        let mut attempts = self.attempts(request);
        loop {
            let response = self.send_until(request, deadline, &mut attempts).await?;
            match response.ok().await?.bytes(limit).await {
                Err(error) if error.is_transient() && request.repeatable() => {
                    if !self
                        .pause(&request.shown(), &error, None, deadline, &mut attempts)
                        .await
                    {
                        return Err(error);
                    }
                }
                done => return done,
            }
        }
    }

    pub(crate) fn deadline(&self, request: &Request) -> Deadline {
        Deadline::after(request.total_timeout.unwrap_or(self.options().timeouts.total))
    }

    pub(crate) fn attempts(&self, request: &Request) -> Attempts {
        Attempts {
            failed: 0,
            policy: request.retry.unwrap_or(self.options().retry),
        }
    }

    /// [`send`](Self::send) with a deadline and attempts that a longer operation shares.
    pub(crate) async fn send_until(
        &self,
        request: &Request,
        deadline: Deadline,
        attempts: &mut Attempts,
    ) -> Result<Response, Error> {
        loop {
            let outcome = self.attempt(request, deadline).await;
            if !worth_another(request, &outcome) {
                return outcome;
            }
            let (asked, reason) = match &outcome {
                Ok(response) => (response.retry_after(), response.status().to_string()),
                Err(error) => (None, error.to_string()),
            };
            if !self
                .pause(&request.shown(), &reason, asked, deadline, attempts)
                .await
            {
                return outcome;
            }
        }
    }

    /// Counts a failed attempt and waits before the next one; false when there is to be none.
    pub(crate) async fn pause(
        &self,
        url: &ShownUrl,
        reason: &(dyn fmt::Display + Sync),
        asked: Option<Duration>,
        deadline: Deadline,
        attempts: &mut Attempts,
    ) -> bool {
        attempts.failed += 1;
        let failed = attempts.failed;
        let Some(delay) = attempts.policy.delay(failed, asked, fastrand::f64()) else {
            return false;
        };
        if let Some(observer) = &self.options().on_retry {
            observer.tell(&RetryNotice {
                url,
                reason,
                failed,
                delay,
            });
        }
        deadline.sleep(delay).await
    }

    /// One attempt: the request and the redirects that its answers ask for.
    async fn attempt(&self, request: &Request, deadline: Deadline) -> Result<Response, Error> {
        let mut trail = Trail::new(self.options().max_redirects);
        let mut request = Cow::Borrowed(request);
        loop {
            let response = self.exchange(&request, deadline).await?;
            match trail.next(&request, response.status(), response.headers())? {
                Some(next) => request = Cow::Owned(next),
                None => return Ok(response),
            }
        }
    }

    /// One request and its answer.
    async fn exchange(&self, request: &Request, deadline: Deadline) -> Result<Response, Error> {
        let shown = request.shown();
        let transport = self.transport()?;
        check(&request.url, transport.trusts_somebody)?;
        let sent = Arc::new(Sent::default());
        let mut outgoing = transport
            .http
            .request(request.method.clone(), request.url.clone())
            .headers(request.headers.clone());
        if let Some(body) = request.body.start(&sent) {
            outgoing = outgoing.body(body);
        }
        let inner = self
            .watch(request, &shown, &sent, deadline, outgoing.send())
            .await?;
        let idle = self.options().timeouts.idle;
        Ok(Response {
            inner,
            url: request.url.clone(),
            shown,
            deadline,
            idle,
            received: 0,
        })
    }

    /// Waits for the answer for as long as the body keeps moving and, once it is sent, as long as answers may take.
    async fn watch(
        &self,
        request: &Request,
        url: &ShownUrl,
        sent: &Sent,
        deadline: Deadline,
        sending: impl Future<Output = reqwest::Result<reqwest::Response>>,
    ) -> Result<reqwest::Response, Error> {
        let timeouts = &self.options().timeouts;
        let mut sending = std::pin::pin!(sending);
        let mut before = 0;
        loop {
            let (phase, limit) = if sent.bytes() < request.body.counted() {
                (Phase::Send, timeouts.idle)
            } else {
                (
                    Phase::Response,
                    request.response_timeout.unwrap_or(timeouts.response),
                )
            };
            match deadline.within(limit, phase, url, &mut sending).await {
                Ok(Ok(response)) => return Ok(response),
                Ok(Err(error)) => return Err(failure::of_sending(url, error, timeouts.connect)),
                Err(Error::Timeout {
                    phase: Phase::Send, ..
                }) if sent.bytes() > before => {
                    before = sent.bytes();
                }
                Err(stalled) => return Err(stalled),
            }
        }
    }

    fn transport(&self) -> Result<&Transport, Error> {
        if let Some(transport) = self.0.transport.get() {
            return Ok(transport);
        }
        let transport = Transport::new(self.options())?;
        Ok(self.0.transport.get_or_init(|| transport))
    }
}

/// Whether a failed attempt may be, and is worth being, followed by another.
///
/// What never reached the server may always be sent again, and so may what it refused for now; anything else only
/// when repeating the request is harmless.
fn worth_another(request: &Request, outcome: &Result<Response, Error>) -> bool {
    match outcome {
        Ok(response) => {
            let refused = matches!(
                response.status(),
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
            );
            retry::is_transient(response.status()) && (refused || request.repeatable())
        }
        Err(
            Error::Unreachable { .. }
            | Error::Timeout {
                phase: Phase::Connect,
                ..
            },
        ) => true,
        Err(error) => error.is_transient() && request.repeatable(),
    }
}

fn check(url: &Url, trusts_somebody: bool) -> Result<(), Error> {
    if !is_web(url) {
        return Err(Error::InvalidUrl {
            text: ShownUrl::new(url).to_string(),
        });
    }
    if url.scheme() == "https" && !trusts_somebody {
        return Err(TrustError::NoRoots.into());
    }
    Ok(())
}

impl Transport {
    fn new(options: &Options) -> Result<Self, Error> {
        let (tls, trusts_somebody) = options.trust.config()?;
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .dns_resolver(Arc::new(dns::Resolver::default()))
            .user_agent(&options.user_agent)
            .connect_timeout(options.timeouts.connect)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_proxy();
        for proxy in proxies(&options.proxies).map_err(setup)? {
            builder = builder.proxy(proxy);
        }
        let http = builder.build().map_err(setup)?;
        Ok(Self {
            http,
            trusts_somebody,
        })
    }
}

fn setup(error: reqwest::Error) -> Error {
    Error::Setup(Box::new(error.without_url()))
}

fn proxies(proxies: &Proxies) -> Result<Vec<reqwest::Proxy>, reqwest::Error> {
    let direct = format!("{},localhost,127.0.0.0/8,::1", proxies.none_for);
    let direct = reqwest::NoProxy::from_string(&direct);
    let http = proxies.http.as_ref().map(reqwest::Proxy::http);
    let https = proxies.https.as_ref().map(reqwest::Proxy::https);
    http.into_iter()
        .chain(https)
        .map(|proxy| Ok(proxy?.no_proxy(direct.clone())))
        .collect()
}
