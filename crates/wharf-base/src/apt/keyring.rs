//! Archive keys: which of them may sign, and until when.
//!
//! RFC 9580. A key that may not sign now is kept with the reason, so that a refusal can say more than "unknown key".
//! Self-signatures count only when they verify, are not made with a broken hash, and are the newest of their kind; what
//! expires, is revoked or does not say that it may sign, may not.

use pgp::{
    composed::{Deserializable as _, SignedPublicKey, SignedPublicSubKey},
    crypto::{hash::HashAlgorithm, public_key::PublicKeyAlgorithm},
    packet::{PublicKey, PublicSubkey, Signature, SignatureType},
    types::{KeyDetails, Tag, Timestamp},
};

/// Keys that a signature may have been made with.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    pub(super) signers: Vec<Signer>,
}

/// One key or subkey.
#[derive(Debug, Clone)]
pub(super) struct Signer {
    pub(super) key: SignerKey,
    /// Upper-case hex.
    pub(super) fingerprint: String,
    /// The fingerprint of the key that a subkey belongs to; a primary key's own.
    pub(super) primary: String,
    pub(super) usable: Result<Validity, Unusable>,
}

#[derive(Debug, Clone)]
pub(super) enum SignerKey {
    Primary(Box<PublicKey>),
    Sub(Box<PublicSubkey>),
}

/// Since and until when a key may sign, in seconds since the epoch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Validity {
    created: u64,
    expires: Option<u64>,
}

/// Why a key may not sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Its owner took it back.
    #[error("it was revoked")]
    Revoked,
    /// It is past its end.
    #[error("it has expired")]
    Expired,
    /// It has no self-signature that verifies.
    #[error("its self-signature does not verify or uses a broken hash")]
    Unbound,
    /// It is not meant for signing.
    #[error("it is not meant for signing")]
    NotForSigning,
    /// Its algorithm is broken.
    #[error("its algorithm is obsolete")]
    Weak,
}

/// Bytes that hold no keys.
#[derive(Debug, thiserror::Error)]
#[error("no OpenPGP public keys")]
pub struct KeyringError(#[source] pgp::errors::Error);

impl Keyring {
    /// Reads keys, binary or armored, of any number.
    pub fn parse(bytes: &[u8]) -> Result<Self, KeyringError> {
        let (keys, _) = SignedPublicKey::from_reader_many(bytes).map_err(KeyringError)?;
        let mut ring = Self::default();
        for key in keys {
            ring.add(&key.map_err(KeyringError)?);
        }
        Ok(ring)
    }

    /// Adds another ring's keys.
    pub fn extend(&mut self, other: Self) {
        self.signers.extend(other.signers);
    }

    /// Keeps only the keys that one of `fingerprints` names: with its subkeys, or alone if a `!` ends the fingerprint.
    pub fn restrict(&mut self, fingerprints: &[String]) {
        self.signers.retain(|signer| {
            fingerprints.iter().any(|wanted| match wanted.strip_suffix('!') {
                Some(exact) => signer.fingerprint == exact,
                None => signer.fingerprint == *wanted || signer.primary == *wanted,
            })
        });
    }

    /// Whether there is no key at all.
    pub fn is_empty(&self) -> bool {
        self.signers.is_empty()
    }

    /// The fingerprints of all keys, in upper-case hex, sorted.
    pub fn fingerprints(&self) -> Vec<&str> {
        let mut all: Vec<_> = self
            .signers
            .iter()
            .map(|signer| signer.fingerprint.as_str())
            .collect();
        all.sort_unstable();
        all
    }

    fn add(&mut self, cert: &SignedPublicKey) {
        let primary = hex(&cert.primary_key);
        let usable = primary_validity(cert);
        for subkey in &cert.public_subkeys {
            self.signers.push(Signer {
                key: SignerKey::Sub(Box::new(subkey.key.clone())),
                fingerprint: hex(&subkey.key),
                primary: primary.clone(),
                usable: subkey_validity(cert, subkey, usable),
            });
        }
        self.signers.push(Signer {
            key: SignerKey::Primary(Box::new(cert.primary_key.clone())),
            fingerprint: primary.clone(),
            primary,
            usable: usable
                .and_then(|(validity, signs)| signs.then_some(validity).ok_or(Unusable::NotForSigning)),
        });
    }
}

impl Validity {
    /// Whether the key may sign at `now` (seconds since the epoch).
    pub(super) fn at(self, now: u64) -> Result<(), Unusable> {
        match self.expires {
            Some(end) if end <= now => Err(Unusable::Expired),
            _ => Ok(()),
        }
    }

    /// Whether the key existed at `time`.
    pub(super) const fn since(self, time: u64) -> bool {
        self.created <= time
    }
}

impl SignerKey {
    pub(super) fn verifies(&self, signature: &Signature, data: &[u8]) -> bool {
        match self {
            Self::Primary(key) => signature.verify(key.as_ref(), data).is_ok(),
            Self::Sub(key) => signature.verify(key.as_ref(), data).is_ok(),
        }
    }
}

/// Whether a hash still withstands collisions. SHA-1 and older are refused everywhere.
pub(super) fn is_strong(signature: &Signature) -> bool {
    use HashAlgorithm::{Sha3_256, Sha3_512, Sha256, Sha384, Sha512};
    signature
        .hash_alg()
        .is_some_and(|hash| matches!(hash, Sha256 | Sha384 | Sha512 | Sha3_256 | Sha3_512))
}

/// The primary key's validity, and whether it is itself meant for signing.
fn primary_validity(cert: &SignedPublicKey) -> Result<(Validity, bool), Unusable> {
    let key = &cert.primary_key;
    check_algorithm(key)?;
    if cert
        .details
        .revocation_signatures
        .iter()
        .any(|signature| signature.verify_key(key).is_ok())
    {
        return Err(Unusable::Revoked);
    }
    let direct = cert
        .details
        .direct_signatures
        .iter()
        .filter(|signature| signature.verify_key(key).is_ok());
    let certifications = cert.details.users.iter().flat_map(|user| {
        let valid = move |signature: &&Signature| {
            signature.is_certification() && signature.verify_certification(key, Tag::UserId, &user.id).is_ok()
        };
        user.signatures.iter().filter(valid)
    });
    let newest = newest(direct.chain(certifications)).ok_or(Unusable::Unbound)?;
    let flags = newest.key_flags();
    let says_nothing = !(flags.sign() || flags.certify() || flags.encrypt_comms() || flags.encrypt_storage());
    Ok((validity(key.created_at(), newest), flags.sign() || says_nothing))
}

fn subkey_validity(
    cert: &SignedPublicKey,
    subkey: &SignedPublicSubKey,
    primary: Result<(Validity, bool), Unusable>,
) -> Result<Validity, Unusable> {
    let (primary, _) = primary?;
    check_algorithm(&subkey.key)?;
    let key = &cert.primary_key;
    let valid = |kind| {
        let signatures = subkey
            .signatures
            .iter()
            .filter(move |signature| signature.typ() == Some(kind));
        signatures.filter(|signature| signature.verify_subkey_binding(key, &subkey.key).is_ok())
    };
    if valid(SignatureType::SubkeyRevocation).next().is_some() {
        return Err(Unusable::Revoked);
    }
    let newest = newest(valid(SignatureType::SubkeyBinding)).ok_or(Unusable::Unbound)?;
    if !newest.key_flags().sign() {
        return Err(Unusable::NotForSigning);
    }
    // Without the subkey's own word, anybody's signing key could be adopted.
    let back = newest.embedded_signature().ok_or(Unusable::Unbound)?;
    let agrees = is_strong(back) && back.verify_primary_key_binding(&subkey.key, key).is_ok();
    let own = validity(subkey.key.created_at(), newest);
    let expires = [own.expires, primary.expires].into_iter().flatten().min();
    agrees
        .then_some(Validity { expires, ..own })
        .ok_or(Unusable::Unbound)
}

fn check_algorithm(key: &impl KeyDetails) -> Result<(), Unusable> {
    let weak = matches!(
        key.algorithm(),
        PublicKeyAlgorithm::DSA | PublicKeyAlgorithm::Elgamal
    );
    (!weak).then_some(()).ok_or(Unusable::Weak)
}

fn newest<'a>(signatures: impl Iterator<Item = &'a Signature>) -> Option<&'a Signature> {
    signatures
        .filter(|signature| is_strong(signature))
        .max_by_key(|signature| signature.created().map(Timestamp::as_secs))
}

fn validity(created: Timestamp, binding: &Signature) -> Validity {
    let created = u64::from(created.as_secs());
    let lasts = binding
        .key_expiration_time()
        .map(|lasts| u64::from(lasts.as_secs()));
    let expires = lasts
        .filter(|seconds| *seconds > 0)
        .map(|seconds| created + seconds);
    Validity { created, expires }
}

fn hex(key: &impl KeyDetails) -> String {
    format!("{:X}", key.fingerprint())
}
