//! A body that survives broken connections and ends only when it is what was expected.
//!
//! When the connection breaks, the rest is asked for by range. A server that does not do ranges sends all of it again:
//! what was delivered already is then compared by digest and left out, so that the caller sees every byte once and in
//! order whatever happened, and a sink needs no way back.

use std::io::Write;

use bytes::Bytes;
use reqwest::{
    StatusCode,
    header::{ETAG, HeaderValue, IF_RANGE, RANGE},
};
use wharf_oci::{Digest, Hasher};

use crate::{
    Client, Error, Expect, Request, Response, ShownUrl, client::Attempts, deadline::Deadline, range,
    repeated::Repeated,
};

/// What a finished download was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// The SHA-256 of the delivered bytes.
    pub digest: Digest,
    /// How many they were.
    pub size: u64,
}

/// A running download: [`chunk`](Self::chunk) until `None`, or [`copy_to`](Self::copy_to).
#[derive(Debug)]
pub struct Download {
    client: Client,
    request: Request,
    shown: ShownUrl,
    expect: Expect,
    deadline: Deadline,
    attempts: Attempts,
    response: Response,
    /// Of what was delivered.
    hasher: Hasher,
    /// What the current response sends before the first byte to deliver.
    repeated: Repeated,
    /// How many bytes will be delivered in all, once a response said so.
    announced: Option<u64>,
    ranges: bool,
    delivered_at_failure: u64,
}

/// After this much progress a broken connection counts as the first failure again: a download of gigabytes over a
/// line that breaks every minute should end.
const PROGRESS: u64 = 64 << 10;

impl Client {
    /// Begins to download what `request`, a GET, asks for. The answer's head has come and its announced size is
    /// acceptable when this returns.
    pub async fn download(&self, request: Request, expect: Expect) -> Result<Download, Error> {
        let deadline = self.deadline(&request);
        let mut attempts = self.attempts(&request);
        let first = match &expect.part {
            Some(part) => request
                .clone()
                .header(RANGE, &range::ask(part.start, Some(part.end)))?,
            None => request.clone(),
        };
        let response = self
            .send_until(&first, deadline, &mut attempts)
            .await?
            .ok()
            .await?;
        let shown = request.shown();
        let mut download = Download {
            client: self.clone(),
            shown,
            request,
            expect,
            deadline,
            attempts,
            response,
            hasher: Hasher::new(),
            repeated: Repeated::default(),
            announced: None,
            ranges: true,
            delivered_at_failure: 0,
        };
        download.begin_response()?;
        Ok(download)
    }
}

impl Download {
    /// A header of the current response, if it is text.
    pub fn header(&self, name: &crate::HeaderName) -> Option<&str> {
        self.response.header(name)
    }

    /// How many bytes this will deliver, where the server or the caller said so.
    pub fn size(&self) -> Option<u64> {
        self.expect.size.or(self.announced)
    }

    /// How many bytes were delivered so far.
    pub const fn received(&self) -> u64 {
        self.hasher.length()
    }

    /// The head of the current response.
    pub const fn response(&self) -> &Response {
        &self.response
    }

    /// The next bytes, or `None` once all came *and* are what was expected.
    ///
    /// After an error the bytes delivered so far mean nothing.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        while self.expect.size.is_none_or(|size| self.received() < size) || self.expect.part.is_none() {
            match self.response.chunk().await {
                Ok(Some(piece)) => {
                    let fresh = self.fresh(piece)?;
                    if !fresh.is_empty() {
                        return Ok(Some(fresh));
                    }
                }
                Ok(None) if self.is_short() => self.resume(self.cut_off()).await?,
                Ok(None) => break,
                Err(error) if error.is_transient() => self.resume(error).await?,
                Err(error) => return Err(error),
            }
        }
        self.verify().map(|()| None)
    }

    /// The SHA-256 of what was delivered so far.
    pub fn digest(&self) -> Digest {
        self.hasher.clone().finish()
    }

    /// Goes on, after an error of the transport, with what another server has under `request`, or the same server
    /// with another token. Without an expected digest, the content must be the same there.
    pub async fn go_on_with(&mut self, client: &Client, request: Request) -> Result<(), Error> {
        self.client = client.clone();
        self.shown = request.shown();
        self.attempts = client.attempts(&request);
        self.request = request;
        self.ranges = true;
        self.reopen().await
    }

    /// Writes everything to `sink` and says what it was. The sink's writes block the calling task.
    pub async fn copy_to<W: Write + ?Sized>(mut self, sink: &mut W) -> Result<Received, Error> {
        while let Some(piece) = self.chunk().await? {
            sink.write_all(&piece).map_err(|source| Error::Local {
                url: self.shown.clone(),
                what: "writing",
                source,
            })?;
        }
        Ok(Received {
            size: self.received(),
            digest: self.hasher.finish(),
        })
    }

    /// What of `piece` was not delivered before and is wanted, counted and hashed.
    fn fresh(&mut self, mut piece: Bytes) -> Result<Bytes, Error> {
        if self.repeated.take(&mut piece) && !self.repeated.equals(&self.hasher) {
            return Err(Error::Changed {
                url: self.shown.clone(),
            });
        }
        if let (Some(_), Some(size)) = (&self.expect.part, self.expect.size) {
            let wanted = size - self.received();
            piece.truncate(wanted.min(piece.len() as u64) as usize);
        }
        let total = self.received() + piece.len() as u64;
        if total > self.expect.limit {
            return Err(self.too_much(total));
        }
        self.hasher.update(&piece);
        Ok(piece)
    }

    fn too_much(&self, actual: u64) -> Error {
        let url = self.shown.clone();
        match self.expect.size {
            Some(expected) => Error::SizeMismatch {
                url,
                expected,
                actual,
            },
            None => Error::TooLarge {
                url,
                limit: self.expect.limit,
            },
        }
    }

    /// Whether a body that ended has less than it should: servers that delimit by closing cannot say that they broke.
    fn is_short(&self) -> bool {
        self.size().is_some_and(|size| self.received() < size)
    }

    fn cut_off(&self) -> Error {
        Error::Interrupted {
            url: self.shown.clone(),
            received: self.received(),
            source: Box::from("the body ended early"),
        }
    }

    /// Waits and asks for the rest; `error` is what happened.
    async fn resume(&mut self, error: Error) -> Result<(), Error> {
        if self.received() - self.delivered_at_failure >= PROGRESS {
            self.attempts.failed = 0;
        }
        self.delivered_at_failure = self.received();
        if !self
            .client
            .pause(&self.shown, &error, None, self.deadline, &mut self.attempts)
            .await
        {
            return Err(error);
        }
        self.reopen().await
    }

    /// Asks for the rest, by range if that works.
    async fn reopen(&mut self) -> Result<(), Error> {
        let mut response = self.ask_for_rest().await?;
        if self.ranges && !continues(&response, self.expect.start() + self.received()) {
            self.ranges = false;
            response = self.ask_for_rest().await?;
        }
        self.response = response.ok().await?;
        self.begin_response()
    }

    async fn ask_for_rest(&mut self) -> Result<Response, Error> {
        let mut request = self.request.clone();
        if self.ranges {
            let start = self.expect.start() + self.received();
            request = request.header(RANGE, &range::ask(start, self.expect.end()))?;
            // With a digest to check, any server that has the content will do.
            if let (None, Some(tag)) = (self.expect.digest, strong_tag(&self.response)) {
                request.headers.insert(IF_RANGE, tag);
            }
        }
        self.client
            .send_until(&request, self.deadline, &mut self.attempts)
            .await
    }

    /// Takes note of what the new response will send, and refuses it if that cannot be right.
    fn begin_response(&mut self) -> Result<(), Error> {
        let (start, received) = (self.expect.start(), self.received());
        let partial = self.response.status() == StatusCode::PARTIAL_CONTENT;
        self.repeated = if partial {
            Repeated::default()
        } else {
            Repeated::new(start, received)
        };
        let coming = self.response.content_length();
        self.announced = match (coming, &self.expect.part) {
            (Some(coming), _) if partial => Some(received + coming),
            (Some(coming), None) => Some(coming),
            (_, part) => part.as_ref().map(|part| part.end - part.start).or(self.announced),
        };
        match (self.announced, self.expect.size) {
            (Some(actual), Some(expected)) if actual != expected => Err(Error::SizeMismatch {
                url: self.shown.clone(),
                expected,
                actual,
            }),
            (Some(actual), None) if actual > self.expect.limit => Err(self.too_much(actual)),
            _ => Ok(()),
        }
    }

    fn verify(&self) -> Result<(), Error> {
        let url = || self.shown.clone();
        match self.expect.size {
            Some(expected) if expected != self.received() => {
                return Err(Error::SizeMismatch {
                    url: url(),
                    expected,
                    actual: self.received(),
                });
            }
            _ => {}
        }
        let Some(expected) = self.expect.digest else {
            return Ok(());
        };
        let actual = self.digest();
        if actual == expected {
            Ok(())
        } else {
            Err(Error::DigestMismatch {
                url: url(),
                expected,
                actual,
            })
        }
    }
}

/// Whether an answer to a range request can be gone on with: the whole again, or exactly the rest.
fn continues(response: &Response, from: u64) -> bool {
    match response.status() {
        StatusCode::PARTIAL_CONTENT => {
            range::answered(response.headers()).is_some_and(|(got, _)| got.start == from)
        }
        StatusCode::RANGE_NOT_SATISFIABLE => false,
        _ => true,
    }
}

/// A validator that guarantees equal bytes (RFC 9110, 13.1.5: weak ones must not be used).
fn strong_tag(response: &Response) -> Option<HeaderValue> {
    response
        .headers()
        .get(ETAG)
        .filter(|tag| tag.as_bytes().starts_with(b"\""))
        .cloned()
}
