//! Fetching what an archive says of itself: its Release file with its signature, and its indexes by the hashes in it.
//!
//! All that is fetched is kept in the store. A Release file is believed for a while without asking again, as a tag of a
//! registry is; what it names by hash is never fetched twice.

use std::{
    fs,
    io::{self, BufReader, Read},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use wharf_http::{Client, Expect, Request};
use wharf_oci::{Digest, Hasher};
use wharf_store::{BlobError, MemoKey, Root, Store, StoreError};

use super::{
    host::HostApt,
    index::{Index, IndexTooLarge, reduce},
    origin::{Archive, OriginError},
    release::{Clock, IndexFile, Release, ReleaseError},
    signature::{SignatureError, Verified, verify_clear_signed, verify_detached},
};

/// The largest Release file that is believed; Debian's unstable has 200 kB.
const RELEASE_LIMIT: u64 = 32 << 20;
/// The largest index that is believed, compressed; Debian's unstable has 12 MB.
const INDEX_LIMIT: u64 = 512 << 20;
/// The largest reduced index; Debian's has 26 MB.
const REDUCED_LIMIT: u64 = 2 << 30;

/// Why an archive could not be read.
#[derive(Debug, thiserror::Error)]
pub enum AcquireError {
    /// Something could not be fetched.
    #[error("cannot fetch from the archive {archive}")]
    Fetch {
        /// The archive, without credentials.
        archive: String,
        /// Why.
        source: Box<wharf_http::Error>,
    },
    /// A file of a local archive could not be read.
    #[error("cannot read {path} of the archive")]
    Read {
        /// Which.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The archive has no such suite.
    #[error("the archive {archive} has no suite `{suite}`, or shows no Release file for it")]
    NoSuite {
        /// The archive, without credentials.
        archive: String,
        /// The suite.
        suite: String,
    },
    /// The Release file is not vouched for.
    #[error("suite `{suite}` of the archive {archive} cannot be trusted")]
    Signature {
        /// The archive, without credentials.
        archive: String,
        /// The suite.
        suite: String,
        /// Why not.
        source: Box<SignatureError>,
    },
    /// The Release file must not be used.
    #[error("suite `{suite}` of the archive {archive} cannot be used")]
    Release {
        /// The archive, without credentials.
        archive: String,
        /// The suite.
        suite: String,
        /// Why not.
        source: Box<ReleaseError>,
    },
    /// The suite has no packages of a component for an architecture.
    #[error(
        "suite `{suite}` of the archive {archive} has no index of component `{component}` for {architecture}"
    )]
    NoIndex {
        /// The archive, without credentials.
        archive: String,
        /// The suite.
        suite: String,
        /// The component.
        component: String,
        /// The architecture.
        architecture: String,
    },
    /// An index is not what it should be.
    #[error("the package index {path} cannot be read")]
    Index {
        /// Which, below the archive's address.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// An index is too large.
    #[error(transparent)]
    TooLarge(#[from] IndexTooLarge),
    /// The keys could not be read.
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store lost something, or refused.
    #[error(transparent)]
    Blob(#[from] BlobError),
}

/// A Release file with its signature, in the store. Not verified yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fetched {
    /// InRelease, or Release.
    pub(crate) text: Digest,
    /// Release.gpg, when the signature is not inside.
    signature: Option<Digest>,
    /// Seconds since the epoch.
    at: i64,
}

/// What fetching needs.
#[derive(Clone)]
pub(crate) struct Acquire {
    pub(crate) store: Store,
    pub(crate) client: Client,
    pub(crate) now: i64,
    /// How long a Release file is believed without asking again; zero asks now.
    pub(crate) lifetime: Duration,
}

impl Acquire {
    /// The archive's Release file: the kept one if it is young enough.
    pub(crate) async fn release_file(&self, archive: &Archive) -> Result<Fetched, AcquireError> {
        let key = MemoKey::new(
            "apt-release",
            &[archive.entry.uri.as_bytes(), archive.entry.suite.as_bytes()],
        );
        if let Some(kept) = self.store.memo::<Fetched>(&key)?
            && self.is_fresh(kept.at)
            && self.is_complete(&kept)?
        {
            return Ok(kept);
        }
        let fetched = self.fetch_release(archive).await?;
        let roots: Vec<_> = std::iter::once(fetched.text)
            .chain(fetched.signature)
            .map(Root::Blob)
            .collect();
        self.store.set_memo(&key, &fetched, &roots)?;
        Ok(fetched)
    }

    fn is_fresh(&self, at: i64) -> bool {
        let age = self.now.saturating_sub(at);
        age >= 0 && (age as u64) < self.lifetime.as_secs()
    }

    fn is_complete(&self, fetched: &Fetched) -> Result<bool, StoreError> {
        let signature = fetched
            .signature
            .map_or(Ok(true), |digest| self.store.contains(&digest))?;
        Ok(signature && self.store.contains(&fetched.text)?)
    }

    async fn fetch_release(&self, archive: &Archive) -> Result<Fetched, AcquireError> {
        let path = |name: &str| format!("{}/{name}", archive.directory());
        if let Some(text) = self.get_if_there(archive, &path("InRelease")).await? {
            return Ok(Fetched {
                text: self.store.put_bytes(&text)?,
                signature: None,
                at: self.now,
            });
        }
        let text = self.get_if_there(archive, &path("Release")).await?;
        let signature = self.get_if_there(archive, &path("Release.gpg")).await?;
        let (Some(text), Some(signature)) = (text, signature) else {
            let (archive, suite) = names(archive);
            return Err(AcquireError::NoSuite { archive, suite });
        };
        let (text, signature) = (self.store.put_bytes(&text)?, self.store.put_bytes(&signature)?);
        Ok(Fetched {
            text,
            signature: Some(signature),
            at: self.now,
        })
    }

    async fn get_if_there(&self, archive: &Archive, path: &str) -> Result<Option<Vec<u8>>, AcquireError> {
        match self.get(archive, path, RELEASE_LIMIT, None).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(AcquireError::Fetch { source, .. })
                if matches!(*source, wharf_http::Error::NotFound { .. }) =>
            {
                Ok(None)
            }
            Err(AcquireError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn get(
        &self,
        archive: &Archive,
        path: &str,
        limit: u64,
        expected: Option<IndexFile>,
    ) -> Result<Vec<u8>, AcquireError> {
        if let Some(root) = local_root(&archive.entry.uri) {
            return read_local(&format!("{root}/{path}"), limit, expected);
        }
        let failed = |source| AcquireError::Fetch {
            archive: archive.entry.public_uri(),
            source: Box::new(source),
        };
        let expect = expected.map_or_else(
            || Expect::at_most(limit),
            |file| Expect::content(file.sha256, file.size),
        );
        let request = Request::get_text(&format!("{}/{path}", archive.entry.uri)).map_err(failed)?;
        let mut download = self.client.download(request, expect).await.map_err(failed)?;
        let mut bytes = Vec::new();
        while let Some(chunk) = download.chunk().await.map_err(failed)? {
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    /// Verifies a Release file: signature, suite, time.
    pub(crate) fn verify(
        &self,
        archive: &Archive,
        fetched: &Fetched,
        host: &HostApt,
    ) -> Result<Release, AcquireError> {
        let keys = archive.keyring(host)?;
        let text = self.store.read_blob(&fetched.text, RELEASE_LIMIT)?;
        let now = self.now.unsigned_abs();
        let verified: Result<Verified, SignatureError> = match fetched.signature {
            None => verify_clear_signed(&text, &keys, now),
            Some(digest) => {
                verify_detached(&text, &self.store.read_blob(&digest, RELEASE_LIMIT)?, &keys, now)
            }
        };
        let (name, suite) = names(archive);
        let verified = verified.map_err(|source| AcquireError::Signature {
            archive: name.clone(),
            suite: suite.clone(),
            source: Box::new(source),
        })?;
        let set = archive
            .entry
            .check_valid_until
            .or_else(|| host.conf.is_on("acquire::check-valid-until"));
        let clock = Clock {
            now: self.now,
            check_valid_until: set.unwrap_or(true),
        };
        let release = Release::parse(&verified.text).and_then(|release| {
            release.check(&archive.entry.suite, clock)?;
            Ok(release)
        });
        release.map_err(|source| AcquireError::Release {
            archive: name,
            suite,
            source: Box::new(source),
        })
    }

    /// The indexes of an archive for one architecture: one a component, and one more where packages for all architectures
    /// are listed apart.
    pub(crate) async fn indexes(
        &self,
        archive: &Archive,
        release: &Release,
        architecture: &str,
    ) -> Result<Vec<Index>, AcquireError> {
        if archive.is_flat() {
            return Ok(vec![self.index(archive, release, "Packages").await?]);
        }
        let mut indexes = Vec::new();
        for component in &archive.entry.components {
            let path = |architecture: &str| format!("{component}/binary-{architecture}/Packages");
            if candidates(release, &path(architecture)).next().is_none() {
                let (archive, suite) = names(archive);
                let (component, architecture) = (component.clone(), architecture.to_owned());
                return Err(AcquireError::NoIndex {
                    archive,
                    suite,
                    component,
                    architecture,
                });
            }
            indexes.push(self.index(archive, release, &path(architecture)).await?);
            if release.lists_all_apart && candidates(release, &path("all")).next().is_some() {
                indexes.push(self.index(archive, release, &path("all")).await?);
            }
        }
        Ok(indexes)
    }

    async fn index(&self, archive: &Archive, release: &Release, path: &str) -> Result<Index, AcquireError> {
        let Some((suffix, file)) = candidates(release, path).next() else {
            let (archive, suite) = names(archive);
            let (component, architecture) = (String::new(), String::new());
            return Err(AcquireError::NoIndex {
                archive,
                suite,
                component,
                architecture,
            });
        };
        let key = MemoKey::new("apt-index 1", &[file.sha256.as_bytes()]);
        if let Some(reduced) = self.store.memo::<Digest>(&key)?
            && self.store.contains(&reduced)?
        {
            return self.reduced(&reduced);
        }
        let full = format!("{}/{path}{suffix}", archive.directory());
        let bytes = self.fetch_index(archive, release, &full, file).await?;
        let failed = |source| AcquireError::Index {
            path: full.clone(),
            source,
        };
        let text = reduce(BufReader::with_capacity(1 << 18, decompress(&bytes, suffix)));
        let reduced = self.store.put_bytes(text.map_err(failed)?.as_bytes())?;
        self.store.set_memo(&key, &reduced, &[Root::Blob(reduced)])?;
        self.reduced(&reduced)
    }

    fn reduced(&self, digest: &Digest) -> Result<Index, AcquireError> {
        let bytes = self.store.read_blob(digest, REDUCED_LIMIT)?;
        let text = String::from_utf8(bytes).map_err(|error| AcquireError::Index {
            path: digest.to_string(),
            source: io::Error::new(io::ErrorKind::InvalidData, error),
        })?;
        Ok(Index::parse(text)?)
    }

    /// By hash where the archive allows that: the plain name may be a newer index already.
    async fn fetch_index(
        &self,
        archive: &Archive,
        release: &Release,
        path: &str,
        file: IndexFile,
    ) -> Result<Vec<u8>, AcquireError> {
        if release.by_hash {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let by_hash = format!("{folder}/by-hash/SHA256/{}", file.sha256.hex());
            match self.get(archive, &by_hash, INDEX_LIMIT, Some(file)).await {
                Err(AcquireError::Fetch { source, .. })
                    if matches!(*source, wharf_http::Error::NotFound { .. }) => {}
                done => return done,
            }
        }
        self.get(archive, path, INDEX_LIMIT, Some(file)).await
    }
}

/// The compressed forms of an index that the Release file names, the smallest first.
fn candidates<'r>(
    release: &'r Release,
    path: &str,
) -> impl Iterator<Item = (&'static str, IndexFile)> + use<'r> {
    let path = path.to_owned();
    [".xz", ".gz", ""]
        .into_iter()
        .filter_map(move |suffix| Some((suffix, release.file(&format!("{path}{suffix}"))?)))
}

fn decompress<'b>(bytes: &'b [u8], suffix: &str) -> Box<dyn Read + 'b> {
    match suffix {
        ".xz" => Box::new(liblzma::read::XzDecoder::new_multi_decoder(bytes)),
        ".gz" => Box::new(flate2::read::MultiGzDecoder::new(bytes)),
        _ => Box::new(bytes),
    }
}

/// The directory of a `file:` or `copy:` address.
pub(crate) fn local_root(uri: &str) -> Option<&str> {
    let path = uri.strip_prefix("file:").or_else(|| uri.strip_prefix("copy:"))?;
    Some(path.strip_prefix("//").unwrap_or(path))
}

fn read_local(path: &str, limit: u64, expected: Option<IndexFile>) -> Result<Vec<u8>, AcquireError> {
    let failed = |source| AcquireError::Read {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .map_err(failed)?;
    let mut hasher = Hasher::new();
    hasher.update(&bytes);
    match expected {
        Some(file) if hasher.finish() != file.sha256 => {
            let message = "its hash is not the one in the Release file";
            Err(failed(io::Error::new(io::ErrorKind::InvalidData, message)))
        }
        _ => Ok(bytes),
    }
}

fn names(archive: &Archive) -> (String, String) {
    (archive.entry.public_uri(), archive.entry.suite.clone())
}
