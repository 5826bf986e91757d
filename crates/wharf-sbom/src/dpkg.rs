//! What dpkg installed: `/var/lib/dpkg/status`, and `status.d` of images that were made without dpkg.
//!
//! deb-control(5), dpkg(1) "Package states".

use wharf_tree::{FollowLast, TreePath};

use crate::{
    copyright,
    package::{Ecosystem, Package, Supplier, mailbox, tidy, tidy_some},
    purl::Purl,
    reader::{FoundFile, ScanError, Scanner},
    stanza::{self, Stanza},
};

/// Debian's whole archive makes a status file of this size.
const STATUS_LIMIT: u64 = 256 << 20;
/// The longest copyright files, of kernels and browsers, are below this.
const COPYRIGHT_LIMIT: u64 = 8 << 20;

/// Reads both.
pub(crate) fn scan(scanner: &mut Scanner<'_>) -> Result<(), ScanError> {
    let files: Vec<_> = scanner
        .file("var/lib/dpkg/status")
        .into_iter()
        .chain(status_folder(scanner))
        .collect();
    for file in files {
        let Some(text) = scanner.text(&file, STATUS_LIMIT)? else {
            continue;
        };
        let mut packages = packages(&text, scanner);
        for package in &mut packages {
            licence(package, scanner)?;
        }
        scanner.found(&file, packages)?;
    }
    Ok(())
}

/// The files of `status.d`, but for the lists of sums beside them.
fn status_folder(scanner: &Scanner<'_>) -> Vec<FoundFile> {
    let Ok(found) = scanner.tree.lookup("var/lib/dpkg/status.d", FollowLast::Yes) else {
        return Vec::new();
    };
    let Some(folder) = found.entry.node.as_dir() else {
        return Vec::new();
    };
    let is_status = |path: &TreePath| !path.as_bytes().ends_with(b".md5sums");
    folder
        .entries()
        .iter()
        .map(|(name, entry)| (found.path.join(name), entry))
        .filter(|(path, _)| is_status(path))
        .filter_map(|(path, entry)| FoundFile::of(&path, entry))
        .collect()
}

fn packages(text: &str, scanner: &Scanner<'_>) -> Vec<Package> {
    let distro = scanner.inventory.distro.clone().unwrap_or_default();
    let namespace = if distro.id.is_empty() {
        "debian"
    } else {
        &distro.id
    };
    let mut packages = Vec::new();
    stanza::each(text, |stanza| {
        if is_installed(stanza) {
            packages.extend(package(stanza, namespace, &distro.qualifier()));
        }
    });
    packages
}

/// A stanza of `status.d` has no state. Packages whose configuration files alone are left are not installed.
fn is_installed(stanza: &Stanza) -> bool {
    let state = stanza
        .get("Status")
        .map(|status| status.split_whitespace().nth(2).unwrap_or_default());
    !matches!(state, Some("config-files" | "not-installed"))
}

fn package(stanza: &Stanza, namespace: &str, distro: &str) -> Option<Package> {
    let name = tidy_some(stanza.get("Package")?)?;
    let version = tidy(stanza.get("Version").unwrap_or_default());
    let arch = tidy(stanza.get("Architecture").unwrap_or_default());
    let source = stanza.get("Source").map(|source| upstream(source, &version));
    let qualifiers = [
        ("arch", &arch[..]),
        ("distro", distro),
        ("upstream", source.as_deref().unwrap_or_default()),
    ];
    let purl = Purl::new("deb", namespace, &name.to_lowercase(), &version, &qualifiers);
    Some(Package {
        supplier: stanza.get("Maintainer").and_then(mailbox).map(Supplier::Person),
        homepage: stanza.get("Homepage").and_then(tidy_some),
        ..Package::new(Ecosystem::Deb, &name, &version, purl)
    })
}

/// `Source: name (version)` as the `upstream` qualifier: `name@version`, the version only if it is another one.
fn upstream(source: &str, version: &str) -> String {
    let (name, own) = source.split_once('(').unwrap_or((source, ""));
    let own = own.trim_end().trim_end_matches(')').trim();
    if own.is_empty() || own == version {
        tidy(name)
    } else {
        format!("{}@{}", tidy(name), tidy(own))
    }
}

/// dpkg's database has no licences: they are in `/usr/share/doc/<package>/copyright`.
fn licence(package: &mut Package, scanner: &mut Scanner<'_>) -> Result<(), ScanError> {
    let path = format!("usr/share/doc/{}/copyright", package.name);
    let Some(file) = scanner.file(&path) else {
        return Ok(());
    };
    let Some(text) = scanner.text(&file, COPYRIGHT_LIMIT)? else {
        return Ok(());
    };
    if let Some(licence) = copyright::licence(&text) {
        package.licence = Some(licence);
        package.found_in.push(file.path.clone());
        scanner.evidence(&file)?;
    }
    Ok(())
}
