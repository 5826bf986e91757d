//! Scratch directories of running builds.

use std::path::Path;

use crate::{error::StoreError, store::Store};

/// A scratch directory on the store's file system. Removed when dropped, or by the next process if this one dies.
#[derive(Debug)]
pub struct WorkDir {}

impl WorkDir {
    /// Where it is: absolute if the store's path is.
    pub fn path(&self) -> &Path {
        unimplemented!()
    }
}

impl Store {
    /// A new, empty scratch directory of mode 0700.
    pub fn work_dir(&self) -> Result<WorkDir, StoreError> {
        unimplemented!()
    }
}
