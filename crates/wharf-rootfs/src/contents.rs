//! Open contents: a small cache in front of the store, since the kernel asks for a file in pieces.

use std::{fs::File, io, path::PathBuf, sync::Arc};

use wharf_oci::Digest;

use crate::{blobs::BlobOpen, slots::Slots};

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

    /// The content, open, if that takes no time.
    pub(crate) fn open_at_hand(&self, digest: &Digest) -> io::Result<Option<Arc<File>>> {
        if let Some(file) = self.open.get(home(digest), digest) {
            return Ok(Some(file));
        }
        let file = self.blobs.open_at_hand(digest)?;
        Ok(file.map(|file| self.keep(digest, file)))
    }

    /// The content, open. Nothing is locked while a missing one is fetched.
    pub(crate) fn open(&self, digest: &Digest) -> io::Result<Arc<File>> {
        match self.open_at_hand(digest)? {
            Some(file) => Ok(file),
            None => Ok(self.keep(digest, self.blobs.open(digest)?)),
        }
    }

    fn keep(&self, digest: &Digest, file: File) -> Arc<File> {
        let file = Arc::new(file);
        self.open.put(home(digest), *digest, file.clone());
        file
    }
}

fn home(digest: &Digest) -> u64 {
    digest.as_bytes()[0].into()
}
