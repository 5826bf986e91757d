//! Cache mounts: directories by id that steps of any build write to.

use std::{ops::ControlFlow, path::Path};

use crate::{error::StoreError, lock::Waiting, store::Store};

/// What happens when two steps want one cache mount. Dockerfile reference, `RUN --mount=type=cache`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sharing {
    /// Both use it.
    Shared,
    /// The second gets a directory of its own.
    Private,
    /// The second waits.
    Locked,
}

/// A cache mount in use; let go when dropped.
#[derive(Debug)]
pub struct CacheMount {}

impl CacheMount {
    /// The directory to mount.
    pub fn path(&self) -> &Path {
        unimplemented!()
    }

    /// Whether nobody has filled it yet (`from=`, owner and mode). Then it is held exclusively, until [`CacheMount::filled`].
    pub fn is_new(&self) -> bool {
        unimplemented!()
    }

    /// Says that it is filled: others may use it as `sharing` allows.
    pub fn filled(&mut self) -> Result<(), StoreError> {
        unimplemented!()
    }
}

impl Store {
    /// Opens the cache mount called `id`; waits where `sharing` says so, as [`Store::lock_step`] does.
    pub fn cache_mount(
        &self,
        _id: &str,
        _sharing: Sharing,
        _wait: &mut dyn FnMut(&Waiting) -> ControlFlow<()>,
    ) -> Result<Option<CacheMount>, StoreError> {
        unimplemented!()
    }
}
