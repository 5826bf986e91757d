//! What apk installed: `/lib/apk/db/installed`.
//!
//! apk-package(5), the installed database: one letter, a colon, a value; packages end with an empty line.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    package::{Checksum, ChecksumKind, Ecosystem, Package, Supplier, mailbox, tidy_some},
    purl::Purl,
    reader::{ScanError, Scanner},
    stanza::{self, Stanza},
};

/// Where it lies; newer releases have merged `/lib` into `/usr/lib`.
const PLACES: [&str; 2] = ["lib/apk/db/installed", "usr/lib/apk/db/installed"];
/// It lists every file of every package.
const LIMIT: u64 = 256 << 20;

/// Reads it.
pub(crate) fn scan(scanner: &mut Scanner<'_>) -> Result<(), ScanError> {
    let Some(file) = PLACES.iter().find_map(|place| scanner.file(place)) else {
        return Ok(());
    };
    let Some(text) = scanner.text(&file, LIMIT)? else {
        return Ok(());
    };
    let packages = packages(&text, scanner);
    scanner.found(&file, packages)
}

fn packages(text: &str, scanner: &Scanner<'_>) -> Vec<Package> {
    let distro = scanner.inventory.distro.clone().unwrap_or_default();
    let namespace = if distro.id.is_empty() {
        "alpine"
    } else {
        &distro.id
    };
    let mut packages = Vec::new();
    stanza::each(text, |stanza| {
        packages.extend(package(stanza, namespace, &distro.qualifier()));
    });
    packages
}

/// Keys differ in the case of letters alone: `P` is the name, `p` what the package provides. The first of either comes first, so that
/// those that are wanted are looked for exactly.
fn package(stanza: &Stanza, namespace: &str, distro: &str) -> Option<Package> {
    let get = |key| stanza.exact(key);
    let name = tidy_some(get("P")?)?;
    let version = get("V").and_then(tidy_some).unwrap_or_default();
    let origin = get("o").and_then(tidy_some).filter(|origin| *origin != name);
    let qualifiers = [
        ("arch", get("A").unwrap_or_default()),
        ("distro", distro),
        ("upstream", origin.as_deref().unwrap_or_default()),
    ];
    let purl = Purl::new("apk", namespace, &name.to_lowercase(), &version, &qualifiers);
    Some(Package {
        licence: get("L").and_then(tidy_some),
        supplier: get("m").and_then(mailbox).map(Supplier::Person),
        checksums: get("C").and_then(checksum).into_iter().collect(),
        homepage: get("U").and_then(tidy_some),
        ..Package::new(Ecosystem::Apk, &name, &version, purl)
    })
}

/// `Q1` and base64: SHA-1; `Q2`: SHA-256; both of the package's control part.
fn checksum(text: &str) -> Option<Checksum> {
    let (kind, encoded) = match text.split_at_checked(2)? {
        ("Q1", encoded) => (ChecksumKind::Sha1, encoded),
        ("Q2", encoded) => (ChecksumKind::Sha256, encoded),
        _ => return None,
    };
    Checksum::bytes(kind, &STANDARD.decode(encoded).ok()?)
}
