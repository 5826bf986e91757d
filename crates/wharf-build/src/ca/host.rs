//! What this machine trusts, and what of it no distribution brought: that is what an image's own bundle lacks.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::{CaError, pem, read};

/// Merged bundles, which hold the public authorities and the added ones.
const BUNDLES: &[&str] = &[
    "etc/ssl/certs/ca-certificates.crt", // Debian, Ubuntu, Alpine, Arch
    "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "etc/ssl/ca-bundle.pem", // SUSE
    "etc/pki/tls/certs/ca-bundle.crt",
];

/// Folders into which administrators put certificates of their own.
const ADDED: &[&str] = &[
    "usr/local/share/ca-certificates",          // Debian, Ubuntu, Alpine
    "etc/pki/ca-trust/source/anchors",          // Fedora, RHEL
    "etc/pki/trust/anchors",                    // SUSE
    "etc/ca-certificates/trust-source/anchors", // Arch
];

/// Folders whose own files are the public authorities as the distribution's package has them.
const PUBLIC: &[&str] = &[
    "usr/share/ca-certificates/mozilla",      // Debian, Ubuntu, Alpine
    "usr/share/pki/ca-trust-source",          // Fedora, RHEL
    "usr/share/pki/trust",                    // SUSE
    "usr/share/ca-certificates/trust-source", // Arch
];

/// The trust store of the machine whose files lie below a directory.
pub(super) struct HostTrust(PathBuf);

impl HostTrust {
    pub(super) fn new(root: impl Into<PathBuf>) -> Self {
        Self(root.into())
    }

    /// Everything that is trusted; empty where there is no bundle.
    pub(super) fn bundle(&self) -> Result<Vec<u8>, CaError> {
        BUNDLES
            .iter()
            .map(|path| self.0.join(path))
            .find(|path| path.exists())
            .map_or(Ok(Vec::new()), read)
    }

    /// What was added to this machine: in the folders for that, or, where the public authorities are known one by one, by hand in the
    /// bundle.
    pub(super) fn added(&self) -> Result<Vec<u8>, CaError> {
        let mut added = self.certificates(ADDED, true)?;
        let public = self.certificates(PUBLIC, false)?;
        if !public.is_empty() {
            let bundle = pem::bodies(&self.bundle()?);
            added.extend(bundle.difference(&public).cloned());
        }
        Ok(pem::text(&added))
    }

    fn certificates(&self, folders: &[&str], below: bool) -> Result<BTreeSet<String>, CaError> {
        let mut all = BTreeSet::new();
        for path in folders
            .iter()
            .flat_map(|folder| files(&self.0.join(folder), below))
        {
            all.extend(pem::bodies(&read(path)?));
        }
        Ok(all)
    }
}

fn files(folder: &Path, below: bool) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        // A link to a directory may lead back; one to a file is how administrators share certificates.
        let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
        if path.is_file() {
            paths.push(path);
        } else if below && !is_link {
            paths.extend(files(&path, below));
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(body: &str) -> String {
        format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
    }

    /// Lays out `files` (path and the certificates in it) and says which count as added.
    fn check(files: &[(&str, &[&str])], expected: &[&str]) {
        let machine = wharf_testkit::Scratch::new();
        for (path, bodies) in files {
            let text: String = bodies.iter().map(|body| certificate(body)).collect();
            machine.write(path, format!("# {path}\n{text}"));
        }
        let added = HostTrust::new(machine.path())
            .added()
            .expect("all files can be read");
        assert_eq!(pem::blocks(&added), expected, "{files:?}");
    }

    const DEBIAN: &str = "etc/ssl/certs/ca-certificates.crt";
    const RHEL: &str = "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem";

    #[test]
    fn a_machine_as_it_was_installed_has_none() {
        check(&[], &[]);
        let mozilla = "usr/share/ca-certificates/mozilla/A.crt";
        check(&[(mozilla, &["AAAA"]), (DEBIAN, &["AAAA"])], &[]);
        // Alpine's ca-certificates-bundle has no single certificates: nothing to compare with.
        check(&[(DEBIAN, &["AAAA", "BBBB"])], &[]);
        let source = "usr/share/pki/ca-trust-source/ca-bundle.trust.p11-kit";
        check(&[(source, &["AAAA", "BBBB"]), (RHEL, &["AAAA"])], &[]);
    }

    #[test]
    fn folders_for_added_certificates_count() {
        for folder in ADDED {
            check(
                &[
                    (&format!("{folder}/deep/own.crt"), &["OWNN"]),
                    (DEBIAN, &["AAAA"]),
                ],
                &["OWNN"],
            );
        }
        let added = "usr/local/share/ca-certificates/README";
        check(&[(added, &[]), (DEBIAN, &["AAAA"])], &[]);
    }

    #[test]
    fn a_bundle_with_more_than_the_packages_certificates_counts() {
        let mozilla = ("usr/share/ca-certificates/mozilla/A.crt", &["AAAA"][..]);
        check(&[mozilla, (DEBIAN, &["AAAA", "OWNN"])], &["OWNN"]);
        let company = ("usr/share/ca-certificates/company/own.crt", &["OWNN"][..]);
        check(&[mozilla, company, (DEBIAN, &["AAAA", "OWNN"])], &["OWNN"]);
        let source = "usr/share/pki/ca-trust-source/ca-bundle.trust.p11-kit";
        let vendor = "usr/share/pki/ca-trust-source/anchors/vendor.pem";
        check(
            &[
                (source, &["AAAA"]),
                (vendor, &["OWNN"]),
                (RHEL, &["AAAA", "OWNN"]),
            ],
            &["OWNN"],
        );
    }
}
