//! An inventory as an SPDX document.
//!
//! The Software Package Data Exchange specification 2.3, JSON form. The document is about one package, the root filesystem, which
//! contains all others; the files in which those were found are its files.

use serde_json::{Map, Value, json};
use wharf_oci::Digest;

use crate::{
    distro::Distro,
    licence::Others,
    package::{Checksum, FileSums, Inventory, Package, Supplier},
};

/// The in-toto predicate type of such a document.
pub const PREDICATE_TYPE: &str = "https://spdx.dev/Document";

/// What a document says besides what was found.
pub struct About<'a> {
    /// What it is about, for people.
    pub name: &'a str,
    /// Digest of the tree.
    pub tree: Digest,
    /// When: RFC 3339 in UTC, whole seconds.
    pub created: &'a str,
    /// The tool and its version: `wharf-0.1.0`.
    pub tool: &'a str,
    /// The layer blob that a file came with, where there are layers.
    pub layer_of: &'a dyn Fn(&str) -> Option<Digest>,
}

const NOTHING_SAID: &str = "NOASSERTION";
const ROOT: &str = "SPDXRef-Root";
const SYSTEM: &str = "SPDXRef-OperatingSystem";

/// The document. Equal inventories and words about them give equal documents.
pub fn document(inventory: &Inventory, about: &About<'_>) -> Value {
    let mut others = Others::default();
    let mut packages = vec![root(about)];
    let mut relations = vec![related("SPDXRef-DOCUMENT", "DESCRIBES", ROOT)];
    if let Some(distro) = &inventory.distro {
        packages.push(system(distro));
        relations.push(related(ROOT, "CONTAINS", SYSTEM));
    }
    for package in &inventory.packages {
        let id = package_id(package);
        relations.push(related(ROOT, "CONTAINS", &id));
        relations.extend(package.found_in.iter().map(|path| evident(&id, path)));
        packages.push(described(package, &id, &mut others));
    }
    let files: Vec<_> = inventory
        .files
        .iter()
        .map(|(path, sums)| file(path, sums, about))
        .collect();
    let mut document = json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": about.name,
        "documentNamespace": namespace(about),
        "creationInfo": {"created": about.created, "creators": [format!("Tool: {}", about.tool)]},
        "packages": packages,
        "files": files,
        "relationships": relations,
    });
    let texts = others.into_texts();
    if !texts.is_empty() {
        let texts = texts
            .iter()
            .map(|(id, text)| json!({"licenseId": id, "extractedText": text}));
        document["hasExtractedLicensingInfos"] = texts.collect();
    }
    if !inventory.notes.is_empty() {
        document["comment"] = inventory.notes.join("\n").into();
    }
    document
}

/// Unique for what the document says, as the specification wants it, and the same for the same.
fn namespace(about: &About<'_>) -> String {
    let words = [about.name, about.created, about.tool].join("\n");
    let digest = Digest::of(format!("{words}\n{}", about.tree).as_bytes());
    format!("https://github.com/wharf-build/wharf/spdx/{}", digest.hex())
}

fn root(about: &About<'_>) -> Value {
    json!({
        "SPDXID": ROOT,
        "name": about.name,
        "versionInfo": about.tree,
        "primaryPackagePurpose": "CONTAINER",
        "downloadLocation": NOTHING_SAID,
        "filesAnalyzed": false,
        "licenseConcluded": NOTHING_SAID,
        "licenseDeclared": NOTHING_SAID,
        "copyrightText": NOTHING_SAID,
        "comment": "the version is the digest of the root filesystem's tree",
    })
}

fn system(distro: &Distro) -> Value {
    let mut system = json!({
        "SPDXID": SYSTEM,
        "name": distro.id,
        "primaryPackagePurpose": "OPERATING-SYSTEM",
        "downloadLocation": NOTHING_SAID,
        "filesAnalyzed": false,
        "licenseConcluded": NOTHING_SAID,
        "licenseDeclared": NOTHING_SAID,
        "copyrightText": NOTHING_SAID,
    });
    for (key, value) in [("versionInfo", &distro.version), ("description", &distro.name)] {
        if !value.is_empty() {
            system[key] = value.clone().into();
        }
    }
    system
}

fn described(package: &Package, id: &str, others: &mut Others) -> Value {
    let declared = package.licence.as_deref();
    let declared = declared.map_or_else(|| NOTHING_SAID.to_owned(), |text| others.expression(text));
    let supplier = match &package.supplier {
        Some(Supplier::Person(name)) => format!("Person: {name}"),
        Some(Supplier::Organization(name)) => format!("Organization: {name}"),
        None => NOTHING_SAID.to_owned(),
    };
    let mut described = json!({
        "SPDXID": id,
        "name": package.name,
        "supplier": supplier,
        "downloadLocation": NOTHING_SAID,
        "filesAnalyzed": false,
        "licenseConcluded": NOTHING_SAID,
        "licenseDeclared": declared,
        "copyrightText": NOTHING_SAID,
        "externalRefs": [{
            "referenceCategory": "PACKAGE-MANAGER",
            "referenceType": "purl",
            "referenceLocator": package.purl,
        }],
    });
    let fields = described.as_object_mut().expect("it was made as an object");
    let mut set = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            fields.insert(key.to_owned(), value);
        }
    };
    let sums = || package.checksums.iter().map(checksum).collect::<Value>();
    set(
        "versionInfo",
        (!package.version.is_empty()).then(|| package.version.clone().into()),
    );
    set("checksums", (!package.checksums.is_empty()).then(sums));
    set(
        "homepage",
        package
            .homepage
            .as_deref()
            .filter(|url| is_url(url))
            .map(Into::into),
    );
    set("comment", package.comment.clone().map(Into::into));
    set("sourceInfo", Some(source_info(package).into()));
    described
}

fn source_info(package: &Package) -> String {
    let paths: Vec<_> = package.found_in.iter().map(|path| format!("/{path}")).collect();
    format!("found in {}", paths.join(", "))
}

fn is_url(text: &str) -> bool {
    let known = ["http://", "https://"]
        .iter()
        .any(|scheme| text.starts_with(scheme));
    let allowed =
        |c: char| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '"' | '{' | '}' | '|' | '\\' | '^' | '`');
    known && text.chars().all(allowed)
}

fn file(path: &str, sums: &FileSums, about: &About<'_>) -> Value {
    let mut fields = Map::new();
    fields.insert("SPDXID".into(), file_id(path).into());
    fields.insert("fileName".into(), format!("./{path}").into());
    let sums = json!([
        {"algorithm": "SHA1", "checksumValue": sums.sha1},
        {"algorithm": "SHA256", "checksumValue": sums.sha256.hex()},
    ]);
    fields.insert("checksums".into(), sums);
    fields.insert("licenseConcluded".into(), NOTHING_SAID.into());
    fields.insert("copyrightText".into(), NOTHING_SAID.into());
    if let Some(layer) = (about.layer_of)(path) {
        fields.insert("comment".into(), format!("layerID: {layer}").into());
    }
    fields.into()
}

fn checksum(sum: &Checksum) -> Value {
    json!({"algorithm": sum.kind, "checksumValue": sum.hex})
}

fn related(from: &str, how: &str, to: &str) -> Value {
    json!({"spdxElementId": from, "relationshipType": how, "relatedSpdxElement": to})
}

fn evident(package: &str, path: &str) -> Value {
    let mut relation = related(package, "OTHER", &file_id(path));
    relation["comment"] = "the package was found by what this file says".into();
    relation
}

fn package_id(package: &Package) -> String {
    let ecosystem = serde_json::to_value(package.ecosystem).unwrap_or_default();
    let ecosystem = ecosystem.as_str().unwrap_or_default().to_owned();
    let words = [&package.name[..], &package.version, package.purl.as_str()].join("\n");
    id("Package", &format!("{ecosystem}-{}", package.name), &words)
}

fn file_id(path: &str) -> String {
    id("File", path.rsplit('/').next().unwrap_or_default(), path)
}

/// `SPDXRef-` and what is allowed there; a hash of the whole keeps two apart whose words look alike.
fn id(kind: &str, shown: &str, whole: &str) -> String {
    let allowed = |c: char| {
        if c.is_ascii_alphanumeric() || c == '.' {
            c
        } else {
            '-'
        }
    };
    let shown: String = shown.chars().take(48).map(allowed).collect();
    let hash = Digest::of(whole.as_bytes()).hex();
    format!("SPDXRef-{kind}-{}-{}", shown.trim_matches('-'), &hash[..16])
}
