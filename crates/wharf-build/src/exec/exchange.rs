//! Work that only root of the sandbox's user namespace may do: how this process and its other self there talk.
//!
//! A request goes as JSON to the helper's standard input; trees and results lie as files in a scratch directory; what the
//! helper says is why it failed.

use std::{
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use wharf_sandbox::{Entry, Sandbox, SandboxError};
use wharf_store::{BootId, Store, StoreOptions};
use wharf_tree::Tree;

/// The helper could not be asked, or failed.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// It cannot be started.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// A file by which the two processes talk cannot be used.
    #[error("cannot exchange {path} with the process inside the user namespace")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What lies in such a file is not what should be there.
    #[error("{what} cannot be read back from the user namespace")]
    Damaged {
        /// What it should be.
        what: &'static str,
    },
    /// It failed.
    #[error("inside the user namespace: {0}")]
    Failed(String),
}

/// Where a store is, for another process to open it as this one has.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoreAddress {
    #[serde(with = "raw_path")]
    path: PathBuf,
    boot: Option<String>,
}

impl StoreAddress {
    pub(super) fn of(store: &Store) -> Self {
        Self {
            path: store.path().to_owned(),
            boot: store.boot().map(|boot| boot.0.clone()),
        }
    }

    pub(super) fn open(&self) -> Result<Store, String> {
        let options = StoreOptions {
            boot: self.boot.clone().map(BootId),
            ..StoreOptions::default()
        };
        Store::open(&self.path, options).map_err(chain)
    }
}

/// Has `entry` do what `request` says.
pub(super) fn ask(sandbox: &Sandbox, entry: &Entry, request: &impl Serialize) -> Result<(), ExchangeError> {
    let input = serde_json::to_vec(request).expect("numbers, bytes and text are JSON");
    let (exit, said) = sandbox.inside(entry.name, &input)?;
    if exit.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&said);
    Err(ExchangeError::Failed(said.trim().to_owned()))
}

/// The helper's side: reads the request, does it, and tells how it went.
pub(super) fn serve<T: DeserializeOwned>(
    input: &mut dyn Read,
    output: &mut dyn Write,
    work: impl FnOnce(&T) -> Result<(), String>,
) -> ExitCode {
    let request = serde_json::from_reader(input).map_err(chain);
    match request.and_then(|request| work(&request)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            // Nobody is left to tell if the other side is gone.
            let _ = output.write_all(why.as_bytes());
            ExitCode::FAILURE
        }
    }
}

/// Leaves a tree in `dir` for the other side.
pub(super) fn leave_tree(dir: &Path, tree: &Tree) -> Result<(), ExchangeError> {
    write(&dir.join("tree.pack"), &tree.to_pack())?;
    write(&dir.join("tree.times"), &tree.times().1)
}

/// The tree that the other side left in `dir`.
pub(super) fn take_tree(dir: &Path) -> Result<Tree, ExchangeError> {
    let damaged = || ExchangeError::Damaged { what: "the tree" };
    let mut tree = Tree::from_pack(read(&dir.join("tree.pack"))?).map_err(|_| damaged())?;
    let times = read(&dir.join("tree.times"))?;
    tree.apply_times(times).map_err(|_| damaged())?;
    Ok(tree)
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, ExchangeError> {
    fs::read(path).map_err(|source| ExchangeError::File {
        path: path.to_owned(),
        source,
    })
}

pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), ExchangeError> {
    fs::write(path, bytes).map_err(|source| ExchangeError::File {
        path: path.to_owned(),
        source,
    })
}

/// The error and its causes on one line.
pub(super) fn chain(error: impl std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// A path as its bytes: JSON's text would lose what is not UTF-8.
pub(super) mod raw_path {
    use std::{
        ffi::OsString,
        os::unix::ffi::{OsStrExt as _, OsStringExt as _},
        path::{Path, PathBuf},
    };

    use serde::{Deserialize, Deserializer, Serializer};

    pub(in crate::exec) fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(path.as_os_str().as_bytes())
    }

    pub(in crate::exec) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<PathBuf, D::Error> {
        Vec::<u8>::deserialize(deserializer).map(|bytes| OsString::from_vec(bytes).into())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;

    use super::*;

    #[test]
    fn a_path_that_is_no_text_survives() {
        let address = StoreAddress {
            path: std::ffi::OsString::from_vec(b"/tmp/\xff".to_vec()).into(),
            boot: None,
        };
        let json = serde_json::to_vec(&address).unwrap();
        let back: StoreAddress = serde_json::from_slice(&json).unwrap();
        assert_eq!(back.path, address.path);
    }

    #[test]
    fn a_request_that_is_none_is_told() {
        let mut said = Vec::new();
        serve(&mut &b"no JSON"[..], &mut said, |_: &StoreAddress| Ok(()));
        assert!(!said.is_empty());
    }

    #[test]
    fn a_tree_travels() {
        let scratch = tempfile::tempdir().unwrap();
        leave_tree(scratch.path(), &Tree::empty()).unwrap();
        assert_eq!(take_tree(scratch.path()).unwrap(), Tree::empty());
        fs::write(scratch.path().join("tree.pack"), b"cut").unwrap();
        assert!(matches!(
            take_tree(scratch.path()),
            Err(ExchangeError::Damaged { .. })
        ));
    }
}
