//! What rpm installed: its database in SQLite's format.
//!
//! The older Berkeley DB and the ndb format are not read, and the document says so.

mod header;
mod sqlite;

use header::Header;

use crate::{
    package::{Checksum, ChecksumKind, Ecosystem, Package, Supplier, tidy, tidy_some},
    purl::Purl,
    reader::{FoundFile, ScanError, Scanner},
};

/// Where the database lies, newest first; `/var/lib/rpm` is often a link to the other.
const FOLDERS: [&str; 3] = ["usr/lib/sysimage/rpm", "var/lib/rpm", "usr/share/rpm"];
/// Databases of other formats.
const UNREAD: [(&str, &str); 2] = [("Packages", "Berkeley DB"), ("Packages.db", "ndb")];

/// Reads it.
pub(crate) fn scan(scanner: &mut Scanner<'_>) -> Result<(), ScanError> {
    for folder in FOLDERS {
        if let Some(file) = scanner.file(&format!("{folder}/rpmdb.sqlite")) {
            read(&file, scanner)?;
            let log = scanner.file(&format!("{folder}/rpmdb.sqlite-wal"));
            if let Some(log) = log.filter(|log| log.size > 0) {
                scanner.note(format!("{} was not read: packages may be missing", log.path));
            }
            return Ok(());
        }
        for (name, format) in UNREAD {
            if let Some(file) = scanner.file(&format!("{folder}/{name}")) {
                scanner.note(format!(
                    "{} was not read: it is an rpm database of the format {format}",
                    file.path
                ));
                return Ok(());
            }
        }
    }
    Ok(())
}

fn read(file: &FoundFile, scanner: &mut Scanner<'_>) -> Result<(), ScanError> {
    let mut content = scanner.open(file)?;
    let mut packages = Vec::new();
    let distro = scanner.inventory.distro.clone().unwrap_or_default();
    let read = sqlite::each_row(&mut content, "Packages", |row| {
        let found = row.blob(1).and_then(Header::parse);
        packages.extend(found.and_then(|header| package(&header, &distro.id, &distro.qualifier())));
    });
    if let Err(error) = read {
        scanner.note(format!("{} was not read to its end: {error}", file.path));
    }
    scanner.found(file, packages)
}

fn package(header: &Header<'_>, namespace: &str, distro: &str) -> Option<Package> {
    let text = |tag| header.text(tag).as_deref().and_then(tidy_some);
    let name = text(header::NAME)?;
    if name == "gpg-pubkey" {
        // A key of the database, not a package.
        return None;
    }
    let (version, release) = (text(header::VERSION)?, text(header::RELEASE).unwrap_or_default());
    let epoch = header.number(header::EPOCH).map(|epoch| epoch.to_string());
    let joined = tidy(&format!("{version}-{release}"));
    let arch = text(header::ARCH).unwrap_or_default();
    let source = text(header::SOURCE_RPM).unwrap_or_default();
    let qualifiers = [
        ("arch", &arch[..]),
        ("distro", distro),
        ("epoch", epoch.as_deref().unwrap_or_default()),
        ("upstream", &source),
    ];
    let purl = Purl::new("rpm", namespace, &name, &joined, &qualifiers);
    let shown = epoch
        .as_ref()
        .map_or(joined.clone(), |epoch| format!("{epoch}:{joined}"));
    let sums = [
        (header::SHA256_HEADER, ChecksumKind::Sha256),
        (header::SHA1_HEADER, ChecksumKind::Sha1),
    ];
    let sum = |(tag, kind)| Checksum::hex(kind, &header.text(tag)?);
    Some(Package {
        licence: text(header::LICENSE),
        supplier: text(header::VENDOR).map(Supplier::Organization),
        checksums: sums.into_iter().filter_map(sum).collect(),
        homepage: text(header::URL),
        ..Package::new(Ecosystem::Rpm, &name, &shown, purl)
    })
}
