//! What cargo built: `Cargo.lock`, and the list of crates that cargo-auditable puts into programs.
//!
//! The Cargo book, "Cargo.toml vs Cargo.lock"; the format of `.dep-v0`: zlib-packed JSON.

use std::io::Read as _;

use serde::Deserialize;

use crate::{
    package::{Checksum, ChecksumKind, Ecosystem, Package},
    purl::Purl,
    reader::{FoundFile, ScanError, Scanner},
};

const LOCK_LIMIT: u64 = 16 << 20;
/// The list unpacked, as cargo-auditable's own reader bounds it.
const LIST_LIMIT: u64 = 8 << 20;

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: String,
    #[serde(default)]
    source: Option<String>,
    #[serde(default)]
    checksum: Option<String>,
}

/// Reads a lock file. Crates without a source are the workspace's own.
pub(crate) fn read_lock(file: &FoundFile, scanner: &mut Scanner<'_>) -> Result<(), ScanError> {
    let Some(text) = scanner.text(file, LOCK_LIMIT)? else {
        return Ok(());
    };
    match toml::from_str::<Lock>(&text) {
        Ok(lock) => scanner.found(file, lock.package.iter().map(locked).collect()),
        Err(_) => {
            scanner.note(format!("{} was not read: it is not a lock file", file.path));
            Ok(())
        }
    }
}

fn locked(crate_: &Locked) -> Package {
    let checksum = crate_.checksum.as_deref();
    let checksum = checksum.and_then(|text| Checksum::hex(ChecksumKind::Sha256, text));
    Package {
        checksums: checksum.into_iter().collect(),
        ..package(&crate_.name, &crate_.version, crate_.source.as_deref())
    }
}

fn package(name: &str, version: &str, source: Option<&str>) -> Package {
    let repository = source.and_then(|source| source.strip_prefix("git+"));
    let vcs = repository.map(|url| format!("git+{url}")).unwrap_or_default();
    let purl = Purl::new("cargo", "", name, version, &[("vcs_url", &vcs)]);
    Package::new(Ecosystem::Cargo, name, version, purl)
}

#[derive(Deserialize)]
struct Audited {
    packages: Vec<AuditedCrate>,
}

#[derive(Deserialize)]
struct AuditedCrate {
    name: String,
    version: String,
    #[serde(default)]
    kind: Option<String>,
}

/// The crates in the bytes of a program's `.dep-v0` section. What only helped to build it is left out.
pub(crate) fn audited(section: &[u8]) -> Option<Vec<Package>> {
    let mut json = Vec::new();
    flate2::read::ZlibDecoder::new(section)
        .take(LIST_LIMIT)
        .read_to_end(&mut json)
        .ok()?;
    let list: Audited = serde_json::from_slice(&json).ok()?;
    let linked = list
        .packages
        .iter()
        .filter(|crate_| crate_.kind.as_deref() != Some("build"));
    Some(
        linked
            .map(|crate_| package(&crate_.name, &crate_.version, None))
            .collect(),
    )
}
