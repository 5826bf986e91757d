//! Blobs out of a registry: verified streams that survive broken connections, expired tokens and dead mirrors.
//!
//! OCI distribution specification, "Pulling blobs". A digest says all about a blob, so a download that broke at one
//! place goes on at the next with the bytes that are missing.

use std::{collections::HashSet, io::Write, ops::Range};

use tokio::sync::OwnedSemaphorePermit;
use wharf_http::{Bytes, Download, Expect, Method, Received, Request};
use wharf_oci::{Descriptor, Digest, Reference};

use crate::{
    Error, Registry,
    registries_conf::Use,
    registry::{Source, Sources},
};

impl Registry {
    /// Begins to download what `descriptor` names from the repository of `reference`.
    ///
    /// Waits until the registry's limit of transfers allows one more; it counts until the download is dropped.
    pub async fn blob(&self, reference: &Reference, descriptor: &Descriptor) -> Result<BlobDownload, Error> {
        self.download(
            reference,
            Expect::content(descriptor.digest, descriptor.size),
            descriptor.digest,
        )
        .await
    }

    /// Begins to download the bytes `part` of a blob, which cannot be verified by themselves. A registry that does
    /// not do ranges sends the whole; what lies before `part` is then dropped here.
    pub async fn blob_part(
        &self,
        reference: &Reference,
        digest: Digest,
        part: Range<u64>,
    ) -> Result<BlobDownload, Error> {
        self.download(reference, Expect::part(part), digest).await
    }

    /// Whether the repository of `reference` has the blob. Mirrors are not asked.
    pub async fn has_blob(&self, reference: &Reference, digest: &Digest) -> Result<bool, Error> {
        self.target(reference, &named(reference, digest))?
            .has_blob(digest)
            .await
    }

    pub(crate) async fn download(
        &self,
        reference: &Reference,
        expect: Expect,
        digest: Digest,
    ) -> Result<BlobDownload, Error> {
        let name = named(reference, &digest);
        let mut sources = self.sources(reference, Use::PullDigest, &name)?;
        while let Some(source) = sources.next() {
            match source.begin(expect.clone(), &digest).await {
                Ok((download, permit)) => {
                    let renewed = HashSet::new();
                    return Ok(BlobDownload {
                        download,
                        digest,
                        source,
                        sources,
                        renewed,
                        _permit: permit,
                    });
                }
                Err(error) => sources.failed(&source, error)?,
            }
        }
        Err(Error::NotFound { name })
    }
}

/// How messages call a blob.
pub(crate) fn named(reference: &Reference, digest: &Digest) -> String {
    format!("{} (blob {})", reference.familiar(), digest.short())
}

/// A running download of a blob.
pub struct BlobDownload {
    download: Download,
    digest: Digest,
    source: Source,
    sources: Sources,
    /// At how many delivered bytes the token was renewed: twice at the same place is a no.
    renewed: HashSet<u64>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl std::fmt::Debug for BlobDownload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("BlobDownload").field(&self.digest).finish()
    }
}

impl BlobDownload {
    /// How many bytes this will deliver, where that is known.
    pub fn size(&self) -> Option<u64> {
        self.download.size()
    }

    /// How many bytes were delivered so far.
    pub const fn received(&self) -> u64 {
        self.download.received()
    }

    /// The next bytes, or `None` once all came and are what was asked for. After an error, what came means nothing.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            match self.download.chunk().await {
                Ok(piece) => return Ok(piece),
                Err(error) => self.recover(error).await?,
            }
        }
    }

    /// Writes everything to `sink` and says what it was. The sink's writes block the calling task.
    pub async fn copy_to<W: Write + ?Sized>(mut self, sink: &mut W) -> Result<Received, Error> {
        while let Some(piece) = self.chunk().await? {
            let url = self.download.response().url();
            sink.write_all(&piece).map_err(|source| {
                let source = wharf_http::Error::Local {
                    url: url.into(),
                    what: "writing",
                    source,
                };
                Error::of_http(&self.source.name, source)
            })?;
        }
        Ok(Received {
            digest: self.download.digest(),
            size: self.received(),
        })
    }

    /// Goes on after `error`: with a new token, or elsewhere.
    async fn recover(&mut self, error: wharf_http::Error) -> Result<(), Error> {
        use wharf_http::Error as Http;
        let expired = matches!(error, Http::Unauthorized { .. }) && self.renewed.insert(self.received());
        if expired && self.renew().await.is_ok() {
            return Ok(());
        }
        let fatal = matches!(
            error,
            Http::Local { .. } | Http::DigestMismatch { .. } | Http::Changed { .. }
        );
        let mut error = Error::of_http(&self.source.name, error);
        if fatal {
            return Err(error);
        }
        loop {
            self.sources.failed(&self.source, error)?;
            let Some(next) = self.sources.next() else {
                return Err(Error::NotFound {
                    name: self.source.name.clone(),
                });
            };
            match self.go_on_at(next.clone()).await {
                Ok(()) => return Ok(()),
                Err(failed) => error = failed,
            }
            self.source = next;
        }
    }

    async fn renew(&mut self) -> Result<(), Error> {
        // A small request through the whole exchange of challenge and token.
        self.source.has_blob(&self.digest).await?;
        self.go_on_at(self.source.clone()).await
    }

    async fn go_on_at(&mut self, source: Source) -> Result<(), Error> {
        let request = source.authorized_get(&self.digest).await?;
        let went_on = self.download.go_on_with(source.peer.http(), request).await;
        went_on.map_err(|error| Error::of_http(&source.name, error))?;
        self.source = source;
        Ok(())
    }
}

impl Source {
    pub(crate) async fn has_blob(&self, digest: &Digest) -> Result<bool, Error> {
        let request = Request::new(Method::HEAD, self.url(&format!("blobs/{digest}")).await?);
        match self.send(&request, self.pull()).await {
            Ok(_) => Ok(true),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn begin(
        &self,
        expect: Expect,
        digest: &Digest,
    ) -> Result<(Download, Option<OwnedSemaphorePermit>), Error> {
        let permit = self.peer.transfer().await;
        let http = self.peer.http();
        let patience = self.peer.patience(expect.limit);
        let request = self.authorized_get(digest).await?.total_timeout(patience);
        match http.download(request, expect.clone()).await {
            Ok(download) => Ok((download, permit)),
            // The first request of all, or an expired token: one small request finds out what is asked for.
            Err(wharf_http::Error::Unauthorized { .. }) => {
                self.has_blob(digest).await?;
                let request = self.authorized_get(digest).await?.total_timeout(patience);
                let download = http.download(request, expect).await;
                Ok((
                    download.map_err(|error| Error::of_http(&self.name, error))?,
                    permit,
                ))
            }
            Err(error) => Err(Error::of_http(&self.name, error)),
        }
    }

    async fn authorized_get(&self, digest: &Digest) -> Result<Request, Error> {
        let request = Request::get(self.url(&format!("blobs/{digest}")).await?);
        Ok(self.peer.authorize(request, &self.pull(), None).await?.0)
    }
}
