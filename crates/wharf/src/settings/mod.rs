//! Settings files: `wharf.toml` of the project, `config.toml` of the machine.
//!
//! Precedence: flag, `WHARF_*`, project (its keys), user, system. The two kinds of file share no key, so that a pull request
//! can redirect neither caches nor credentials.

mod machine;
mod project;

use std::{io, path::PathBuf};

pub(crate) use machine::MachineSettings;
pub(crate) use project::{Project, find_project};

/// A settings file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    /// It cannot be read.
    #[error("{path}: cannot read the settings")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not TOML, or has a key or value that wharf does not know.
    #[error("{path}: {message}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// The parser's words, with line and column.
        message: String,
    },
    /// A key of the machine's settings stands in a project file.
    #[error("{path}: `{key}` is a setting of the machine, not of a project")]
    MachineKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
    },
}

impl SettingsError {
    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::MachineKey { key, .. } => Some(format!(
                "move `{key}` to ~/.config/wharf/config.toml or /etc/wharf/config.toml"
            )),
            _ => None,
        }
    }
}
