//! Blobs by digest: put, find, open.

use std::{fs::File, io::Read, sync::Arc};

use wharf_oci::Digest;

use crate::{
    adopt::Stored,
    error::{BlobError, StoreError},
    source::Source,
    store::Store,
};

impl Store {
    /// Keeps `bytes` as a blob.
    pub fn put_bytes(&self, _bytes: &[u8]) -> Result<Digest, BlobError> {
        unimplemented!()
    }

    /// Keeps everything that `reader` gives as a blob.
    pub fn put(&self, _reader: &mut dyn Read) -> Result<Stored, BlobError> {
        unimplemented!()
    }

    /// Whether the blob is on disk here. If so, it stays until this handle is dropped.
    pub fn contains(&self, _digest: &Digest) -> Result<bool, StoreError> {
        unimplemented!()
    }

    /// The blob's length in bytes if it is on disk here.
    pub fn blob_size(&self, _digest: &Digest) -> Result<Option<u64>, StoreError> {
        unimplemented!()
    }

    /// Opens a blob for reading, from its start; fetches it from the sources if it is not here. The bytes are those of the digest
    /// unless the disk itself decays: who must be sure uses [`Store::read_blob`] or hashes while reading.
    pub fn open_blob(&self, _digest: &Digest) -> Result<File, BlobError> {
        unimplemented!()
    }

    /// A whole blob of at most `limit` bytes (manifests, configs), its digest checked.
    pub fn read_blob(&self, _digest: &Digest, _limit: u64) -> Result<Vec<u8>, BlobError> {
        unimplemented!()
    }

    /// Registers one more place that missing blobs are fetched from.
    pub fn add_source(&self, _source: Arc<dyn Source>) {
        unimplemented!()
    }
}
