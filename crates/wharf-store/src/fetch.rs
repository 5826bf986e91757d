//! Fetching a missing blob from the sources, once however many threads want it.

use std::{
    collections::HashSet,
    fs::File,
    sync::{Arc, Condvar, Mutex, PoisonError},
};

use wharf_oci::Digest;

use crate::{error::BlobError, layout, source::Source, store::Store};

/// Which blobs are being fetched by some thread of this handle.
#[derive(Debug, Default)]
pub(crate) struct Fetches {
    running: Mutex<HashSet<Digest>>,
    ended: Condvar,
}

/// The right to fetch one blob; given back when dropped.
struct Turn<'a>(&'a Fetches, Digest);

impl Fetches {
    /// Waits until nobody else fetches this blob.
    fn turn(&self, digest: &Digest) -> Turn<'_> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let busy = |running: &mut HashSet<Digest>| running.contains(digest);
        let mut running = self
            .ended
            .wait_while(running, busy)
            .unwrap_or_else(PoisonError::into_inner);
        running.insert(*digest);
        Turn(self, *digest)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.1);
        self.0.ended.notify_all();
    }
}

impl Store {
    /// Registers one more place that missing blobs are fetched from.
    pub fn add_source(&self, source: Arc<dyn Source>) {
        self.inner
            .sources
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(source);
    }

    /// Fetches a blob that is not here from the first source that gives it. A source that fails does not keep the others from
    /// being asked; if none of them gives it, the first failure is told.
    pub(crate) fn fetch(&self, digest: &Digest) -> Result<File, BlobError> {
        let sources = self
            .inner
            .sources
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if sources.is_empty() {
            return Err(BlobError::Missing(*digest));
        }
        let _turn = self.inner.fetches.turn(digest);
        let place = layout::blob(digest);
        if let Some(file) = self.disk().open_file(&place)? {
            return Ok(file);
        }
        let mut failure = None;
        for source in sources {
            match self.fetch_from(&*source, digest) {
                Ok(true) => return self.disk().open_file(&place)?.ok_or(BlobError::Missing(*digest)),
                Ok(false) => {}
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        Err(failure.unwrap_or(BlobError::Missing(*digest)))
    }

    fn fetch_from(&self, source: &dyn Source, digest: &Digest) -> Result<bool, BlobError> {
        let mut writer = self.writer();
        let fetched = source.fetch(digest, &mut writer);
        let fetched = fetched.map_err(|source| BlobError::Fetch {
            digest: *digest,
            source,
        })?;
        if fetched {
            writer.finish(Some(digest))?;
        }
        Ok(fetched)
    }
}
