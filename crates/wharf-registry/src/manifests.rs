//! Manifests and indexes: resolve, get, put.
//!
//! OCI distribution specification, "Pulling manifests" and "Pushing Manifests".

use wharf_http::{
    Body, Bytes, Expect, HeaderName, Method, Request, Response, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
};
use wharf_oci::{Descriptor, Digest, Document, Kind, MediaType, Reference};

use crate::{Error, Registry, answer, registries_conf::Use, registry::Source};

/// No manifest is larger, bytes: what the specification asks registries to take at least, and most take at most.
const LIMIT: u64 = 4 << 20;

/// The header with the digest of what is answered.
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// A manifest or index as it came.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// Type, digest and size of the bytes.
    pub descriptor: Descriptor,
    /// The bytes that the digest names.
    pub bytes: Bytes,
    /// What they say.
    pub document: Document,
}

impl Registry {
    /// What `reference` names now: type, digest and size. Asks with a HEAD, which costs no rate where pulls are
    /// counted; registries whose answer to it does not suffice are asked with a GET.
    pub async fn resolve(&self, reference: &Reference) -> Result<Descriptor, Error> {
        let mut sources = self.sources(reference, wanted(reference), &reference.familiar())?;
        while let Some(source) = sources.next() {
            match source.resolve(reference).await {
                Ok(descriptor) => return Ok(descriptor),
                Err(error) => sources.failed(&source, error)?,
            }
        }
        Err(Error::NotFound {
            name: reference.familiar(),
        })
    }

    /// The manifest or index that `reference` names by digest, else by tag (`latest` if it has neither).
    pub async fn manifest(&self, reference: &Reference) -> Result<Fetched, Error> {
        let mut sources = self.sources(reference, wanted(reference), &reference.familiar())?;
        while let Some(source) = sources.next() {
            match source.get(reference).await {
                Ok(fetched) => return Ok(fetched),
                Err(error) => sources.failed(&source, error)?,
            }
        }
        Err(Error::NotFound {
            name: reference.familiar(),
        })
    }

    /// Writes a manifest or index to the tag of `reference`, or if it has none, by digest. What it names must have
    /// been pushed before. Gives its digest.
    pub async fn push_manifest(
        &self,
        reference: &Reference,
        media_type: &MediaType,
        bytes: Bytes,
    ) -> Result<Digest, Error> {
        let digest = Digest::of(&bytes);
        let source = self.target(reference, &reference.familiar())?;
        let target = reference.tag().map_or_else(|| digest.to_string(), str::to_owned);
        let fail = |error| Error::of_http(&source.name, error);
        let request = Request::new(Method::PUT, source.url(&format!("manifests/{target}")).await?)
            .body(Body::bytes(bytes))
            .header(CONTENT_TYPE, media_type.as_str())
            .map_err(fail)?;
        let response = source.send(&request, source.push()).await?;
        match content_digest(&response) {
            Some(other) if other != digest => Err(Error::Protocol {
                name: source.name,
                what: "it stored the manifest under another digest",
            }),
            _ => Ok(digest),
        }
    }
}

/// By digest more mirrors may be asked than by tag.
pub(crate) const fn wanted(reference: &Reference) -> Use {
    if reference.digest().is_some() {
        Use::PullDigest
    } else {
        Use::PullTag
    }
}

/// What a reference is called in URLs.
fn target(reference: &Reference) -> String {
    match (reference.digest(), reference.tag()) {
        (Some(digest), _) => digest.to_string(),
        (None, tag) => tag.unwrap_or("latest").to_owned(),
    }
}

fn content_digest(response: &Response) -> Option<Digest> {
    response.header(&CONTENT_DIGEST)?.parse().ok()
}

fn content_type(response: &Response) -> Option<MediaType> {
    response.header(&CONTENT_TYPE).map(MediaType::new)
}

impl Source {
    /// Sends `request`; anything but a success is an error.
    pub(crate) async fn send(
        &self,
        request: &Request,
        purpose: crate::peer::Purpose,
    ) -> Result<Response, Error> {
        let response = self.peer.send(request, &purpose).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        let account = self.peer.account(&self.repository).await;
        Err(answer::error(response, &self.name, &account).await)
    }

    async fn resolve(&self, reference: &Reference) -> Result<Descriptor, Error> {
        let request = self.request(Method::HEAD, reference).await?;
        let response = self.peer.send(&request, &self.pull()).await?;
        let status = response.status();
        if status.is_success()
            && let Some(descriptor) = described(&response, reference)
        {
            return Ok(descriptor);
        }
        let final_no = matches!(status, StatusCode::NOT_FOUND | StatusCode::TOO_MANY_REQUESTS);
        if final_no {
            let account = self.peer.account(&self.repository).await;
            return Err(answer::error(response, &self.name, &account).await);
        }
        // A GET has a body to say why.
        Ok(self.get(reference).await?.descriptor)
    }

    async fn get(&self, reference: &Reference) -> Result<Fetched, Error> {
        let request = self.request(Method::GET, reference).await?;
        let response = self.send(&request, self.pull()).await?;
        let (served, claimed) = (content_type(&response), content_digest(&response));
        let bytes = response
            .bytes(LIMIT)
            .await
            .map_err(|error| Error::of_http(&self.name, error))?;
        let expected = reference.digest().copied().or(claimed);
        self.read(bytes, served.as_ref(), expected, request.url())
    }

    fn read(
        &self,
        bytes: Bytes,
        served: Option<&MediaType>,
        expected: Option<Digest>,
        url: &url::Url,
    ) -> Result<Fetched, Error> {
        let actual = Digest::of(&bytes);
        if let Some(expected) = expected.filter(|expected| *expected != actual) {
            let source = wharf_http::Error::DigestMismatch {
                url: url.into(),
                expected,
                actual,
            };
            return Err(Error::of_http(&self.name, source));
        }
        let document = Document::from_json(&bytes, served).map_err(|source| Error::Document {
            name: self.name.clone(),
            source,
        })?;
        let media_type = served
            .filter(|served| served.kind() != Kind::Other)
            .cloned()
            .unwrap_or_else(|| document.media_type());
        let descriptor = Descriptor::new(media_type, actual, bytes.len() as u64);
        Ok(Fetched {
            descriptor,
            bytes,
            document,
        })
    }

    async fn request(&self, method: Method, reference: &Reference) -> Result<Request, Error> {
        let url = self.url(&format!("manifests/{}", target(reference))).await?;
        let accept = MediaType::documents().map(|kind| kind.to_string()).join(", ");
        Request::new(method, url)
            .header(ACCEPT, &accept)
            .map_err(|error| Error::of_http(&self.name, error))
    }
}

/// What the head of an answer says, if it says enough and nothing odd.
fn described(response: &Response, reference: &Reference) -> Option<Descriptor> {
    let media_type = content_type(response)?;
    let digest = content_digest(response)?;
    let known = matches!(media_type.kind(), Kind::Manifest | Kind::Index);
    let as_asked = reference.digest().is_none_or(|asked| *asked == digest);
    let size = response
        .content_length()
        .filter(|size| (1..=LIMIT).contains(size))?;
    (known && as_asked).then(|| Descriptor::new(media_type, digest, size))
}

/// For small blobs: the whole content of `descriptor`, verified.
pub(crate) async fn small(
    registry: &Registry,
    reference: &Reference,
    descriptor: &Descriptor,
) -> Result<Bytes, Error> {
    if descriptor.size > LIMIT {
        let name = reference.familiar();
        return Err(Error::Protocol {
            name,
            what: "an image configuration of more than 4 MiB",
        });
    }
    let mut bytes = Vec::with_capacity(descriptor.size as usize);
    let download = registry.download(
        reference,
        Expect::content(descriptor.digest, descriptor.size),
        descriptor.digest,
    );
    download.await?.copy_to(&mut bytes).await?;
    Ok(bytes.into())
}
