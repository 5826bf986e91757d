//! `<Dockerfile>.lock`: the digests that the references of FROM stood for when `wharf lock` ran.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use wharf_oci::{Digest, Reference};

/// The version of the format.
const VERSION: u32 = 1;

/// Digests by reference, in its full form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FromLock {
    version: u32,
    #[serde(default)]
    from: BTreeMap<String, Digest>,
}

impl Default for FromLock {
    fn default() -> Self {
        Self {
            version: VERSION,
            from: BTreeMap::new(),
        }
    }
}

/// A lock that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FromLockError {
    /// It cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no lock.
    #[error("{path}: {message}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// The parser's words.
        message: String,
    },
    /// A newer wharf wrote it.
    #[error("{path} has version {version}, this program knows {VERSION}")]
    Version {
        /// The file.
        path: PathBuf,
        /// What it says.
        version: u32,
    },
}

impl FromLock {
    /// Where the lock of a Dockerfile is.
    pub fn path_of(dockerfile: &Path) -> PathBuf {
        let mut name = dockerfile.as_os_str().to_owned();
        name.push(".lock");
        name.into()
    }

    /// The lock of a Dockerfile; empty if there is none.
    pub fn read(dockerfile: &Path) -> Result<Self, FromLockError> {
        let path = Self::path_of(dockerfile);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(FromLockError::Read { path, source }),
        };
        let lock: Self = toml::from_str(&text).map_err(|error| FromLockError::Parse {
            path: path.clone(),
            message: error.to_string(),
        })?;
        if lock.version > VERSION {
            return Err(FromLockError::Version {
                path,
                version: lock.version,
            });
        }
        Ok(lock)
    }

    /// The digest that a reference is locked to.
    pub fn get(&self, reference: &Reference) -> Option<Digest> {
        self.from.get(&reference.to_string()).copied()
    }

    /// Locks a reference.
    pub fn set(&mut self, reference: &Reference, digest: Digest) {
        self.from.insert(reference.to_string(), digest);
    }

    /// Whether nothing is locked.
    pub fn is_empty(&self) -> bool {
        self.from.is_empty()
    }

    /// How many references are locked.
    pub fn len(&self) -> usize {
        self.from.len()
    }

    /// The text of the file. Equal locks give equal bytes.
    pub fn to_text(&self) -> String {
        toml::to_string(self).expect("digests by name are TOML")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let scratch = tempfile::tempdir().unwrap();
        let dockerfile = scratch.path().join("Dockerfile");
        let reference: Reference = "example.com/app:1".parse().unwrap();
        let mut lock = FromLock::default();
        lock.set(&reference, Digest::of(b"manifest"));
        fs::write(FromLock::path_of(&dockerfile), lock.to_text()).unwrap();
        assert_eq!(
            FromLock::read(&dockerfile).unwrap().get(&reference),
            Some(Digest::of(b"manifest"))
        );
        assert!(FromLock::read(&scratch.path().join("other")).unwrap().is_empty());
    }
}
