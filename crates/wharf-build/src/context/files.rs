//! The contents of a context's files, brought into the store when a step first wants them.

use std::{
    collections::HashMap,
    fs::File,
    io,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use wharf_oci::Digest;
use wharf_store::{BlobWriter, Source, SourceError};

/// Where the contents of all contexts of a build can be read.
#[derive(Debug, Default)]
pub struct ContextFiles(Mutex<HashMap<Digest, PathBuf>>);

impl ContextFiles {
    /// Adds the files of one context.
    pub fn add(&self, root: &std::path::Path, contents: HashMap<Digest, PathBuf>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(
            contents
                .into_iter()
                .map(|(digest, path)| (digest, root.join(path))),
        );
    }

    fn path(&self, digest: &Digest) -> Option<PathBuf> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(digest)
            .cloned()
    }
}

/// A file that changed since it was hashed gives other bytes, which the store refuses.
impl Source for ContextFiles {
    fn fetch(&self, digest: &Digest, into: &mut BlobWriter) -> Result<bool, SourceError> {
        let Some(path) = self.path(digest) else {
            return Ok(false);
        };
        let failed = |error: io::Error| {
            SourceError::new(ContextFileError {
                path: path.clone(),
                source: error,
            })
        };
        let mut file = File::open(&path).map_err(failed)?;
        io::copy(&mut file, into).map_err(failed)?;
        Ok(true)
    }
}

/// A file of the context could not be read when a step wanted it.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}, which is part of the context")]
struct ContextFileError {
    path: PathBuf,
    source: io::Error,
}
