//! Uploads: in one piece, or in chunks that a broken connection does not undo.
//!
//! OCI distribution specification, "Pushing a blob monolithically" (POST, then PUT) and "Pushing a blob in chunks".

use std::time::Duration;

use url::Url;
use wharf_http::{
    Body, HeaderName, Method, Request, Response, RetryPolicy,
    header::{CONTENT_RANGE, CONTENT_TYPE, LOCATION, RANGE},
};
use wharf_oci::Descriptor;

use crate::{Error, Options, answer, peer::Purpose, registry::Source};

/// An upload that a registry has begun.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// Where the next piece goes.
    pub(crate) url: Url,
    /// The smallest chunk that the registry takes, bytes.
    min_chunk: u64,
}

/// Registries on object stores copy a large blob once more before they answer.
const COMMIT: Duration = Duration::from_mins(10);

/// The smallest chunk that a registry takes.
const MIN_CHUNK: HeaderName = HeaderName::from_static("oci-chunk-min-length");

/// How a try to send a blob ended, if not well.
enum Failure {
    /// Not at all; or not in this way.
    Final(Error),
    /// The registry does not do chunks.
    NoChunks,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

impl Source {
    /// Sends a blob, in `session` if there is one, and again in new ones while the failures are transient.
    pub(crate) async fn upload(
        &self,
        session: Option<Session>,
        descriptor: &Descriptor,
        body: &Body,
        options: &Options,
    ) -> Result<(), Error> {
        let mut session = session;
        let mut chunk = options.upload_chunk;
        let mut failed = 0;
        loop {
            let begun = match session.take() {
                Some(session) => session,
                None => self.begin_upload().await?,
            };
            let sent = match chunk {
                Some(chunk) if chunk.max(begun.min_chunk) < descriptor.size => {
                    self.in_chunks(begun, descriptor, body, chunk, &options.http.retry)
                        .await
                }
                _ => self
                    .in_one_piece(begun, descriptor, body)
                    .await
                    .map_err(Failure::Final),
            };
            let error = match sent {
                Ok(()) => return Ok(()),
                Err(Failure::NoChunks) => {
                    chunk = None;
                    continue;
                }
                Err(Failure::Final(error)) => error,
            };
            failed += 1;
            pause(&options.http.retry, failed, error).await?;
            // The answer may have been lost, and not the blob.
            if self.has_blob(&descriptor.digest).await? {
                return Ok(());
            }
        }
    }

    async fn begin_upload(&self) -> Result<Session, Error> {
        // Beginning twice leaves an empty upload behind, which registries clear away.
        let request =
            Request::new(Method::POST, self.uploads().await?).retry(self.peer.http().options().retry);
        let response = self.send(&request, self.push()).await?;
        Session::of(self, &response).await
    }

    async fn in_one_piece(
        &self,
        session: Session,
        descriptor: &Descriptor,
        body: &Body,
    ) -> Result<(), Error> {
        let request = Request::new(Method::PUT, session.last(descriptor))
            .body(body.clone())
            .response_timeout(COMMIT)
            .total_timeout(self.peer.patience(descriptor.size))
            .retry(RetryPolicy::NEVER);
        session
            .send(self, octets(self, request)?, self.push())
            .await
            .map(drop)
    }

    async fn in_chunks(
        &self,
        mut session: Session,
        descriptor: &Descriptor,
        body: &Body,
        chunk: u64,
        policy: &RetryPolicy,
    ) -> Result<(), Failure> {
        let chunk = chunk.max(session.min_chunk);
        let (mut sent, mut failed) = (0, 0);
        while sent < descriptor.size {
            let end = descriptor.size.min(sent + chunk);
            match self.send_chunk(&session, body, sent..end).await {
                Ok(next) => {
                    session = next;
                    (sent, failed) = (end, 0);
                }
                Err(error) if refuses_chunks(&error) => return Err(Failure::NoChunks),
                Err(error) => {
                    failed += 1;
                    pause(policy, failed, error).await?;
                    (session, sent) = self.progress(&session).await?;
                }
            }
        }
        let request = Request::new(Method::PUT, session.last(descriptor))
            .response_timeout(COMMIT)
            .retry(RetryPolicy::NEVER);
        session.send(self, request, self.push()).await?;
        Ok(())
    }

    async fn send_chunk(
        &self,
        session: &Session,
        body: &Body,
        part: std::ops::Range<u64>,
    ) -> Result<Session, Error> {
        let range = format!("{}-{}", part.start, part.end - 1);
        let request = Request::new(Method::PATCH, session.url.clone())
            .body(body.part(part))
            .retry(RetryPolicy::NEVER)
            .header(CONTENT_RANGE, &range)
            .map_err(|error| Error::of_http(&self.name, error))?;
        let response = session.send(self, octets(self, request)?, self.push()).await?;
        Session::of(self, &response).await
    }

    /// Asks how much of an upload has arrived, and where it goes on.
    async fn progress(&self, session: &Session) -> Result<(Session, u64), Error> {
        let response = session
            .send(self, Request::get(session.url.clone()), self.push())
            .await?;
        // `0-0` is one byte, but what some registries also say of none: then this chunk is refused, and asked about
        // again; a missing header is none.
        let arrived = response
            .header(&RANGE)
            .and_then(|range| range.rsplit('-').next()?.parse::<u64>().ok())
            .map_or(0, |last| if last == 0 { 0 } else { last + 1 });
        Ok((
            Session::of(self, &response)
                .await
                .unwrap_or_else(|_| session.clone()),
            arrived,
        ))
    }
}

/// Waits before the next try, or gives the error back if there is to be none.
async fn pause(policy: &RetryPolicy, failed: u32, error: Error) -> Result<(), Error> {
    let asked = match &error {
        Error::RateLimited { retry_after, .. } => *retry_after,
        _ => None,
    };
    match policy.delay(failed, asked, fastrand::f64()) {
        Some(delay) if error.is_transient() => {
            tokio::time::sleep(delay).await;
            Ok(())
        }
        _ => Err(error),
    }
}

/// Statuses by which registries and what stands before them say that they do not do PATCH, or not like this.
fn refuses_chunks(error: &Error) -> bool {
    let Error::Refused { status, .. } = error else {
        return false;
    };
    matches!(status.as_u16(), 400 | 405 | 411 | 413 | 415 | 501)
}

fn octets(source: &Source, request: Request) -> Result<Request, Error> {
    request
        .header(CONTENT_TYPE, "application/octet-stream")
        .map_err(|error| Error::of_http(&source.name, error))
}

impl Session {
    /// The session that an answer speaks of.
    pub(crate) async fn of(source: &Source, response: &Response) -> Result<Self, Error> {
        let url = response
            .header(&LOCATION)
            .and_then(|location| response.url().join(location).ok())
            .ok_or_else(|| Error::Protocol {
                name: source.name.clone(),
                what: "an upload without a location",
            })?;
        let min_chunk = response
            .header(&MIN_CHUNK)
            .and_then(|size| size.parse().ok())
            .unwrap_or(0);
        Ok(Self {
            url: as_reached(url, &source.uploads().await?),
            min_chunk,
        })
    }

    /// Where the upload is ended.
    fn last(&self, descriptor: &Descriptor) -> Url {
        let mut url = self.url.clone();
        url.query_pairs_mut()
            .append_pair("digest", &descriptor.digest.to_string());
        url
    }

    /// Sends a request of the session: with the account only if the session is at the registry itself.
    pub(crate) async fn send(
        &self,
        source: &Source,
        request: Request,
        purpose: Purpose,
    ) -> Result<Response, Error> {
        if self.url.origin() == source.uploads().await?.origin() {
            return source.send(&request, purpose).await;
        }
        let response = source.peer.http().send(&request).await;
        let response = response.map_err(|error| Error::of_http(&source.name, error))?;
        let account = source.peer.account(&source.repository).await;
        answer::ok(response, &source.name, &account).await
    }
}

/// A registry behind a proxy that ends TLS may speak of itself by http. It is reached as before.
fn as_reached(mut url: Url, known: &Url) -> Url {
    let downgraded = known.scheme() == "https" && url.scheme() == "http";
    if downgraded && url.host() == known.host() && url.set_scheme("https").is_ok() {
        // Both fail only for URLs without a host.
        let _ = url.set_port(known.port());
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_of_registries_behind_proxies() {
        for (location, known, expected) in [
            (
                "http://r.test/v2/u/1?x=y",
                "https://r.test/v2/",
                "https://r.test/v2/u/1?x=y",
            ),
            (
                "http://r.test:80/u",
                "https://r.test:8443/v2/",
                "https://r.test:8443/u",
            ),
            ("https://r.test/u", "https://r.test/v2/", "https://r.test/u"),
            ("http://r.test/u", "http://r.test/v2/", "http://r.test/u"),
            ("http://other.test/u", "https://r.test/v2/", "http://other.test/u"),
        ] {
            let [location, known] = [location, known].map(|url| Url::parse(url).unwrap());
            assert_eq!(as_reached(location, &known).as_str(), expected);
        }
    }
}
