//! The machine's certificate authorities inside steps, on networks that intercept TLS.
//!
//! What is found here reaches a step as files under one synthetic directory, [`DIRECTORY`], and as variables that point
//! there. Nothing is mounted over a path that an image may own, and neither the files nor the variables are part of a key,
//! a layer or an image.

mod host;
mod jks;
mod pem;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use host::HostTrust;

/// Where the files lie inside a step.
pub const DIRECTORY: &str = "/run/wharf/ca";

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
    "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
    "HTTPLIB2_CA_CERTS",
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

/// What steps get, found out when the first one runs: a build that runs none does not read hundreds of certificates.
#[derive(Debug, Clone)]
pub struct Certificates {
    choice: CaChoice,
    loaded: Arc<OnceLock<Result<StepCa, Arc<CaError>>>>,
}

impl Default for Certificates {
    fn default() -> Self {
        Self::new(CaChoice::None)
    }
}

impl Certificates {
    /// Those of `choice`.
    pub fn new(choice: CaChoice) -> Self {
        Self {
            choice,
            loaded: Arc::default(),
        }
    }

    /// Whether the file of `choice` can be used: better known before the first step.
    pub fn check(&self) -> Result<(), CaError> {
        match &self.choice {
            CaChoice::File(path) => certificates_in(path).map(drop),
            CaChoice::HostIfAdded | CaChoice::Host | CaChoice::None => Ok(()),
        }
    }

    /// What a step gets.
    pub fn get(&self) -> Result<&StepCa, Arc<CaError>> {
        let loaded = self
            .loaded
            .get_or_init(|| StepCa::load(&self.choice).map_err(Arc::new));
        loaded.as_ref().map_err(Arc::clone)
    }
}

/// The files and variables that a step gets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StepCa {
    /// Name under [`DIRECTORY`] → content.
    pub files: BTreeMap<&'static str, Arc<[u8]>>,
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
        let host = HostTrust::new("/");
        let added = match choice {
            CaChoice::None => return Ok(Self::default()),
            CaChoice::File(path) => certificates_in(path)?,
            CaChoice::Host | CaChoice::HostIfAdded => host.added()?,
        };
        if added.is_empty() && *choice == CaChoice::HostIfAdded {
            return Ok(Self::default());
        }
        Ok(Self::from_parts(&host.bundle()?, &added))
    }

    /// Whether steps get nothing.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    fn from_parts(bundle: &[u8], added: &[u8]) -> Self {
        let merged: Arc<[u8]> = if contains(bundle, added) {
            bundle.into()
        } else {
            [bundle, b"\n", added].concat().into()
        };
        let bundle_path = format!("{DIRECTORY}/ca-bundle.pem");
        // Debian's wget asks GnuTLS, which knows no variable.
        let wget = format!("ca_certificate = {bundle_path}\n").into_bytes();
        let apt = format!("Acquire::https::CaInfo \"{bundle_path}\";\n").into_bytes();
        let mut env: Vec<_> = BUNDLE_VARIABLES
            .iter()
            .map(|name| (*name, bundle_path.clone()))
            .collect();
        env.push(("NODE_EXTRA_CA_CERTS", format!("{DIRECTORY}/added.pem")));
        env.push(("APT_CONFIG", format!("{DIRECTORY}/apt.conf")));
        env.push(("WGETRC", format!("{DIRECTORY}/wgetrc")));
        env.push(("DENO_CERT", format!("{DIRECTORY}/added.pem")));
        env.push(("JAVA_TOOL_OPTIONS", java_options()));
        let added = if added.is_empty() {
            merged.clone()
        } else {
            added.into()
        };
        Self {
            files: BTreeMap::from([
                (KEYSTORE, jks::from_pem(&merged).into()),
                ("ca-bundle.pem", merged),
                ("added.pem", added),
                ("apt.conf", apt.into()),
                ("wgetrc", wget.into()),
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
    let known = pem::bodies(bundle);
    pem::bodies(added).is_subset(&known)
}

fn certificates_in(path: &Path) -> Result<Vec<u8>, CaError> {
    let bytes = read(path)?;
    if pem::bodies(&bytes).is_empty() {
        Err(CaError::NoCertificate(path.to_owned()))
    } else {
        Ok(bytes)
    }
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
        assert_eq!(*once.files["ca-bundle.pem"], [PUBLIC, b"\n", OWN].concat());
        let merged_already = [PUBLIC, OWN].concat();
        assert_eq!(
            *StepCa::from_parts(&merged_already, OWN).files["ca-bundle.pem"],
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
