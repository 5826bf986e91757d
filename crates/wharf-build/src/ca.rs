//! The machine's certificate authorities inside steps, on networks that intercept TLS.
//!
//! What is found here reaches a step as files under one synthetic directory, [`DIRECTORY`], and as variables that point
//! there. Nothing is mounted over a path that an image may own, and neither the files nor the variables are part of a key,
//! a layer or an image.

mod jks;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// Where the files lie inside a step.
pub const DIRECTORY: &str = "/run/wharf/ca";

/// Folders into which administrators put certificates of their own, by distribution.
const ADDED: &[&str] = &[
    "/usr/local/share/ca-certificates",          // Debian, Ubuntu, Alpine
    "/etc/pki/ca-trust/source/anchors",          // Fedora, RHEL
    "/etc/pki/trust/anchors",                    // SUSE
    "/etc/ca-certificates/trust-source/anchors", // Arch
];

/// Merged bundles, which hold the public authorities and the added ones.
const BUNDLES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
];

/// The bundle once more, for Java.
const KEYSTORE: &str = "truststore.jks";

/// Variables that name a file with every trusted certificate.
const BUNDLE_VARIABLES: &[&str] = &[
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    "GIT_SSL_CAINFO",
    "CARGO_HTTP_CAINFO",
    "AWS_CA_BUNDLE",
    "NIX_SSL_CERT_FILE",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
];

/// Which certificates steps get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaChoice {
    /// Those that were added to this machine, if any were: the default.
    HostIfAdded,
    /// The machine's, in any case.
    Host,
    /// None.
    None,
    /// The machine's bundle and those of a PEM file.
    File(PathBuf),
}

/// The files and variables that a step gets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StepCa {
    /// Name under [`DIRECTORY`] → content.
    pub files: BTreeMap<&'static str, Vec<u8>>,
    /// Variables, for those that the Dockerfile does not set.
    pub env: Vec<(&'static str, String)>,
}

/// The certificates could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// A file could not be read.
    #[error("{path}: cannot read certificates")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file holds no certificate.
    #[error("{0}: no PEM certificate in it")]
    NoCertificate(PathBuf),
}

impl StepCa {
    /// Reads what `choice` names.
    pub fn load(choice: &CaChoice) -> Result<Self, CaError> {
        let added = match choice {
            CaChoice::None => return Ok(Self::default()),
            CaChoice::File(path) => certificates_in(path)?,
            CaChoice::Host | CaChoice::HostIfAdded => added_to_host()?,
        };
        if added.is_empty() && *choice == CaChoice::HostIfAdded {
            return Ok(Self::default());
        }
        Ok(Self::from_parts(&host_bundle()?, &added))
    }

    /// Whether steps get nothing.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    fn from_parts(bundle: &[u8], added: &[u8]) -> Self {
        let merged = if contains(bundle, added) {
            bundle.to_vec()
        } else {
            [bundle, b"\n", added].concat()
        };
        let bundle_path = format!("{DIRECTORY}/ca-bundle.pem");
        let apt = format!("Acquire::https::CaInfo \"{bundle_path}\";\n").into_bytes();
        let mut env: Vec<_> = BUNDLE_VARIABLES
            .iter()
            .map(|name| (*name, bundle_path.clone()))
            .collect();
        env.push(("NODE_EXTRA_CA_CERTS", format!("{DIRECTORY}/added.pem")));
        env.push(("APT_CONFIG", format!("{DIRECTORY}/apt.conf")));
        env.push(("DENO_CERT", format!("{DIRECTORY}/added.pem")));
        env.push(("JAVA_TOOL_OPTIONS", java_options()));
        let added = if added.is_empty() {
            merged.clone()
        } else {
            added.to_vec()
        };
        Self {
            files: BTreeMap::from([
                (KEYSTORE, jks::from_pem(&merged)),
                ("ca-bundle.pem", merged),
                ("added.pem", added),
                ("apt.conf", apt),
            ]),
            env,
        }
    }
}

/// What makes any JVM take the keystore; it says so on standard error when it starts.
fn java_options() -> String {
    let (store, password) = (format!("{DIRECTORY}/{KEYSTORE}"), jks::PASSWORD);
    format!(
        "-Djavax.net.ssl.trustStore={store} -Djavax.net.ssl.trustStoreType=JKS -Djavax.net.ssl.trustStorePassword={password}"
    )
}

fn contains(bundle: &[u8], added: &[u8]) -> bool {
    let text = String::from_utf8_lossy(added);
    let bundle = String::from_utf8_lossy(bundle);
    text.split("-----BEGIN CERTIFICATE-----")
        .skip(1)
        .all(|certificate| {
            let body = certificate.split("-----END").next().unwrap_or_default().trim();
            bundle.contains(body)
        })
}

fn added_to_host() -> Result<Vec<u8>, CaError> {
    let mut all = Vec::new();
    for folder in ADDED {
        for path in files_below(Path::new(folder)) {
            let bytes = read(&path)?;
            if is_pem(&bytes) {
                all.extend_from_slice(&bytes);
                all.push(b'\n');
            }
        }
    }
    Ok(all)
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            paths.extend(files_below(&path));
        } else {
            paths.push(path);
        }
    }
    paths.sort();
    paths
}

fn host_bundle() -> Result<Vec<u8>, CaError> {
    BUNDLES
        .iter()
        .map(Path::new)
        .find(|path| path.exists())
        .map_or(Ok(Vec::new()), read)
}

fn certificates_in(path: &Path) -> Result<Vec<u8>, CaError> {
    let bytes = read(path)?;
    if is_pem(&bytes) {
        Ok(bytes)
    } else {
        Err(CaError::NoCertificate(path.to_owned()))
    }
}

fn is_pem(bytes: &[u8]) -> bool {
    bytes
        .windows(27)
        .any(|window| window == b"-----BEGIN CERTIFICATE-----")
}

fn read(path: impl AsRef<Path>) -> Result<Vec<u8>, CaError> {
    let path = path.as_ref();
    fs::read(path).map_err(|source| CaError::Read {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC: &[u8] = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    const OWN: &[u8] = b"-----BEGIN CERTIFICATE-----\nBBBB\n-----END CERTIFICATE-----\n";

    #[test]
    fn an_added_certificate_is_in_the_bundle_once() {
        let once = StepCa::from_parts(PUBLIC, OWN);
        assert_eq!(once.files["ca-bundle.pem"], [PUBLIC, b"\n", OWN].concat());
        let merged_already = [PUBLIC, OWN].concat();
        assert_eq!(
            StepCa::from_parts(&merged_already, OWN).files["ca-bundle.pem"],
            merged_already
        );
    }

    #[test]
    fn every_variable_points_into_the_directory() {
        let ca = StepCa::from_parts(PUBLIC, OWN);
        for (name, path) in &ca.env {
            let file = path
                .split(['=', ' '])
                .find_map(|word| word.strip_prefix(DIRECTORY));
            assert!(
                file.is_some_and(|file| ca.files.contains_key(file.trim_start_matches('/'))),
                "{name}={path}"
            );
        }
    }
}
