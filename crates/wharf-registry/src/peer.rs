//! One registry host: how it is reached, who asks, and how much at once.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};
use url::{Host, Url};
use wharf_http::{Client, Request, Response, RetryPolicy, StatusCode, Verify};

use crate::{
    Credential, Error, Options,
    certs_dir::Certs,
    challenge::{self, Challenge},
    scope::Scope,
    settings::{Account, Settings},
    token::{self, Tokens, Wanted},
};

/// One registry host.
pub(crate) struct Peer {
    /// `host[:port]`, as references and settings name it.
    registry: String,
    settings: Arc<Settings>,
    http: Client,
    /// Whether plain http will do.
    may_be_plain: bool,
    /// `https://host/v2/`.
    base: OnceCell<Url>,
    /// What it asked for last.
    challenge: Mutex<Option<Challenge>>,
    tokens: Tokens,
    accounts: Mutex<HashMap<String, Account>>,
    transfers: Arc<Semaphore>,
    down_until: Mutex<Option<Instant>>,
}

/// A mirror that could not be reached is not asked again for so long.
const DOWN: Duration = Duration::from_mins(1);

/// Bytes a second below which a transfer is given up in the long run; that nothing moves is noticed much earlier.
const SLOWEST: u64 = 64 << 10;

/// What a request needs besides itself: the repository whose account asks, what that shall allow, and how messages
/// call it.
#[derive(Clone, Debug)]
pub(crate) struct Purpose {
    pub(crate) repository: String,
    pub(crate) scope: Scope,
    pub(crate) name: String,
}

impl Peer {
    pub(crate) fn new(
        registry: &str,
        insecure: bool,
        options: &Options,
        settings: &Arc<Settings>,
    ) -> Result<Self, Error> {
        let certs = Certs::read(&settings.certs_dirs, registry).map_err(|source| Error::Certs {
            registry: registry.to_owned(),
            source: Box::new(source),
        })?;
        let may_be_plain = insecure || is_loopback(registry);
        let mut http = options.http.clone();
        // Docker takes loopback for insecure; but who files a CA for it wants it verified.
        if may_be_plain && (insecure || certs.authorities.is_empty()) {
            http.trust.verify = Verify::Nothing;
        }
        http.trust.extra_pem.extend(certs.authorities);
        http.trust.identity = certs.identity.or(http.trust.identity);
        Ok(Self {
            registry: registry.to_owned(),
            settings: Arc::clone(settings),
            http: Client::new(http),
            may_be_plain,
            base: OnceCell::new(),
            challenge: Mutex::default(),
            tokens: Tokens::default(),
            accounts: Mutex::default(),
            transfers: Arc::new(Semaphore::new(options.transfers.max(1))),
            down_until: Mutex::default(),
        })
    }

    /// The client for this host.
    pub(crate) const fn http(&self) -> &Client {
        &self.http
    }

    /// The URL of `path` below the API's root.
    pub(crate) async fn url(&self, path: &str, name: &str) -> Result<Url, Error> {
        let base = self.base.get_or_try_init(|| self.find_base(name)).await?;
        let mut url = base.clone();
        url.path_segments_mut()
            .map_err(|()| Error::Protocol {
                name: name.to_owned(),
                what: "the registry's name is no host",
            })?
            .pop_if_empty()
            .extend(path.split('/'));
        Ok(url)
    }

    /// Sends `request` with what the registry wants to see, and again with a new token where the old one did not do.
    pub(crate) async fn send(&self, request: &Request, purpose: &Purpose) -> Result<Response, Error> {
        let fail = |error| Error::of_http(&purpose.name, error);
        let (authorized, shown) = self.authorize(request.clone(), purpose, None).await?;
        let response = self.http.send(&authorized).await.map_err(fail)?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let Some(asked) = challenge::of(response.headers()) else {
            return Ok(response);
        };
        *lock(&self.challenge) = Some(asked);
        let (authorized, now) = self.authorize(request.clone(), purpose, shown.as_deref()).await?;
        if now.is_none() || now == shown {
            return Ok(response);
        }
        self.http.send(&authorized).await.map_err(fail)
    }

    /// The request with what the registry asked for last, and the token or password text that it carries.
    /// `refused` is a token that did not do.
    pub(crate) async fn authorize(
        &self,
        request: Request,
        purpose: &Purpose,
        refused: Option<&str>,
    ) -> Result<(Request, Option<String>), Error> {
        let asked = lock(&self.challenge).clone();
        let value = match asked {
            None => None,
            Some(asked) => self.answer(&asked, purpose, refused).await?,
        };
        let Some(value) = value else {
            return Ok((request, None));
        };
        let request = request
            .authorization(&value)
            .map_err(|error| Error::of_http(&purpose.name, error))?;
        let shown = value.strip_prefix("Bearer ").map_or(value.clone(), str::to_owned);
        Ok((request, Some(shown)))
    }

    /// The account that asks about `repository`.
    pub(crate) async fn account(&self, repository: &str) -> Account {
        if let Some(account) = lock(&self.accounts).get(repository) {
            return account.clone();
        }
        let account = self.settings.account(&self.registry, repository).await;
        lock(&self.accounts).insert(repository.to_owned(), account.clone());
        account
    }

    /// How long `size` bytes may take in all: what every request may take, and what they take on a slow line.
    pub(crate) fn patience(&self, size: u64) -> Duration {
        let slowest = Duration::from_secs(size / SLOWEST);
        self.http.options().timeouts.total.saturating_add(slowest)
    }

    /// Waits until one more transfer may run.
    pub(crate) async fn transfer(&self) -> Option<OwnedSemaphorePermit> {
        // It is never closed, so there is always one.
        Arc::clone(&self.transfers).acquire_owned().await.ok()
    }

    /// Whether it could not be reached a short while ago.
    pub(crate) fn is_down(&self) -> bool {
        lock(&self.down_until).is_some_and(|until| until > Instant::now())
    }

    /// It could not be reached.
    pub(crate) fn mark_down(&self) {
        *lock(&self.down_until) = Some(Instant::now() + DOWN);
    }

    async fn answer(
        &self,
        asked: &Challenge,
        purpose: &Purpose,
        refused: Option<&str>,
    ) -> Result<Option<String>, Error> {
        let account = self.account(&purpose.repository).await;
        match (asked, &account.credential) {
            (_, Some(Credential::Token(token))) => Ok(Some(format!("Bearer {}", token.reveal()))),
            (Challenge::Basic, Some(Credential::Password { user, password })) => {
                Ok(Some(token::basic(user, password)))
            }
            (Challenge::Basic, _) => Ok(None),
            (Challenge::Bearer { realm, service, .. }, _) => {
                let realm = self.token_server(realm, &purpose.name)?;
                let wanted = Wanted {
                    realm: &realm,
                    service,
                    scope: &purpose.scope,
                    account: &account,
                    name: &purpose.name,
                };
                let token = self.tokens.get(&self.http, &wanted, refused).await?;
                Ok(Some(format!("Bearer {}", token.reveal())))
            }
        }
    }

    /// The token server's URL. It will be shown a password, so it must not be less safe than the registry itself.
    fn token_server(&self, realm: &str, name: &str) -> Result<Url, Error> {
        let plain = self.base.get().is_some_and(|base| base.scheme() == "http");
        Url::parse(realm)
            .ok()
            .filter(|url| url.scheme() == "https" || url.scheme() == "http" && plain)
            .ok_or_else(|| Error::Protocol {
                name: name.to_owned(),
                what: "the token server has no https URL",
            })
    }

    /// https, or where the settings allow it and nothing answers there, http.
    async fn find_base(&self, name: &str) -> Result<Url, Error> {
        let secure = self.root("https", name)?;
        if !self.may_be_plain {
            return Ok(secure);
        }
        let probe = Request::get(secure.clone()).retry(RetryPolicy::NEVER);
        match self.http.send(&probe).await {
            Ok(_) => return Ok(secure),
            // A certificate that is wanted and not trusted: plain http must not be the way around it.
            Err(wharf_http::Error::Tls { .. }) if self.http.options().trust.verify == Verify::Certificate => {
                return Ok(secure);
            }
            Err(_) => {}
        }
        let plain = self.root("http", name)?;
        self.http
            .send(&Request::get(plain.clone()))
            .await
            .map(|_| plain)
            .map_err(|error| Error::of_http(name, error))
    }

    fn root(&self, scheme: &str, name: &str) -> Result<Url, Error> {
        let host = wharf_oci::api_host(&self.registry);
        Url::parse(&format!("{scheme}://{host}/v2/")).map_err(|_| Error::Protocol {
            name: name.to_owned(),
            what: "the registry's name is no host",
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether `registry` is this machine: what Docker allows plain http for.
fn is_loopback(registry: &str) -> bool {
    let Ok(url) = Url::parse(&format!("http://{registry}/")) else {
        return false;
    };
    match url.host() {
        Some(Host::Domain(host)) => host == "localhost" || host.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_names() {
        for (registry, loopback) in [
            ("localhost", true),
            ("localhost:5000", true),
            ("127.1.2.3:5000", true),
            ("[::1]:5000", true),
            ("localhost.example.test", false),
            ("10.0.0.1:5000", false),
            ("example.test", false),
        ] {
            assert_eq!(is_loopback(registry), loopback, "{registry}");
        }
    }
}
