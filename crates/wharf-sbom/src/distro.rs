//! Which distribution a tree is of: `/etc/os-release`.
//!
//! os-release(5).

use serde::{Deserialize, Serialize};

use crate::package::tidy;

/// A distribution.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distro {
    /// `ID`: `debian`.
    pub id: String,
    /// `VERSION_ID`: `13`; empty where there is none.
    pub version: String,
    /// `PRETTY_NAME`.
    pub name: String,
}

impl Distro {
    /// Reads an os-release file. `None` if it names no distribution.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut distro = Self::default();
        for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
            let value = || tidy(value.trim().trim_matches(['"', '\'']));
            match key.trim() {
                "ID" => distro.id = value().to_ascii_lowercase(),
                "VERSION_ID" => distro.version = value(),
                "PRETTY_NAME" => distro.name = value(),
                _ => {}
            }
        }
        (!distro.id.is_empty()).then_some(distro)
    }

    /// The `distro` qualifier of a package URL: `debian-13`.
    pub(crate) fn qualifier(&self) -> String {
        if self.version.is_empty() {
            return self.id.clone();
        }
        format!("{}-{}", self.id, self.version)
    }
}
