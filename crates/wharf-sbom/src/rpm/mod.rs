//! What rpm installed: its database, in whichever format it is.

mod berkeley_db;
mod database;
mod header;
mod ndb;
mod sqlite;

use database::{FILES, Format};
use header::Header;

use crate::{
    package::{Checksum, ChecksumKind, Ecosystem, Package, Supplier, tidy, tidy_some},
    purl::Purl,
    reader::{Content, FoundFile, ScanError, Scanner, failed},
};

/// Where the database lies, newest first; `/var/lib/rpm` is often a link to the other.
const FOLDERS: [&str; 3] = ["usr/lib/sysimage/rpm", "var/lib/rpm", "usr/share/rpm"];

/// Reads the first that is one.
pub(crate) fn scan(scanner: &mut Scanner<'_>) -> Result<(), ScanError> {
    let places = FOLDERS
        .iter()
        .flat_map(|folder| FILES.map(|name| format!("{folder}/{name}")));
    for place in places {
        let Some(file) = scanner.file(&place) else {
            continue;
        };
        let mut content = scanner.open(&file)?;
        let format = Format::of(&mut *content).map_err(|source| failed(&file, source))?;
        if let Some(format) = format {
            return read(&file, format, &mut *content, scanner);
        }
        scanner.note(format!(
            "{} was not read: it is not a database of rpm's (SQLite, ndb, Berkeley DB)",
            file.path
        ));
    }
    Ok(())
}

fn read(
    file: &FoundFile,
    format: Format,
    content: &mut dyn Content,
    scanner: &mut Scanner<'_>,
) -> Result<(), ScanError> {
    let mut packages = Vec::new();
    let distro = scanner.inventory.distro.clone().unwrap_or_default();
    let read = format.each_header(content, &mut |bytes| {
        let header = Header::parse(bytes);
        packages.extend(header.and_then(|header| package(&header, &distro.id, &distro.qualifier())));
    });
    if let Err(error) = read {
        scanner.note(format!("{} was not read to its end: {error}", file.path));
    }
    scanner.found(file, packages)?;
    // What SQLite wrote last may not have come into the database itself yet.
    let log = scanner.file(&format!("{}-wal", file.path));
    if let Some(log) = log.filter(|log| format == Format::Sqlite && log.size > 0) {
        scanner.note(format!("{} was not read: packages may be missing", log.path));
    }
    Ok(())
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

#[cfg(test)]
mod tests;
