//! What is asked: method, URL, headers, body, and how patient the asker is.

use std::time::Duration;

use reqwest::{
    Method,
    header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue},
};
use url::Url;

use crate::{Body, Error, RetryPolicy, ShownUrl};

/// A request. It can be sent any number of times.
#[derive(Debug, Clone)]
pub struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    pub(crate) response_timeout: Option<Duration>,
    pub(crate) total_timeout: Option<Duration>,
    pub(crate) retry: Option<RetryPolicy>,
    pub(crate) follow: bool,
}

impl Request {
    /// A request of any method. Methods that are not idempotent are not sent again, save when the connection could
    /// not be made or the server says "later"; see [`retry`](Self::retry).
    pub fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: Body::default(),
            response_timeout: None,
            total_timeout: None,
            retry: None,
            follow: true,
        }
    }

    /// A GET.
    pub fn get(url: Url) -> Self {
        Self::new(Method::GET, url)
    }

    /// A HEAD.
    pub fn head(url: Url) -> Self {
        Self::new(Method::HEAD, url)
    }

    /// A GET of the URL that `text` is.
    pub fn get_text(text: &str) -> Result<Self, Error> {
        parse_url(text).map(Self::get)
    }

    /// Sets a header.
    pub fn header(mut self, name: HeaderName, value: &str) -> Result<Self, Error> {
        let value = self.value(&name, value)?;
        self.headers.insert(name, value);
        Ok(self)
    }

    /// Sets `Authorization`, say `Bearer …`. It is redacted in `Debug` and not carried to another origin.
    pub fn authorization(mut self, value: &str) -> Result<Self, Error> {
        let mut value = self.value(&AUTHORIZATION, value)?;
        value.set_sensitive(true);
        self.headers.insert(AUTHORIZATION, value);
        Ok(self)
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    /// Waits this long for the head of the response, instead of what the client's options say.
    #[must_use]
    pub const fn response_timeout(mut self, limit: Duration) -> Self {
        self.response_timeout = Some(limit);
        self
    }

    /// The limit of the whole, instead of what the client's options say.
    #[must_use]
    pub const fn total_timeout(mut self, limit: Duration) -> Self {
        self.total_timeout = Some(limit);
        self
    }

    /// Retries by this policy, whatever the method: the caller says that asking twice is harmless.
    #[must_use]
    pub const fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = Some(policy);
        self
    }

    /// Redirects are given to the caller as responses.
    #[must_use]
    pub const fn no_redirects(mut self) -> Self {
        self.follow = false;
        self
    }

    /// What is asked for.
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// The method.
    pub const fn method(&self) -> &Method {
        &self.method
    }

    /// The URL as messages may show it.
    pub(crate) fn shown(&self) -> ShownUrl {
        ShownUrl::new(&self.url)
    }

    /// Whether sending it a second time changes nothing that the first did not (RFC 9110, 9.2.2), or the caller
    /// says so.
    pub(crate) fn repeatable(&self) -> bool {
        self.retry.is_some() || self.method.is_idempotent()
    }

    fn value(&self, name: &HeaderName, value: &str) -> Result<HeaderValue, Error> {
        HeaderValue::from_str(value).map_err(|_| Error::InvalidHeader {
            url: self.shown(),
            name: name.to_string(),
        })
    }
}

/// An absolute http or https URL.
pub(crate) fn parse_url(text: &str) -> Result<Url, Error> {
    match Url::parse(text) {
        Ok(url) if is_web(&url) => Ok(url),
        Ok(url) => Err(Error::InvalidUrl {
            text: ShownUrl::new(&url).to_string(),
        }),
        // What cannot be parsed cannot be redacted either; only what comes before a possible password is shown.
        Err(_) => Err(Error::InvalidUrl {
            text: text.rsplit('@').next().unwrap_or_default().to_owned(),
        }),
    }
}

pub(crate) fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.has_host()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_http_and_https_urls() {
        assert!(parse_url("https://example.com/a").is_ok());
        for (text, message) in [
            (
                "ftp://example.com/",
                "`ftp://example.com/` is not an http or https URL",
            ),
            ("example.com/a", "`example.com/a` is not an http or https URL"),
            ("https://me:secret@:x/", "`:x/` is not an http or https URL"),
        ] {
            assert_eq!(parse_url(text).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn debug_hides_credentials() {
        let request = Request::get_text("https://example.com/")
            .and_then(|request| request.authorization("Bearer secret"))
            .unwrap();
        assert!(!format!("{request:?}").contains("secret"));
    }
}
