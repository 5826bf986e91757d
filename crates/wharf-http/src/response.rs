//! What came back: status, headers, and a body that is read under a cap and a deadline.

use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use reqwest::{
    StatusCode,
    header::{CONTENT_LENGTH, HeaderMap, HeaderName},
};
use url::Url;

use crate::{Error, Phase, ShownUrl, deadline::Deadline, failure, retry_after};

/// The answer to a request, of whatever status. Its body has not been read yet.
#[derive(Debug)]
pub struct Response {
    pub(crate) inner: reqwest::Response,
    /// Where the answer came from, after redirects.
    pub(crate) url: Url,
    pub(crate) shown: ShownUrl,
    pub(crate) deadline: Deadline,
    pub(crate) idle: Duration,
    pub(crate) received: u64,
}

/// How much of an error's text is read: enough for the error documents of registries.
const ERROR_TEXT: u64 = 16 << 10;

impl Response {
    /// The status.
    pub fn status(&self) -> StatusCode {
        self.inner.status()
    }

    /// All headers.
    pub fn headers(&self) -> &HeaderMap {
        self.inner.headers()
    }

    /// A header's first value, if it is text.
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers().get(name)?.to_str().ok()
    }

    /// Where the answer came from, after redirects.
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// The announced size of the body, bytes. To a HEAD: of the body that a GET would have.
    pub fn content_length(&self) -> Option<u64> {
        self.header(&CONTENT_LENGTH)?.parse().ok()
    }

    /// How long the server asks to wait before the next request.
    pub fn retry_after(&self) -> Option<Duration> {
        retry_after(self.headers(), SystemTime::now())
    }

    /// This response if it is a success, else the error that its status means.
    pub async fn ok(self) -> Result<Self, Error> {
        if self.status().is_success() {
            Ok(self)
        } else {
            Err(self.into_error().await)
        }
    }

    /// The error that the status means, with the first line of a text answer where the status says little.
    pub async fn into_error(mut self) -> Error {
        let (url, status) = (self.shown.clone(), self.status());
        match status {
            StatusCode::NOT_FOUND | StatusCode::GONE => Error::NotFound { url },
            StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                Error::Unauthorized { url, status }
            }
            StatusCode::FORBIDDEN => Error::Forbidden { url },
            StatusCode::TOO_MANY_REQUESTS => Error::RateLimited {
                url,
                retry_after: self.retry_after(),
            },
            _ => Error::Status {
                url,
                status,
                message: first_line(&self.error_text().await),
            },
        }
    }

    /// The start of the body, for a message; whatever goes wrong with it is of no interest.
    pub async fn error_text(&mut self) -> Bytes {
        let mut text = BytesMut::new();
        while (text.len() as u64) < ERROR_TEXT {
            match self.chunk().await {
                Ok(Some(piece)) => text.extend_from_slice(&piece),
                Ok(None) | Err(_) => break,
            }
        }
        text.truncate(ERROR_TEXT as usize);
        text.freeze()
    }

    /// The next piece of the body, or `None` at its end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let next = self
            .deadline
            .within(self.idle, Phase::Body, &self.shown, self.inner.chunk());
        match next.await? {
            Ok(piece) => {
                self.received += piece.as_ref().map_or(0, Bytes::len) as u64;
                Ok(piece)
            }
            Err(error) => Err(failure::of_receiving(&self.shown, error, self.received)),
        }
    }

    /// The whole body, of at most `limit` bytes. An announced size above it is refused before a byte is read.
    pub async fn bytes(mut self, limit: u64) -> Result<Bytes, Error> {
        let too_large = || Error::TooLarge {
            url: self.shown.clone(),
            limit,
        };
        if self.content_length().is_some_and(|length| length > limit) {
            return Err(too_large());
        }
        let mut body = BytesMut::new();
        while let Some(piece) = self.chunk().await? {
            if (body.len() + piece.len()) as u64 > limit {
                return Err(Error::TooLarge {
                    url: self.shown,
                    limit,
                });
            }
            body.extend_from_slice(&piece);
        }
        Ok(body.freeze())
    }
}

/// The first line that says something, without control characters and not too long; empty for HTML.
fn first_line(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let line = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or_default();
    if line.starts_with('<') {
        return String::new();
    }
    line.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_lines() {
        assert_eq!(first_line(b"\n  quota exceeded \nmore"), "quota exceeded");
        assert_eq!(first_line(b"<html><body>nginx</body></html>"), "");
        assert_eq!(first_line(b"\x1b[31mred"), "[31mred");
    }
}
