//! The store as the root filesystem sees it: a place that contents come from and go to.

use std::{fs::File, io, path::Path};

use wharf_oci::Digest;
use wharf_rootfs::{Adopted, BlobAdopt, BlobOpen};
use wharf_store::Store;

/// A store's handle with the root filesystem's verbs.
#[derive(Debug, Clone)]
pub struct StoreBlobs(pub Store);

impl BlobOpen for StoreBlobs {
    fn open(&self, digest: &Digest) -> io::Result<File> {
        self.0.open_blob(digest).map_err(io::Error::other)
    }
}

impl BlobAdopt for StoreBlobs {
    fn adopt(&self, path: &Path) -> io::Result<Adopted> {
        let stored = self.0.take_file(path).map_err(io::Error::other)?;
        Ok(Adopted {
            digest: stored.digest,
            size: stored.size,
        })
    }
}
