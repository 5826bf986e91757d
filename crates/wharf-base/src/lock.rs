//! `wharf.lock`, beside `wharf.toml`: the exact packages of every base.
//!
//! TOML, one table for each base and architecture, packages sorted by name: made to be read in a diff. It names no address:
//! a lock is used with whatever mirrors a machine has. Hashes in it are as good as an archive's signature.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wharf_oci::Digest;

use crate::{
    plan::Package,
    resolution::{ArchiveState, Resolution},
    settings::BaseSettings,
};

/// The version of the format.
const VERSION: u32 = 1;

const HEADER: &str = "# The exact packages of every base of wharf.toml. Written by `wharf lock`; keep it under version control.\n\n";

/// A whole lock file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockFile {
    version: u32,
    /// By the base's name, then by architecture.
    #[serde(default)]
    base: BTreeMap<String, BTreeMap<String, LockedBase>>,
}

/// One base for one architecture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedBase {
    /// Of the settings that were locked: others need another lock.
    settings: Digest,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    foreign: Vec<String>,
    archive: Vec<ArchiveState>,
    package: Vec<Package>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    helper: Option<Vec<Package>>,
}

/// A lock that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// It is not TOML, or not a lock.
    #[error("the lock file cannot be read")]
    Syntax(#[source] toml::de::Error),
    /// It was written by a newer version.
    #[error("the lock file has version {0}, this program knows {VERSION}")]
    Version(u32),
    /// The base's settings are not those that were locked.
    #[error("the lock of base `{base}` is out of date: its settings have changed")]
    Outdated {
        /// The base.
        base: String,
    },
    /// The machine's archives are not those that were locked.
    #[error("the lock of base `{base}` names {locked} archives, this machine has {present} for it")]
    Archives {
        /// The base.
        base: String,
        /// In the lock.
        locked: usize,
        /// On this machine.
        present: usize,
    },
    /// A package names an archive that the lock does not have.
    #[error("the lock of base `{base}` is damaged: `{package}` names archive {archive}")]
    NoSuchArchive {
        /// The base.
        base: String,
        /// The package.
        package: String,
        /// The position that it names.
        archive: usize,
    },
}

impl LockError {
    /// What the user can do.
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Outdated { .. } | Self::Archives { .. } => Some("run `wharf lock`"),
            _ => None,
        }
    }
}

impl Default for LockFile {
    fn default() -> Self {
        Self {
            version: VERSION,
            base: BTreeMap::new(),
        }
    }
}

impl LockFile {
    /// Reads a lock file's text.
    pub fn parse(text: &str) -> Result<Self, LockError> {
        let file: Self = toml::from_str(text).map_err(LockError::Syntax)?;
        if file.version == VERSION {
            Ok(file)
        } else {
            Err(LockError::Version(file.version))
        }
    }

    /// The text of the file. Equal locks give equal bytes.
    pub fn to_text(&self) -> String {
        let body = toml::to_string(self).expect("names, numbers and digests are TOML");
        format!("{HEADER}{body}")
    }

    /// The lock of a base for an architecture.
    pub fn base(&self, name: &str, architecture: &str) -> Option<&LockedBase> {
        self.base.get(name)?.get(architecture)
    }

    /// Whether a base is locked, for whatever architecture.
    pub fn has(&self, name: &str) -> bool {
        self.base.contains_key(name)
    }

    /// Locks a base to what was resolved, in place of what was locked before.
    pub fn set(&mut self, name: &str, settings: &BaseSettings, resolution: &Resolution) {
        let Some((architecture, foreign)) = resolution.architectures.split_first() else {
            return;
        };
        let locked = LockedBase {
            settings: digest(settings),
            foreign: foreign.to_vec(),
            archive: resolution
                .archives
                .iter()
                .map(ArchiveState::without_address)
                .collect(),
            package: resolution.packages.clone(),
            helper: resolution.helper.clone(),
        };
        self.base
            .entry(name.to_owned())
            .or_default()
            .insert(architecture.clone(), locked);
    }

    /// Forgets bases that are not `kept`.
    pub fn retain(&mut self, kept: impl Fn(&str) -> bool) {
        self.base.retain(|name, _| kept(name));
    }
}

impl LockedBase {
    /// What was locked, at the addresses that this machine uses (in the lock's order of archives).
    pub fn resolution(
        &self,
        base: &str,
        settings: &BaseSettings,
        architecture: &str,
        addresses: &[String],
    ) -> Result<Resolution, LockError> {
        if self.settings != digest(settings) {
            return Err(LockError::Outdated {
                base: base.to_owned(),
            });
        }
        if self.archive.len() != addresses.len() {
            let (locked, present) = (self.archive.len(), addresses.len());
            return Err(LockError::Archives {
                base: base.to_owned(),
                locked,
                present,
            });
        }
        let packages = self.package.iter().chain(self.helper.iter().flatten());
        if let Some(stray) = packages
            .into_iter()
            .find(|package| package.archive >= self.archive.len())
        {
            let (package, archive) = (stray.name.clone(), stray.archive);
            return Err(LockError::NoSuchArchive {
                base: base.to_owned(),
                package,
                archive,
            });
        }
        let archives = self.archive.iter().zip(addresses);
        Ok(Resolution {
            architectures: std::iter::once(architecture.to_owned())
                .chain(self.foreign.iter().cloned())
                .collect(),
            archives: archives
                .map(|(archive, uri)| ArchiveState {
                    uri: uri.clone(),
                    ..archive.clone()
                })
                .collect(),
            packages: self.package.clone(),
            helper: self.helper.clone(),
            sources: String::new(),
            marks_dependencies: false,
        })
    }
}

fn digest(settings: &BaseSettings) -> Digest {
    Digest::of(&serde_json::to_vec(settings).expect("settings are JSON"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Reason;

    fn settings(text: &str) -> BaseSettings {
        BaseSettings::try_from(text.parse::<toml::Table>().unwrap()).unwrap()
    }

    fn resolution() -> Resolution {
        let package = Package {
            name: "a".into(),
            version: "1".into(),
            architecture: "amd64".into(),
            sha256: Digest::of(b"a"),
            size: 3,
            path: "pool/a.deb".into(),
            archive: 0,
            reason: Reason::Asked,
        };
        let archive = ArchiveState {
            suite: "bookworm".into(),
            components: vec!["main".into()],
            state: Digest::of(b"s"),
            uri: "http://user:secret@example.test".into(),
        };
        Resolution {
            architectures: vec!["amd64".into()],
            archives: vec![archive],
            packages: vec![package.clone()],
            helper: Some(vec![package]),
            sources: String::new(),
            marks_dependencies: false,
        }
    }

    #[test]
    fn text_and_back() {
        let wanted = settings("apt = 'host'");
        let mut file = LockFile::default();
        file.set("runtime", &wanted, &resolution());
        let text = file.to_text();
        assert!(
            !text.contains("secret") && !text.contains("example.test"),
            "{text}"
        );
        let read = LockFile::parse(&text).unwrap();
        assert_eq!(read, file);
        let locked = read.base("runtime", "amd64").unwrap();
        let addresses = ["http://user:secret@example.test".to_owned()];
        assert_eq!(
            locked
                .resolution("runtime", &wanted, "amd64", &addresses)
                .unwrap(),
            resolution()
        );
    }

    #[test]
    fn changed_settings_and_newer_files_are_refused() {
        let mut file = LockFile::default();
        file.set("runtime", &settings("apt = 'host'"), &resolution());
        let locked = file.base("runtime", "amd64").unwrap();
        let changed = settings("apt = 'host'\npackages = ['b']");
        let error = locked
            .resolution("runtime", &changed, "amd64", &[String::new()])
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the lock of base `runtime` is out of date: its settings have changed"
        );
        assert!(matches!(
            LockFile::parse("version = 9"),
            Err(LockError::Version(9))
        ));
        assert!(matches!(
            LockFile::parse("version = 1\nbsae = 1"),
            Err(LockError::Syntax(_))
        ));
    }
}
