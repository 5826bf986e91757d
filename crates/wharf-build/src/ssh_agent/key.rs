//! Private keys out of files, and signatures with them.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use rsa::{
    BigUint, RsaPrivateKey,
    pkcs1::DecodeRsaPrivateKey as _,
    pkcs1v15::SigningKey,
    pkcs8::{AssociatedOid, DecodePrivateKey as _},
    rand_core::OsRng,
    sha2::{Digest, Sha256, Sha512},
    signature::{RandomizedSigner as _, SignatureEncoding as _, Signer as _},
};
use ssh_key::{
    Algorithm, HashAlg, Mpint, PrivateKey, PublicKey, Signature,
    private::{KeypairData, RsaKeypair},
    public::{KeyData, RsaPublicKey},
};

use super::short_number;

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// A key without a passphrase.
pub(super) struct Key {
    public: Vec<u8>,
    private: Private,
}

enum Private {
    Rsa(Box<RsaPrivateKey>),
    Elliptic(Box<KeypairData>),
}

/// The hash that an RSA signature is asked for with; other keys have their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha512,
}

/// A private key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SshKeyError {
    /// The file cannot be read.
    #[error("cannot read the SSH key {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The key has a passphrase, and nobody can be asked for it.
    #[error("the SSH key {0} is encrypted")]
    Encrypted(PathBuf),
    /// The file is a public key.
    #[error("{0} is a public SSH key")]
    Public(PathBuf),
    /// The file is no private key that can be read.
    #[error("{path} is no private SSH key in a known format")]
    Format {
        /// The file.
        path: PathBuf,
        /// Why; never what is in it.
        source: AnyError,
    },
    /// The key is of a kind that nothing here signs with.
    #[error("the SSH key {path} is of the kind {kind}, with which wharf cannot sign")]
    Kind {
        /// The file.
        path: PathBuf,
        /// OpenSSH's name of it.
        kind: String,
    },
}

impl SshKeyError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let agent = |path: &Path| {
            let path = path.display();
            Some(format!(
                "add it to an agent (ssh-add {path}) and give that: --ssh default"
            ))
        };
        match self {
            Self::Read { .. } => None,
            Self::Encrypted(path) | Self::Kind { path, .. } => agent(path),
            Self::Public(path) => Some(format!(
                "name the private key, {}",
                path.with_extension("").display()
            )),
            Self::Format { path, .. } => Some(format!(
                "`ssh-keygen -p -f {}` writes a key anew in OpenSSH's format",
                path.display()
            )),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").finish_non_exhaustive()
    }
}

impl Key {
    /// The key in a file: OpenSSH's format, or an RSA key in PKCS #1 or #8.
    pub(super) fn read(path: &Path) -> Result<Self, SshKeyError> {
        let text = fs::read(path).map_err(|source| SshKeyError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(path, &String::from_utf8_lossy(&text))
    }

    fn parse(path: &Path, text: &str) -> Result<Self, SshKeyError> {
        let has = |mark: &str| text.contains(mark);
        if has("BEGIN ENCRYPTED PRIVATE KEY") || has("Proc-Type: 4,ENCRYPTED") {
            return Err(SshKeyError::Encrypted(path.to_owned()));
        }
        if text.parse::<ssh_key::PublicKey>().is_ok() {
            return Err(SshKeyError::Public(path.to_owned()));
        }
        let parsed = if has("BEGIN RSA PRIVATE KEY") {
            RsaPrivateKey::from_pkcs1_pem(text)
                .map_err(Into::into)
                .and_then(Self::of_rsa)
        } else if has("BEGIN PRIVATE KEY") {
            RsaPrivateKey::from_pkcs8_pem(text)
                .map_err(Into::into)
                .and_then(Self::of_rsa)
        } else {
            let key = PrivateKey::from_openssh(text).or_else(|error| {
                let written_out = short_number::written_out(text).ok_or(error)?;
                PrivateKey::from_bytes(&written_out)
            });
            let key = key.map_err(|source| format_error(path, source.into()))?;
            return Self::of_openssh(path, &key);
        };
        parsed.map_err(|source| format_error(path, source))
    }

    fn of_openssh(path: &Path, key: &PrivateKey) -> Result<Self, SshKeyError> {
        match key.key_data() {
            KeypairData::Encrypted(_) => Err(SshKeyError::Encrypted(path.to_owned())),
            KeypairData::Rsa(pair) => rsa_key(pair)
                .and_then(Self::of_rsa)
                .map_err(|source| format_error(path, source)),
            pair @ (KeypairData::Ecdsa(_) | KeypairData::Ed25519(_)) => {
                Self::new(key.public_key(), Private::Elliptic(Box::new(pair.clone())))
                    .map_err(|source| format_error(path, source))
            }
            _ => Err(SshKeyError::Kind {
                path: path.to_owned(),
                kind: key.algorithm().to_string(),
            }),
        }
    }

    fn of_rsa(key: RsaPrivateKey) -> Result<Self, AnyError> {
        let public = RsaPublicKey::try_from(key.to_public_key())?;
        Self::new(&KeyData::Rsa(public).into(), Private::Rsa(Box::new(key)))
    }

    fn new(public: &PublicKey, private: Private) -> Result<Self, AnyError> {
        let public = public.to_bytes()?;
        Ok(Self { public, private })
    }

    /// The public key, as the protocol writes it.
    pub(super) fn public(&self) -> &[u8] {
        &self.public
    }

    /// A signature, as the protocol writes it. An RSA key signs with the hash that is asked for, and not with SHA-1.
    pub(super) fn sign(&self, data: &[u8], hash: Option<Hash>) -> Option<Vec<u8>> {
        let signature = match (&self.private, hash) {
            (Private::Rsa(key), Some(Hash::Sha256)) => rsa::<Sha256>(key, HashAlg::Sha256, data),
            (Private::Rsa(key), Some(Hash::Sha512)) => rsa::<Sha512>(key, HashAlg::Sha512, data),
            (Private::Rsa(_), None) => None,
            (Private::Elliptic(pair), _) => pair.try_sign(data).ok(),
        };
        signature?.try_into().ok()
    }
}

fn format_error(path: &Path, source: AnyError) -> SshKeyError {
    SshKeyError::Format {
        path: path.to_owned(),
        source,
    }
}

/// ssh-key 0.6 has this conversion too, but takes the first prime for both.
fn rsa_key(pair: &RsaKeypair) -> Result<RsaPrivateKey, AnyError> {
    let number = |number: &Mpint| {
        let bytes = number.as_positive_bytes().ok_or(ssh_key::Error::FormatEncoding)?;
        Ok::<_, ssh_key::Error>(BigUint::from_bytes_be(bytes))
    };
    let (public, private) = (&pair.public, &pair.private);
    let primes = vec![number(&private.p)?, number(&private.q)?];
    Ok(RsaPrivateKey::from_components(
        number(&public.n)?,
        number(&public.e)?,
        number(&private.d)?,
        primes,
    )?)
}

/// Blinded: a step that has many signatures made must not learn the key from how long each took.
fn rsa<D: Digest + AssociatedOid>(key: &RsaPrivateKey, hash: HashAlg, data: &[u8]) -> Option<Signature> {
    let signed = SigningKey::<D>::new(key.clone())
        .try_sign_with_rng(&mut OsRng, data)
        .ok()?;
    Signature::new(Algorithm::Rsa { hash: Some(hash) }, signed.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Makes a key with ssh-keygen's `args`; says what reading it gives.
    fn check(args: &[&str], expected: &str) {
        let scratch = tempfile::tempdir().expect("a scratch directory");
        let path = scratch.path().join("key");
        let made = Command::new("ssh-keygen")
            .args(["-q", "-f"])
            .arg(&path)
            .args(args)
            .output();
        let Ok(made) = made else {
            wharf_testkit::skip("there is no ssh-keygen");
            return;
        };
        assert!(made.status.success(), "{made:?}");
        let seen = match Key::read(&path) {
            Ok(key) => format!(
                "{:?}",
                [None, Some(Hash::Sha256), Some(Hash::Sha512)].map(|hash| verified(&key, hash))
            ),
            Err(error) => error
                .to_string()
                .replace(&scratch.path().display().to_string(), ""),
        };
        assert_eq!(seen, expected, "{args:?}");
    }

    fn verified(key: &Key, hash: Option<Hash>) -> bool {
        use rsa::signature::Verifier as _;
        let public = PublicKey::from_bytes(&key.public).expect("it was made here");
        let signature = key.sign(b"data", hash);
        signature.is_some_and(|bytes| {
            let signature = Signature::try_from(&bytes[..]).expect("it was made here");
            public.key_data().verify(b"data", &signature).is_ok()
        })
    }

    #[test]
    fn keys_of_ssh_keygen_sign_as_asked() {
        let any = "[true, true, true]";
        let with_sha2 = "[false, true, true]";
        let encrypted = "the SSH key /key is encrypted";
        check(&["-t", "ed25519", "-N", ""], any);
        for bits in ["256", "384"] {
            check(&["-t", "ecdsa", "-b", bits, "-N", ""], any);
        }
        // A quarter of them have a short number.
        for _ in 0..32 {
            check(&["-t", "ecdsa", "-b", "521", "-N", ""], any);
        }
        for format in ["RFC4716", "PEM", "PKCS8"] {
            check(&["-t", "rsa", "-b", "2048", "-N", "", "-m", format], with_sha2);
            check(
                &["-t", "rsa", "-b", "2048", "-N", "secret", "-m", format],
                encrypted,
            );
        }
        check(&["-t", "ed25519", "-N", "secret"], encrypted);
        check(
            &["-t", "ecdsa", "-N", "", "-m", "PKCS8"],
            "/key is no private SSH key in a known format",
        );
    }

    #[test]
    fn what_is_no_private_key_is_named() {
        let error = |text| {
            Key::parse(Path::new("k.pub"), text)
                .expect_err("no key")
                .to_string()
        };
        let public =
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti gull@wharf\n";
        assert_eq!(error(public), "k.pub is a public SSH key");
        assert_eq!(error("hello"), "k.pub is no private SSH key in a known format");
    }
}
