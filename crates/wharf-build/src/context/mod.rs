//! Build contexts: directories whose files a build may copy.

mod files;
mod scan;
mod wanted;

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use wharf_dockerfile::patterns::{IgnoreFileError, PatternMatcher, parse_ignore_file};
use wharf_store::{StatCache, Store, StoreError};

pub use files::ContextFiles;
pub use scan::{Scan, ScanError, scan};
pub use wanted::Wanted;

/// A directory and what of it is left out.
#[derive(Debug, Clone)]
pub struct Context {
    /// Where it is.
    pub directory: PathBuf,
    /// `.dockerignore`.
    pub ignored: PatternMatcher,
}

/// A context cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// It cannot be read.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// Its stat cache cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is no directory.
    #[error("{0} is not a directory")]
    NotADirectory(PathBuf),
    /// It is not there.
    #[error("cannot read the context {path}")]
    Missing {
        /// Where it should be.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The ignore file cannot be read.
    #[error("cannot read {path}")]
    ReadIgnore {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The ignore file is wrong.
    #[error("cannot use {path}")]
    Ignore {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: IgnoreFileError,
    },
}

impl Context {
    /// The directory with everything in it.
    pub fn whole(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            ignored: PatternMatcher::default(),
        }
    }

    /// The directory with the ignore file that belongs to `dockerfile`: `<Dockerfile>.dockerignore` beside it, else
    /// `.dockerignore` in the context's root.
    pub fn open(directory: &Path, dockerfile: Option<&Path>) -> Result<Self, ContextError> {
        let info = fs::metadata(directory).map_err(|source| ContextError::Missing {
            path: directory.to_owned(),
            source,
        })?;
        if !info.is_dir() {
            return Err(ContextError::NotADirectory(directory.to_owned()));
        }
        let own = dockerfile.map(|path| {
            let mut name = path.as_os_str().to_owned();
            name.push(".dockerignore");
            PathBuf::from(name)
        });
        let path = own
            .filter(|path| path.exists())
            .unwrap_or_else(|| directory.join(".dockerignore"));
        Ok(Self {
            directory: directory.to_owned(),
            ignored: read_ignore_file(&path)?,
        })
    }

    /// Reads the part of the context that `paths` name.
    pub fn scan(&self, store: &Store, paths: &BTreeSet<String>) -> Result<Scan, ContextError> {
        self.scan_with(&store.stat_cache(&self.directory)?, paths)
    }

    /// The same, if it is a matter of milliseconds by what is known of the context.
    pub fn scan_if_small(
        &self,
        store: &Store,
        paths: &BTreeSet<String>,
    ) -> Result<Option<Scan>, ContextError> {
        let cache = store.small_stat_cache(&self.directory)?;
        cache.map(|cache| self.scan_with(&cache, paths)).transpose()
    }

    fn scan_with(&self, cache: &StatCache, paths: &BTreeSet<String>) -> Result<Scan, ContextError> {
        let scan = scan(&self.directory, &self.ignored, &Wanted::of(paths), cache)?;
        cache.save()?;
        Ok(scan)
    }
}

fn read_ignore_file(path: &Path) -> Result<PatternMatcher, ContextError> {
    match fs::read(path) {
        Ok(text) => parse_ignore_file(&text).map_err(|source| ContextError::Ignore {
            path: path.to_owned(),
            source,
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(PatternMatcher::default()),
        Err(source) => Err(ContextError::ReadIgnore {
            path: path.to_owned(),
            source,
        }),
    }
}
