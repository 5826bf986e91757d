//! What pip installed: `*.dist-info/METADATA`, `*.egg-info/PKG-INFO` and `*.egg-info` files.
//!
//! Python packaging, "Core metadata specifications".

use crate::{
    package::{Ecosystem, Package, Supplier, mailbox, tidy, tidy_some},
    purl::Purl,
    reader::{FoundFile, ScanError, Scanner},
    stanza::{self, Stanza},
};

/// The metadata holds the project's description.
const LIMIT: u64 = 16 << 20;

/// Whether a file of this name in a folder of that name is a project's metadata.
pub(crate) fn is_metadata(folder: &[u8], name: &[u8]) -> bool {
    folder.ends_with(b".dist-info") && name == b"METADATA"
        || folder.ends_with(b".egg-info") && name == b"PKG-INFO"
        || name.ends_with(b".egg-info")
}

/// Reads one.
pub(crate) fn read(file: &FoundFile, scanner: &mut Scanner<'_>) -> Result<(), ScanError> {
    let Some(text) = scanner.text(file, LIMIT)? else {
        return Ok(());
    };
    let packages = package(&stanza::first(&text)).into_iter().collect();
    scanner.found(file, packages)
}

fn package(metadata: &Stanza) -> Option<Package> {
    let name = tidy_some(metadata.get("Name")?)?;
    let version = tidy(metadata.get("Version").unwrap_or_default());
    let purl = Purl::new("pypi", "", &name.to_lowercase().replace('_', "-"), &version, &[]);
    Some(Package {
        licence: licence(metadata),
        supplier: author(metadata).map(Supplier::Person),
        homepage: homepage(metadata),
        ..Package::new(Ecosystem::Pypi, &name, &version, purl)
    })
}

/// The expression of newer metadata; else the text, unless it is the whole licence; else what the classifiers say.
fn licence(metadata: &Stanza) -> Option<String> {
    let short = |text: &&str| !text.contains('\n') && !text.eq_ignore_ascii_case("unknown");
    let told = metadata.get("License-Expression");
    let told = told.or_else(|| metadata.get("License").filter(short));
    told.and_then(tidy_some).or_else(|| {
        let classified = metadata
            .all("Classifier")
            .filter_map(|text| text.trim().strip_prefix("License ::"))
            .filter_map(|text| tidy_some(text.rsplit("::").next()?))
            .filter(|text| text != "OSI Approved");
        let names: Vec<_> = classified.collect();
        (!names.is_empty()).then(|| names.join(" AND "))
    })
}

fn author(metadata: &Stanza) -> Option<String> {
    for (name, mail) in [("Author", "Author-email"), ("Maintainer", "Maintainer-email")] {
        let known = |field| {
            metadata
                .get(field)
                .filter(|text| !text.eq_ignore_ascii_case("unknown"))
        };
        let (name, mail) = (known(name).and_then(tidy_some), known(mail).and_then(tidy_some));
        match (name, mail) {
            (Some(name), Some(mail)) if !mail.contains(['<', ',']) => {
                return Some(format!("{name} ({mail})"));
            }
            (Some(name), _) => return Some(name),
            (None, Some(mail)) => return mailbox(mail.split(',').next().unwrap_or_default()),
            (None, None) => {}
        }
    }
    None
}

fn homepage(metadata: &Stanza) -> Option<String> {
    let link = |text: &str| {
        let (label, url) = text.split_once(',')?;
        label
            .trim()
            .eq_ignore_ascii_case("homepage")
            .then(|| url.to_owned())
    };
    let told = metadata.get("Home-page").filter(|text| text.starts_with("http"));
    told.map(str::to_owned)
        .or_else(|| metadata.all("Project-URL").find_map(link))
        .and_then(|text| tidy_some(&text))
}
