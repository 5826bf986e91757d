//! The control part of a package file: its fields, its scripts, and what it says about its files.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wharf_oci::Digest;

use crate::apt::{
    relation::{Relation, members},
    stanza::{Stanza, stanzas},
};

/// One file of the control part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlFile {
    /// Its content.
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
    /// Permission bits.
    pub mode: u16,
}

/// A package's control part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Control {
    /// The text of `control`: one paragraph.
    pub fields: String,
    /// The other files by name (`postinst`, `md5sums`, `templates`), as dpkg keeps them.
    pub files: BTreeMap<String, ControlFile>,
    /// Absolute paths of configuration files with the MD5 of what the package ships, in the package's order.
    pub conffiles: Vec<(String, String)>,
    /// What the package does to triggers, as it stands in its `triggers`.
    pub triggers: String,
    /// The programs that its scripts name in their first lines, absolute.
    pub interpreters: Vec<String>,
}

/// Scripts that run while a package is being installed.
pub const INSTALL_SCRIPTS: &[&str] = &["preinst", "postinst", "config"];

impl Control {
    /// Its fields.
    pub fn stanza(&self) -> Option<Stanza<'_>> {
        stanzas(&self.fields).next()
    }

    /// A field, empty when it is not there.
    pub fn field(&self, name: &str) -> &str {
        self.stanza()
            .and_then(|stanza| stanza.get(name))
            .unwrap_or_default()
    }

    /// The package's name.
    pub fn name(&self) -> &str {
        self.field("Package")
    }

    /// The name under which dpkg keeps its files: with the architecture when the package can be there for several.
    pub fn info_name(&self) -> String {
        match self.field("Multi-Arch") {
            "same" => format!("{}:{}", self.name(), self.field("Architecture")),
            _ => self.name().to_owned(),
        }
    }

    /// Whether it has a script that runs while it is being installed, or is interested in triggers.
    pub fn acts(&self) -> bool {
        INSTALL_SCRIPTS
            .iter()
            .any(|script| self.files.contains_key(*script))
            || !self.triggers.trim().is_empty()
    }

    /// Whether it may overwrite files of `other` (Policy 7.6.1).
    pub fn replaces(&self, other: &Self) -> bool {
        let is_meant = |relation: Relation<'_>| {
            let provides = || members(other.field("Provides")).any(|provided| provided.name == relation.name);
            let real = relation.name == other.name() && relation.accepts(other.field("Version"));
            real || (relation.versions.is_none() && provides())
        };
        members(self.field("Replaces")).any(is_meant)
    }

    /// The directives of its `triggers`: (directive, trigger's name).
    pub fn trigger_directives(&self) -> impl Iterator<Item = (&str, &str)> {
        let lines = self
            .triggers
            .lines()
            .map(|line| line.split('#').next().unwrap_or_default());
        lines.filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?, words.next()?))
        })
    }
}

/// The program in a script's `#!` line.
pub(super) fn interpreter(script: &[u8]) -> Option<String> {
    let line = script.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = String::from_utf8_lossy(line);
    line.split_whitespace().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(fields: &str) -> Control {
        Control {
            fields: fields.to_owned(),
            files: BTreeMap::new(),
            conffiles: Vec::new(),
            triggers: String::new(),
            interpreters: Vec::new(),
        }
    }

    #[test]
    fn knows_what_it_may_overwrite() {
        let old = control("Package: a\nVersion: 1.0\nProvides: v");
        for (replaces, may) in [
            ("a", true),
            ("a (<< 2)", true),
            ("a (<< 1)", false),
            ("v", true),
            ("v (= 1)", false),
        ] {
            assert_eq!(
                control(&format!("Package: b\nReplaces: {replaces}")).replaces(&old),
                may,
                "{replaces}"
            );
        }
    }

    #[test]
    fn multi_arch_packages_have_their_architecture_in_file_names() {
        let fields = "Package: libc6\nArchitecture: amd64\nMulti-Arch: same";
        assert_eq!(control(fields).info_name(), "libc6:amd64");
        assert_eq!(control("Package: a\nMulti-Arch: foreign").info_name(), "a");
    }

    #[test]
    fn finds_interpreters() {
        assert_eq!(interpreter(b"#! /bin/sh -e\nexit"), Some("/bin/sh".into()));
        assert_eq!(interpreter(b"\x7fELF"), None);
        assert_eq!(interpreter(b"#!"), None);
    }
}
