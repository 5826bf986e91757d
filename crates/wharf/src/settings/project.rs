//! `wharf.toml`: beside the Dockerfile or in a parent, up to the repository's root, never through somebody else's folder.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use wharf_base::BaseSettings;

use super::SettingsError;

/// A project's settings and where they were found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Project {
    /// The file; `None` when there is none.
    pub(crate) file: Option<PathBuf>,
    /// `[base.NAME]`.
    pub(crate) bases: BTreeMap<String, BaseSettings>,
}

/// Tables of the machine's settings, which a project file must not have.
const MACHINE_KEYS: &[&str] = &["ca", "cache", "mirror", "sandbox", "store", "trust"];

/// Finds and reads the settings of the project in which `start`, a directory, lies.
pub(crate) fn find_project(start: &Path) -> Result<Project, SettingsError> {
    match find_file(start) {
        Some(path) => load(path),
        None => Ok(Project::default()),
    }
}

fn find_file(start: &Path) -> Option<PathBuf> {
    let start = fs::canonicalize(start).ok()?;
    let owner = fs::metadata(&start).ok()?.uid();
    for folder in start.ancestors() {
        if fs::metadata(folder).ok()?.uid() != owner {
            return None;
        }
        let file = folder.join("wharf.toml");
        if file.is_file() {
            return Some(file);
        }
        if folder.join(".git").exists() {
            return None;
        }
    }
    None
}

fn load(path: PathBuf) -> Result<Project, SettingsError> {
    let text = fs::read_to_string(&path).map_err(|source| SettingsError::Read {
        path: path.clone(),
        source,
    })?;
    let parse = |message: String| SettingsError::Parse {
        path: path.clone(),
        message,
    };
    let mut table: toml::Table = text
        .parse()
        .map_err(|error: toml::de::Error| parse(error.to_string()))?;
    if let Some(key) = table.keys().find(|key| MACHINE_KEYS.contains(&key.as_str())) {
        return Err(SettingsError::MachineKey {
            path: path.clone(),
            key: key.clone(),
        });
    }
    let bases = match table.remove("base") {
        Some(value) => value
            .try_into()
            .map_err(|error: toml::de::Error| parse(error.to_string()))?,
        None => BTreeMap::new(),
    };
    if let Some(key) = table.keys().next() {
        return Err(parse(format!("unknown key `{key}` (a project has `base`)")));
    }
    Ok(Project {
        file: Some(path),
        bases,
    })
}
