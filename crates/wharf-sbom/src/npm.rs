//! What npm and its like installed: `node_modules/**/package.json`.
//!
//! npm's documentation, "package.json".

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use crate::{
    package::{Checksum, ChecksumKind, Ecosystem, Package, Supplier, mailbox, tidy, tidy_some},
    purl::Purl,
    reader::{FoundFile, ScanError, Scanner},
};

const LIMIT: u64 = 4 << 20;

/// Whether the file at this path is the manifest of an installed package: `node_modules/a/package.json` or
/// `node_modules/@scope/a/package.json`.
pub(crate) fn is_manifest(path: &[u8]) -> bool {
    let mut parts = path.rsplit(|byte| *byte == b'/');
    let (file, _name) = (parts.next(), parts.next());
    let (above, top) = (parts.next(), parts.next());
    file == Some(b"package.json")
        && (above == Some(b"node_modules")
            || above.is_some_and(|above| above.starts_with(b"@")) && top == Some(b"node_modules"))
}

/// Reads one.
pub(crate) fn read(file: &FoundFile, scanner: &mut Scanner<'_>) -> Result<(), ScanError> {
    let Some(bytes) = scanner.bytes(file, LIMIT)? else {
        return Ok(());
    };
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let Ok(manifest) = serde_json::from_slice::<Value>(bytes) else {
        scanner.note(format!("{} was not read: it is not JSON", file.path));
        return Ok(());
    };
    let packages = package(&manifest).into_iter().collect();
    scanner.found(file, packages)
}

fn package(manifest: &Value) -> Option<Package> {
    let text = |key: &str| manifest.get(key).and_then(Value::as_str);
    let name = tidy_some(text("name")?)?;
    let version = tidy(text("version")?);
    let (scope, own) = name.split_once('/').unwrap_or(("", &name));
    let purl = Purl::new("npm", scope, own, &version, &[]);
    Some(Package {
        licence: licence(manifest),
        supplier: manifest.get("author").and_then(person).map(Supplier::Person),
        checksums: text("_integrity").and_then(integrity).into_iter().collect(),
        homepage: text("homepage").and_then(tidy_some),
        ..Package::new(Ecosystem::Npm, &name, &version, purl)
    })
}

/// `"MIT"`, or the older `{"type": "MIT"}` and a list of such in `licenses`.
fn licence(manifest: &Value) -> Option<String> {
    let one = |value: &Value| {
        let kind = value.get("type").unwrap_or(value);
        kind.as_str().and_then(tidy_some)
    };
    if let Some(licence) = manifest.get("license").and_then(one) {
        return Some(licence);
    }
    let all = manifest.get("licenses")?.as_array()?;
    let names: Vec<_> = all.iter().filter_map(one).collect();
    (!names.is_empty()).then(|| names.join(" OR "))
}

/// `Name <mail> (page)` or its parts.
fn person(author: &Value) -> Option<String> {
    if let Some(text) = author.as_str() {
        return mailbox(text.split('(').next().unwrap_or_default());
    }
    let text = |key: &str| author.get(key).and_then(Value::as_str).and_then(tidy_some);
    match (text("name")?, text("email")) {
        (name, Some(mail)) => Some(format!("{name} ({mail})")),
        (name, None) => Some(name),
    }
}

/// Subresource integrity: `sha512-` and base64.
fn integrity(text: &str) -> Option<Checksum> {
    let (kind, encoded) = match text.split_once('-')? {
        ("sha1", encoded) => (ChecksumKind::Sha1, encoded),
        ("sha256", encoded) => (ChecksumKind::Sha256, encoded),
        ("sha512", encoded) => (ChecksumKind::Sha512, encoded),
        _ => return None,
    };
    Checksum::bytes(kind, &STANDARD.decode(encoded.trim()).ok()?)
}
