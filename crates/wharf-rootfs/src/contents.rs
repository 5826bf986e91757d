//! Open contents: a small cache in front of the store, since the kernel asks for a file in pieces.

use std::{fs::File, io, path::PathBuf, sync::Arc};

use wharf_oci::Digest;

use crate::{blobs::BlobOpen, follow::Follow, slots::Slots};

/// How many files stay open. Several steps run at once, and many machines allow a process 1,024 descriptors.
const OPEN: usize = 64;

/// Contents by digest.
pub(crate) struct Contents {
    blobs: Arc<dyn BlobOpen>,
    open: Slots<Digest, Arc<File>, OPEN>,
}

impl Contents {
    pub(crate) fn new(blobs: Arc<dyn BlobOpen>) -> Self {
        Self {
            blobs,
            open: Slots::new(),
        }
    }

    /// Where it lies, for an overlay that reads it itself.
    pub(crate) fn place(&self, digest: &Digest) -> Option<PathBuf> {
        self.blobs.place(digest)
    }

    /// The content, open. Nothing is locked while a missing one is fetched.
    pub(crate) fn open(&self, digest: &Digest, follow: &Follow) -> io::Result<Arc<File>> {
        let hash = digest.as_bytes()[0].into();
        if let Some(file) = self.open.get(hash, digest) {
            return Ok(file);
        }
        let file = match self.blobs.open_at_hand(digest)? {
            Some(file) => file,
            None => follow.unbound(|| self.blobs.open(digest))?,
        };
        let file = Arc::new(file);
        self.open.put(hash, *digest, file.clone());
        Ok(file)
    }
}
