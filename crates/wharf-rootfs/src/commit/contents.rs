//! File contents on their way to the store: hashed and kept by several threads.

use std::collections::HashMap;

use super::{
    CommitError,
    scan::{Inode, Scanned},
};
use crate::{
    blobs::{Adopted, BlobAdopt},
    workers,
};

/// What every file on disk holds.
pub(super) type Contents = HashMap<Inode, Adopted>;

/// Gives each file to the store once, whatever the number of its names.
pub(super) fn adopt(
    scanned: &Scanned,
    blobs: &dyn BlobAdopt,
    threads: usize,
) -> Result<Contents, CommitError> {
    let files: Vec<_> = scanned.files.iter().collect();
    let adopted = workers::map(&files, threads, |(inode, (disk, path))| {
        let adopted = blobs.adopt(disk).map_err(|source| CommitError::Store {
            path: path.clone(),
            source,
        });
        adopted.map(|adopted| (**inode, adopted))
    })?;
    Ok(adopted.into_iter().collect())
}
