//! Whom TLS trusts: the machine's CA store, CAs of the caller, and the certificate shown to servers that ask for one.
//!
//! The store is read from disk once, at the first use by any client that shares it. TLS is rustls on ring.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use rustls::{
    ClientConfig, RootCertStore,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};

/// Whom TLS trusts, and how a client shows who it is.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// The machine's own store.
    pub system: SystemRoots,
    /// Further CA certificates: PEM texts of one or more certificates each.
    pub extra_pem: Vec<Vec<u8>>,
    /// The client's certificate.
    pub identity: Option<Identity>,
    /// Whether the server's certificate counts at all.
    pub verify: Verify,
}

/// Whether the server's certificate is verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verify {
    /// It must be valid, for the host, and from a trusted CA.
    #[default]
    Certificate,
    /// Anything goes: for registries that the user's settings call insecure.
    Nothing,
}

/// A client's certificate and its key, PEM texts.
#[derive(Clone)]
pub struct Identity {
    /// The certificate, then its intermediates.
    pub certificate: Vec<u8>,
    /// The private key: PKCS #8, PKCS #1 or SEC 1.
    pub key: Vec<u8>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(…)")
    }
}

/// Why TLS could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// A CA file or folder cannot be read, or holds no certificate.
    #[error("the CA certificates of {} cannot be read", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Nothing is trusted: the machine has no CA store at a known place, and none was given.
    #[error("no CA certificates are installed on this machine")]
    NoRoots,
    /// A text that should hold certificates does not.
    #[error("an additional CA is not a PEM certificate")]
    BadCa(#[source] io::Error),
    /// The client's certificate or key cannot be used.
    #[error("the client certificate cannot be used")]
    BadIdentity(#[source] io::Error),
}

/// Where distributions keep the bundle of all trusted CAs: Debian and most others, Fedora, openSUSE, Alpine.
const BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The CA certificates of this machine, read when they are first needed. Clones share what was read.
#[derive(Clone, Debug)]
pub struct SystemRoots(Arc<Place>);

#[derive(Debug)]
struct Place {
    bundle: Bundle,
    read: OnceLock<Vec<CertificateDer<'static>>>,
}

#[derive(Debug)]
enum Bundle {
    Machine,
    Given {
        file: Option<PathBuf>,
        dir: Option<PathBuf>,
    },
}

impl Default for SystemRoots {
    fn default() -> Self {
        Self::machine()
    }
}

impl SystemRoots {
    /// The bundle at the distribution's place.
    pub fn machine() -> Self {
        Self::new(Bundle::Machine)
    }

    /// A bundle, a folder of certificates, or both, instead (what `SSL_CERT_FILE` and `SSL_CERT_DIR` name).
    pub fn at(file: Option<PathBuf>, dir: Option<PathBuf>) -> Self {
        Self::new(Bundle::Given { file, dir })
    }

    /// No CA at all: only those given as [`Trust::extra_pem`] count.
    pub fn none() -> Self {
        Self::at(None, None)
    }

    fn new(bundle: Bundle) -> Self {
        Self(Arc::new(Place {
            bundle,
            read: OnceLock::new(),
        }))
    }

    fn certificates(&self) -> Result<&[CertificateDer<'static>], TrustError> {
        if let Some(read) = self.0.read.get() {
            return Ok(read);
        }
        let certificates = match &self.0.bundle {
            Bundle::Machine => match BUNDLES.iter().map(Path::new).find(|path| path.exists()) {
                Some(bundle) => load(Some(bundle), None)?,
                None => Vec::new(),
            },
            Bundle::Given { file, dir } => load(file.as_deref(), dir.as_deref())?,
        };
        Ok(self.0.read.get_or_init(|| certificates))
    }
}

/// What could be read of `file` and `dir`. Unreadable single certificates are left out, as every TLS library does;
/// nothing at all is an error.
fn load(file: Option<&Path>, dir: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let loaded = rustls_native_certs::load_certs_from_paths(file, dir);
    match (loaded.errors.into_iter().next(), file.or(dir)) {
        (Some(error), Some(path)) if loaded.certs.is_empty() => Err(TrustError::Read {
            path: path.to_owned(),
            source: io::Error::other(error),
        }),
        _ => Ok(loaded.certs),
    }
}

impl Trust {
    /// The TLS configuration of a client, and whether it trusts anybody.
    pub(crate) fn config(&self) -> Result<(ClientConfig, bool), TrustError> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("ring has cipher suites for TLS 1.2 and 1.3");
        let (builder, trusts) = match self.verify {
            Verify::Nothing => {
                let anything = Arc::new(Anything(provider));
                (
                    builder.dangerous().with_custom_certificate_verifier(anything),
                    true,
                )
            }
            Verify::Certificate => {
                let roots = self.roots()?;
                let trusts = !roots.is_empty();
                (builder.with_root_certificates(roots), trusts)
            }
        };
        let config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let (chain, key) = identity.parse()?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| TrustError::BadIdentity(io::Error::other(error)))?
            }
        };
        Ok((with_protocols(config), trusts))
    }

    fn roots(&self) -> Result<RootCertStore, TrustError> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(self.system.certificates()?.iter().cloned());
        for pem in &self.extra_pem {
            for certificate in certificates(pem).map_err(TrustError::BadCa)? {
                roots
                    .add(certificate)
                    .map_err(|error| TrustError::BadCa(io::Error::other(error)))?;
            }
        }
        Ok(roots)
    }
}

/// ALPN: HTTP/2 where the server speaks it.
fn with_protocols(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

/// All certificates of a PEM text; none is an error.
fn certificates(pem: &[u8]) -> io::Result<Vec<CertificateDer<'static>>> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(certificates) if certificates.is_empty() => {
            Err(io::Error::new(io::ErrorKind::InvalidData, "no certificate found"))
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
    }
}

impl Identity {
    fn parse(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TrustError> {
        let chain = certificates(&self.certificate).map_err(TrustError::BadIdentity)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|error| TrustError::BadIdentity(io::Error::new(io::ErrorKind::InvalidData, error)))?;
        Ok((chain, key))
    }
}

/// Accepts every certificate. The handshake's signatures are still checked: a broken peer is told apart.
#[derive(Debug)]
struct Anything(Arc<CryptoProvider>);

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_bundle_is_named() {
        let roots = SystemRoots::at(Some("/nowhere/bundle.pem".into()), None);
        let error = roots.certificates().unwrap_err();
        assert_eq!(
            error.to_string(),
            "the CA certificates of /nowhere/bundle.pem cannot be read"
        );
    }

    #[test]
    fn texts_without_certificates_are_errors() {
        let bad_ca = Trust {
            system: SystemRoots::none(),
            extra_pem: vec![b"hello".to_vec()],
            ..Trust::default()
        };
        assert!(matches!(bad_ca.config(), Err(TrustError::BadCa(_))));
        let bad_identity = Trust {
            system: SystemRoots::none(),
            identity: Some(Identity {
                certificate: Vec::new(),
                key: Vec::new(),
            }),
            ..Trust::default()
        };
        assert!(matches!(bad_identity.config(), Err(TrustError::BadIdentity(_))));
    }

    #[test]
    fn an_empty_store_trusts_nobody() {
        let empty = Trust {
            system: SystemRoots::none(),
            ..Trust::default()
        };
        let insecure = Trust {
            verify: Verify::Nothing,
            ..empty.clone()
        };
        assert!(!empty.config().unwrap().1);
        assert!(insecure.config().unwrap().1);
    }
}
