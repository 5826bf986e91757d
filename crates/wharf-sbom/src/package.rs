//! What a scan finds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wharf_oci::Digest;

use crate::{distro::Distro, purl::Purl};

/// Who installed a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ecosystem {
    /// dpkg.
    Deb,
    /// apk.
    Apk,
    /// rpm.
    Rpm,
    /// pip and its like.
    Pypi,
    /// npm and its like.
    Npm,
    /// cargo.
    Cargo,
    /// The go command.
    Golang,
}

/// One package of one version, wherever in the tree it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Who installed it.
    pub ecosystem: Ecosystem,
    /// As its ecosystem calls it: `@types/node`, `golang.org/x/sys`.
    pub name: String,
    /// May be empty: some manifests have none.
    pub version: String,
    /// Its package URL.
    pub purl: Purl,
    /// The licence as the package states it; not always an SPDX expression.
    pub licence: Option<String>,
    /// Who supplies it: `Name (mail address)`.
    pub supplier: Option<Supplier>,
    /// Of what was installed, as the ecosystem knows them.
    pub checksums: Vec<Checksum>,
    /// Its web page.
    pub homepage: Option<String>,
    /// What else should be said of it.
    pub comment: Option<String>,
    /// The files that say that it is there, relative to the root, sorted.
    pub found_in: Vec<String>,
}

/// A supplier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Supplier {
    /// A person, or a list's address: what a maintainer field holds.
    Person(String),
    /// A vendor.
    Organization(String),
}

/// A sum of something that was installed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Checksum {
    /// Which function.
    pub kind: ChecksumKind,
    /// Lower-case hexadecimal.
    pub hex: String,
}

/// A hash function, by SPDX's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ChecksumKind {
    /// MD5.
    #[serde(rename = "MD5")]
    Md5,
    /// SHA-1.
    #[serde(rename = "SHA1")]
    Sha1,
    /// SHA-256.
    #[serde(rename = "SHA256")]
    Sha256,
    /// SHA-512.
    #[serde(rename = "SHA512")]
    Sha512,
}

/// All that a scan found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// Sorted by ecosystem, name and version; none twice.
    pub packages: Vec<Package>,
    /// The files that packages were found in, by path.
    pub files: BTreeMap<String, FileSums>,
    /// What was not read, and why.
    pub notes: Vec<String>,
    /// Which distribution it is.
    pub distro: Option<Distro>,
}

/// The sums of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSums {
    /// SPDX demands one.
    pub sha1: String,
    /// The file's digest in the tree.
    pub sha256: Digest,
}

impl Checksum {
    /// A sum of `kind`, if `text` is one: hexadecimal of the right length.
    pub fn hex(kind: ChecksumKind, text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let right = text.len() == kind.digits() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        right.then_some(Self { kind, hex: text })
    }

    /// A sum of these bytes.
    pub(crate) fn bytes(kind: ChecksumKind, bytes: &[u8]) -> Option<Self> {
        Self::hex(kind, &hex(bytes))
    }
}

impl ChecksumKind {
    const fn digits(self) -> usize {
        match self {
            Self::Md5 => 32,
            Self::Sha1 => 40,
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }
}

impl Package {
    /// A package of which no more is known.
    pub(crate) fn new(ecosystem: Ecosystem, name: &str, version: &str, purl: Purl) -> Self {
        Self {
            ecosystem,
            name: tidy(name),
            version: tidy(version),
            purl,
            licence: None,
            supplier: None,
            checksums: Vec::new(),
            homepage: None,
            comment: None,
            found_in: Vec::new(),
        }
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Longer names and versions do not exist, and a document must not carry a megabyte that somebody wrote as one.
const FIELD_LIMIT: usize = 1024;

/// One line of text: without control characters, blanks at the ends and what is too much.
pub(crate) fn tidy(text: &str) -> String {
    let clean: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(FIELD_LIMIT)
        .collect();
    clean.trim().to_owned()
}

/// [`tidy`], `None` if nothing is left.
pub(crate) fn tidy_some(text: &str) -> Option<String> {
    let text = tidy(text);
    (!text.is_empty()).then_some(text)
}

/// `Name <mail>` as SPDX writes a supplier: `Name (mail)`.
pub(crate) fn mailbox(text: &str) -> Option<String> {
    let text = tidy_some(text)?;
    let Some((name, rest)) = text.split_once('<') else {
        return Some(text);
    };
    let (name, mail) = (name.trim(), rest.split('>').next().unwrap_or_default().trim());
    match (name.is_empty(), mail.is_empty()) {
        (true, true) => None,
        (true, false) => Some(mail.to_owned()),
        (false, true) => Some(name.to_owned()),
        (false, false) => Some(format!("{name} ({mail})")),
    }
}
