//! `$XDG_CONFIG_HOME/wharf/config.toml`, then `/etc/wharf/config.toml`: what belongs to the machine and its user.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::SettingsError;

/// The machine's settings. A user's file wins over the system's, key by key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MachineSettings {
    /// `[store]`.
    pub(crate) store: StoreSettings,
    /// `[mirror]`.
    pub(crate) mirror: MirrorSettings,
    /// `[sandbox]`.
    pub(crate) sandbox: SandboxSettings,
    /// `ca = "host" | "none" | "/path.pem"`.
    pub(crate) ca: Option<String>,
}

/// `[store]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StoreSettings {
    /// Where it lies.
    pub(crate) path: Option<PathBuf>,
    /// Its size cap, as `20GB`.
    pub(crate) max_size: Option<String>,
    /// The cap of its cache mounts, apart from the other.
    pub(crate) max_cache_size: Option<String>,
}

/// `[mirror]`: where distribution packages come from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MirrorSettings {
    /// Root URL of a Debian archive.
    pub(crate) debian: Option<String>,
    /// Root URL of a Debian security archive.
    pub(crate) debian_security: Option<String>,
    /// Root URL of an Ubuntu archive.
    pub(crate) ubuntu: Option<String>,
}

/// `[sandbox]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SandboxSettings {
    /// The rung to use, rather than the best.
    pub(crate) rung: Option<String>,
}

impl MachineSettings {
    /// Reads the files that exist; `files` has the one that wins first.
    pub(crate) fn load(files: &[PathBuf]) -> Result<Self, SettingsError> {
        let mut merged = toml::Table::new();
        for path in files.iter().rev() {
            if let Some(text) = read(path)? {
                let parse = |message: String| SettingsError::Parse {
                    path: path.clone(),
                    message,
                };
                let table: toml::Table = text
                    .parse()
                    .map_err(|error: toml::de::Error| parse(error.to_string()))?;
                table
                    .clone()
                    .try_into::<Self>()
                    .map_err(|error| parse(error.to_string()))?;
                overlay(&mut merged, table);
            }
        }
        Ok(merged.try_into().expect("each file was checked by itself"))
    }
}

fn overlay(below: &mut toml::Table, above: toml::Table) {
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            (Some(toml::Value::Table(inner)), toml::Value::Table(table)) => overlay(inner, table),
            (_, value) => drop(below.insert(key, value)),
        }
    }
}

fn read(path: &Path) -> Result<Option<String>, SettingsError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(SettingsError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_file_wins_key_by_key() {
        let scratch = tempfile::tempdir().unwrap();
        let (user, system) = (scratch.path().join("user"), scratch.path().join("system"));
        fs::write(&user, "[store]\nmax_size = '5GB'").unwrap();
        fs::write(&system, "ca = 'none'\n[store]\nmax_size = '9GB'\npath = '/s'").unwrap();
        let settings = MachineSettings::load(&[user, system, scratch.path().join("absent")]).unwrap();
        assert_eq!(settings.store.max_size.as_deref(), Some("5GB"));
        assert_eq!(settings.store.path, Some("/s".into()));
        assert_eq!(settings.ca.as_deref(), Some("none"));
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_the_file() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("config.toml");
        fs::write(&path, "[stroe]").unwrap();
        let message = MachineSettings::load(std::slice::from_ref(&path))
            .unwrap_err()
            .to_string();
        assert!(
            message.starts_with(&path.display().to_string()) && message.contains("stroe"),
            "{message}"
        );
    }
}
