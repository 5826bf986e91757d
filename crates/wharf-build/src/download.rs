//! `ADD https://…`: a file from a URL as a root that holds it and nothing else.
//!
//! As BuildKit's http source: mode 0600, root's, the time that the server names. What was downloaded before is asked for with
//! `If-None-Match`, so that unchanged bytes are not sent again; with a checksum that the store has, nobody is asked.

use serde::{Deserialize, Serialize};
use wharf_graph::HttpSource;
use wharf_http::{Expect, Request, StatusCode, header};
use wharf_oci::Digest;
use wharf_store::{BlobError, MemoKey, Root as Kept, Store, StoreError};
use wharf_tree::{Attrs, BuildError, Entry, Mtime, Node, PathError, TreeBuilder, TreePath};

use crate::{
    credentials::{Authorization, CredentialError, Credentials},
    net::Network,
    root::Root,
};

/// The most that ADD downloads: more is refused, whatever the server says.
const LIMIT: u64 = 64 << 30;

/// A file could not be downloaded.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The transfer failed.
    #[error(transparent)]
    Http(#[from] wharf_http::Error),
    /// The file has another digest than the Dockerfile says.
    #[error("{url} changed: its digest is {found}, the Dockerfile says {expected}")]
    Checksum {
        /// Where it came from, credentials removed.
        url: String,
        /// What was expected.
        expected: Digest,
        /// What came.
        found: Digest,
    },
    /// The server cannot be told what it wants to know.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// The bytes cannot be kept.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The URL's file name is none.
    #[error(transparent)]
    Name(#[from] PathError),
    /// The root cannot be made.
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// What is remembered of a URL.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Remembered {
    etag: Option<String>,
    digest: Digest,
    size: u64,
    modified: Option<i64>,
}

/// The root that holds the file.
pub fn fetch(
    source: &HttpSource,
    store: &Store,
    network: &Network,
    credentials: &Credentials,
) -> Result<Root, DownloadError> {
    let key = MemoKey::new("http-source", &[source.url.as_bytes()]);
    let known: Option<Remembered> = store.memo(&key)?;
    let file = match (known, source.checksum) {
        (Some(known), Some(checksum)) if known.digest == checksum && store.contains(&checksum)? => known,
        (known, _) => {
            let told = credentials.of_file(&source.url)?;
            network.wait(ask(source, store, network, known, told.as_ref()))?
        }
    };
    store.set_memo(&key, &file, &[Kept::Blob(file.digest)])?;
    if let Some(expected) = source.checksum.filter(|expected| *expected != file.digest) {
        let url = wharf_http::ShownUrl::of_text(&source.url);
        return Err(DownloadError::Checksum {
            url,
            expected,
            found: file.digest,
        });
    }
    let node = Node::File {
        digest: file.digest,
        size: file.size,
    };
    let mtime = Mtime {
        secs: file.modified.unwrap_or_default(),
        nanos: 0,
    };
    let mut builder = TreeBuilder::new();
    builder.insert(
        &TreePath::new(&source.file_name)?,
        Entry {
            attrs: Attrs::root(0o600),
            mtime,
            node,
        },
    )?;
    Ok(Root::in_memory(builder.finish()))
}

async fn ask(
    source: &HttpSource,
    store: &Store,
    network: &Network,
    known: Option<Remembered>,
    told: Option<&Authorization>,
) -> Result<Remembered, DownloadError> {
    let client = network.client();
    let get = || {
        let request = Request::get_text(&source.url)?;
        match told {
            Some(told) => request.authorization(told.reveal()),
            None => Ok(request),
        }
    };
    if let Some(known) = known
        && let Some(etag) = &known.etag
        && store.contains(&known.digest)?
    {
        let request = get()?.header(header::IF_NONE_MATCH, etag)?;
        if client.send(&request).await?.status() == StatusCode::NOT_MODIFIED {
            return Ok(known);
        }
    }
    let expect = Expect {
        digest: source.checksum,
        size: None,
        limit: LIMIT,
        part: None,
    };
    let download = client.download(get()?, expect).await?;
    let text = |name| download.header(&name).map(str::to_owned);
    let etag = text(header::ETAG);
    let modified = text(header::LAST_MODIFIED).and_then(|date: String| http_date(&date));
    let mut writer = store.writer();
    let received = download.copy_to(&mut writer).await?;
    let digest = writer.finish(source.checksum.as_ref())?;
    Ok(Remembered {
        etag,
        digest,
        size: received.size,
        modified,
    })
}

/// RFC 9110, section 5.6.7: `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(text: &str) -> Option<i64> {
    jiff::fmt::rfc2822::parse(text)
        .ok()
        .map(|date| date.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(http_date("yesterday"), None);
    }
}
