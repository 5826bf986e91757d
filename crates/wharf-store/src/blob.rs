//! Blobs by digest: put, find, open.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::PathBuf,
};

use rustix::fs::Stat;
use wharf_oci::{Digest, Hasher};
use wharf_tree::{BlobRead, BlobSink};

use crate::{
    adopt::Stored,
    error::{BlobError, StoreError},
    layout,
    store::Store,
};

impl Store {
    /// The directory that all blobs are in.
    pub fn blobs(&self) -> PathBuf {
        self.path().join(layout::VERSION).join(layout::BLOBS)
    }

    /// Where a blob lies in [`Store::blobs`] if it is here.
    pub fn place_of_blob(digest: &Digest) -> PathBuf {
        let place = layout::blob(digest);
        let below = place.strip_prefix(layout::BLOBS).expect("all are in it");
        below.trim_start_matches('/').into()
    }

    /// Keeps `bytes` as a blob.
    pub fn put_bytes(&self, bytes: &[u8]) -> Result<Digest, BlobError> {
        let digest = Digest::of(bytes);
        if !self.keep_blob(&digest, bytes.len() as u64)? {
            self.write_whole(&layout::blob(&digest), bytes)?;
        }
        Ok(digest)
    }

    /// Keeps everything that `reader` gives as a blob.
    pub fn put(&self, reader: &mut dyn Read) -> Result<Stored, BlobError> {
        let mut writer = self.writer();
        let mut piece = vec![0; PIECE];
        loop {
            match reader.read(&mut piece) {
                Ok(0) => break,
                Ok(length) => writer
                    .write_all(&piece[..length])
                    .map_err(|error| self.write_error(error))?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(BlobError::Input(error)),
            }
        }
        let size = writer.length();
        Ok(Stored {
            digest: writer.finish(None)?,
            size,
        })
    }

    /// Whether the blob is on disk here. If so, it stays until this handle is dropped.
    pub fn contains(&self, digest: &Digest) -> Result<bool, StoreError> {
        Ok(self.sound_blob(digest)?.is_some() && self.mark_used(&layout::blob(digest))?)
    }

    /// The blob's length in bytes if it is on disk here.
    pub fn blob_size(&self, digest: &Digest) -> Result<Option<u64>, StoreError> {
        let stat = self.disk().stat(&layout::blob(digest))?;
        Ok(stat.map(|stat| stat.st_size as u64))
    }

    /// Opens a blob for reading, from its start; fetches it from the sources if it is not here. The bytes are those of the digest
    /// unless the disk itself decays: who must be sure uses [`Store::read_blob`] or [`BlobRead::open`].
    pub fn open_blob(&self, digest: &Digest) -> Result<File, BlobError> {
        match self.find_blob(digest)? {
            Some((file, false)) => Ok(file),
            Some((file, true)) if self.sound_blob(digest)?.is_some() => Ok(file),
            _ => self.fetch_or_forget(digest),
        }
    }

    /// Opens a blob for reading, from its start, if that takes no time: it is here, and beyond doubt.
    pub fn open_blob_at_hand(&self, digest: &Digest) -> Result<Option<File>, BlobError> {
        let found = self.find_blob(digest)?;
        Ok(found.and_then(|(file, doubtful)| (!doubtful).then_some(file)))
    }

    /// The blob's file, and whether its bytes are in doubt.
    fn find_blob(&self, digest: &Digest) -> Result<Option<(File, bool)>, BlobError> {
        let place = layout::blob(digest);
        let Some(file) = self.disk().open_file(&place)? else {
            return Ok(None);
        };
        let stat = rustix::fs::fstat(&file).map_err(self.disk().fail("read", &place))?;
        Ok(Some((file, self.doubts(&stat)?)))
    }

    /// Fetches a blob in place of a damaged or lost one. Where no source has it, nothing leads to it any more; a source that fails may
    /// have it tomorrow.
    fn fetch_or_forget(&self, digest: &Digest) -> Result<File, BlobError> {
        let fetched = self.fetch(digest);
        if matches!(fetched, Err(BlobError::Missing(_))) {
            self.forget_users_of(digest)?;
        }
        fetched
    }

    /// A whole blob of at most `limit` bytes (manifests, configs), its digest checked. A damaged one is fetched again.
    pub fn read_blob(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>, BlobError> {
        let bytes = self.read_up_to(limit, digest, self.open_blob(digest)?)?;
        let found = Digest::of(&bytes);
        if found == *digest {
            return Ok(bytes);
        }
        self.disk().remove(&layout::blob(digest))?;
        match self.fetch_or_forget(digest) {
            Ok(file) => self.read_up_to(limit, digest, file),
            Err(BlobError::Missing(expected)) => Err(BlobError::Mismatch { expected, found }),
            Err(error) => Err(error),
        }
    }

    fn read_up_to(&self, limit: u64, digest: &Digest, file: File) -> Result<Vec<u8>, BlobError> {
        let fail = |error: io::Error| BlobError::from(self.disk().fail("read", &layout::blob(digest))(error));
        let size = file.metadata().map_err(fail)?.len();
        if size > limit {
            return Err(BlobError::TooLarge {
                digest: *digest,
                size,
                limit,
            });
        }
        let mut bytes = Vec::with_capacity(size as usize);
        file.take(limit).read_to_end(&mut bytes).map_err(fail)?;
        Ok(bytes)
    }

    /// Whether a sound blob of this size is here; if so, it stays. One of another size is damaged, and will be replaced.
    pub(crate) fn keep_blob(&self, digest: &Digest, size: u64) -> Result<bool, StoreError> {
        match self.sound_blob(digest)? {
            Some(stat) if stat.st_size as u64 == size => self.mark_used(&layout::blob(digest)),
            _ => Ok(false),
        }
    }

    /// The stat of a blob that is here. One that a crash may have damaged is hashed, and removed if it was.
    fn sound_blob(&self, digest: &Digest) -> Result<Option<Stat>, StoreError> {
        let place = layout::blob(digest);
        let Some(stat) = self.disk().stat(&place)? else {
            return Ok(None);
        };
        if !self.doubts(&stat)? {
            return Ok(Some(stat));
        }
        if self.hash_of(&place)? == Some(*digest) {
            self.disk().touch_written(&place)?;
            return Ok(Some(stat));
        }
        self.disk().remove(&place)?;
        Ok(None)
    }

    /// The digest of a file's content; `None` if it is not there.
    pub(crate) fn hash_of(&self, place: &str) -> Result<Option<Digest>, StoreError> {
        let Some(mut file) = self.disk().open_file(place)? else {
            return Ok(None);
        };
        let mut hasher = Hasher::new();
        let mut piece = vec![0; PIECE];
        loop {
            match file.read(&mut piece).map_err(self.disk().fail("read", place))? {
                0 => return Ok(Some(hasher.finish())),
                length => hasher.update(&piece[..length]),
            }
        }
    }

    /// What a failed write to a [`BlobWriter`](crate::BlobWriter) means.
    pub(crate) fn write_error(&self, error: io::Error) -> BlobError {
        match error.downcast::<BlobError>() {
            Ok(error) => error,
            Err(error) => StoreError::new("write", self.disk().path(), error).into(),
        }
    }
}

/// How much is read at a time.
const PIECE: usize = 128 * 1024;

impl BlobSink for Store {
    fn put(&mut self, content: &mut dyn Read, _size: u64) -> io::Result<Digest> {
        Ok(Self::put(self, content)?.digest)
    }
}

impl BlobRead for Store {
    /// The digest is checked while the content is read: damaged bytes end in an error of kind [`io::ErrorKind::InvalidData`]
    /// instead of the end.
    fn open(&self, digest: &Digest) -> io::Result<Box<dyn Read>> {
        let file = self.open_blob(digest)?;
        Ok(Box::new(Checked {
            store: self.clone(),
            file,
            digest: *digest,
            hasher: Some(Hasher::new()),
        }))
    }
}

/// Hashes what is read and compares at the end.
#[derive(Debug)]
struct Checked {
    store: Store,
    file: File,
    digest: Digest,
    /// `None` after the end.
    hasher: Option<Hasher>,
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(buffer)?;
        if length > 0 || buffer.is_empty() {
            if let Some(hasher) = &mut self.hasher {
                hasher.update(&buffer[..length]);
            }
            return Ok(length);
        }
        match self.hasher.take().map(Hasher::finish) {
            Some(found) if found != self.digest => {
                self.store.drop_damaged(&self.digest).map_err(BlobError::from)?;
                Err(io::Error::from(BlobError::Mismatch {
                    expected: self.digest,
                    found,
                }))
            }
            _ => Ok(0),
        }
    }
}

/// For callers that speak `io::Error`: the kind says what they can act on, the whole error is inside.
impl From<BlobError> for io::Error {
    fn from(error: BlobError) -> Self {
        let kind = match &error {
            BlobError::Missing(_) => io::ErrorKind::NotFound,
            BlobError::Mismatch { .. } => io::ErrorKind::InvalidData,
            BlobError::Input(source) | BlobError::Store(StoreError::Io { source, .. }) => source.kind(),
            BlobError::Store(StoreError::NoSpace { .. }) => io::ErrorKind::StorageFull,
            BlobError::TooLarge { .. } | BlobError::Fetch { .. } => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}
