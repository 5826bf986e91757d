//! The signature of an InRelease, or of a Release with its Release.gpg.
//!
//! As apt does: one good signature by a key that may sign is enough, whoever else signed. What is returned is the text that
//! was signed, never the bytes around it.

use pgp::{
    composed::{CleartextSignedMessage, Deserializable as _, DetachedSignature},
    packet::{Signature, SignatureType},
};

use super::keyring::{Keyring, Unusable, is_strong};

/// Clocks of archive and machine may differ by this many seconds.
const SKEW: u64 = 24 * 3600;

/// Text whose signature is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// What was signed, with `\n` at the ends of lines.
    pub text: String,
    /// The fingerprint of the key (or subkey) that signed it, in upper-case hex.
    pub signer: String,
}

/// Why a signature does not make its text trustworthy.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// It is no signed text at all.
    #[error("not an OpenPGP signed text")]
    Malformed(#[source] pgp::errors::Error),
    /// Signed, but the text is not UTF-8.
    #[error("the signed text is not UTF-8")]
    NotText,
    /// No signature is good.
    #[error("no good signature: {}", Refusals(.0))]
    Refused(Vec<Refusal>),
}

/// Why one signature does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Made by a key that is not among the trusted ones.
    #[error("key {0} is not among the trusted keys")]
    UnknownKey(String),
    /// Made by a key that may not sign.
    #[error("key {fingerprint}: {reason}")]
    Key {
        /// Which.
        fingerprint: String,
        /// Why not.
        reason: Unusable,
    },
    /// The text is not what the key signed.
    #[error("the signature of key {0} does not match the text")]
    Mismatch(String),
    /// Made with a hash that is broken.
    #[error("the signature of key {0} uses a broken hash")]
    WeakHash(String),
    /// Expired, or made in the future or before its key.
    #[error("the signature of key {0} is not valid at this time")]
    Time(String),
}

struct Refusals<'a>(&'a [Refusal]);

impl std::fmt::Display for Refusals<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return f.write_str("it bears none");
        }
        let texts: Vec<_> = self.0.iter().map(Refusal::to_string).collect();
        f.write_str(&texts.join("; "))
    }
}

/// Verifies a text with its signature inside (InRelease). `now` is in seconds since the epoch.
pub fn verify_clear_signed(bytes: &[u8], keys: &Keyring, now: u64) -> Result<Verified, SignatureError> {
    let text = std::str::from_utf8(bytes).map_err(|_| SignatureError::NotText)?;
    let (message, _) = CleartextSignedMessage::from_string(text).map_err(SignatureError::Malformed)?;
    let signed = message.signed_text();
    let signer = good_signer(message.signatures().iter(), signed.as_bytes(), keys, now)?;
    Ok(Verified {
        text: signed.replace("\r\n", "\n"),
        signer,
    })
}

/// Verifies `text` against the signatures in another file (Release and Release.gpg), armored or not.
pub fn verify_detached(
    text: &[u8],
    signature: &[u8],
    keys: &Keyring,
    now: u64,
) -> Result<Verified, SignatureError> {
    let (parsed, _) = DetachedSignature::from_reader_many(signature).map_err(SignatureError::Malformed)?;
    let parsed = parsed
        .collect::<Result<Vec<_>, _>>()
        .map_err(SignatureError::Malformed)?;
    let signer = good_signer(parsed.iter().map(|one| &one.signature), text, keys, now)?;
    let text = std::str::from_utf8(text).map_err(|_| SignatureError::NotText)?;
    Ok(Verified {
        text: text.to_owned(),
        signer,
    })
}

fn good_signer<'a>(
    signatures: impl Iterator<Item = &'a Signature>,
    text: &[u8],
    keys: &Keyring,
    now: u64,
) -> Result<String, SignatureError> {
    let mut refusals = Vec::new();
    for signature in signatures {
        match check(signature, text, keys, now) {
            Ok(signer) => return Ok(signer),
            Err(refusal) => refusals.push(refusal),
        }
    }
    Err(SignatureError::Refused(refusals))
}

fn check(signature: &Signature, text: &[u8], keys: &Keyring, now: u64) -> Result<String, Refusal> {
    let issuer = issuer(signature);
    let named = keys
        .signers
        .iter()
        .filter(|signer| signer.fingerprint.ends_with(&issuer));
    let mut refusal = Refusal::UnknownKey(issuer.clone());
    for signer in named {
        refusal = match &signer.usable {
            Err(reason) => Refusal::Key {
                fingerprint: signer.fingerprint.clone(),
                reason: *reason,
            },
            Ok(_) if !is_text_signature(signature) || !signer.key.verifies(signature, text) => {
                Refusal::Mismatch(signer.fingerprint.clone())
            }
            Ok(validity) => match validity.at(now) {
                Err(reason) => Refusal::Key {
                    fingerprint: signer.fingerprint.clone(),
                    reason,
                },
                Ok(()) if !is_strong(signature) => Refusal::WeakHash(signer.fingerprint.clone()),
                Ok(()) if time_is_good(signature, now, |made| validity.since(made)) => {
                    return Ok(signer.fingerprint.clone());
                }
                Ok(()) => Refusal::Time(signer.fingerprint.clone()),
            },
        };
    }
    Err(refusal)
}

/// The issuer's fingerprint or, in older signatures, key ID: a hint only, since the key itself must verify.
fn issuer(signature: &Signature) -> String {
    let fingerprint = signature
        .issuer_fingerprint()
        .into_iter()
        .next()
        .map(|one| format!("{one:X}"));
    let key_id = || {
        signature
            .issuer_key_id()
            .into_iter()
            .next()
            .map(|one| one.to_string().to_uppercase())
    };
    fingerprint
        .or_else(key_id)
        .unwrap_or_else(|| "of no name".to_owned())
}

/// A certification over a key is no signature over a text.
fn is_text_signature(signature: &Signature) -> bool {
    matches!(signature.typ(), Some(SignatureType::Binary | SignatureType::Text))
}

fn time_is_good(signature: &Signature, now: u64, key_existed: impl Fn(u64) -> bool) -> bool {
    let Some(made) = signature.created().map(|time| u64::from(time.as_secs())) else {
        return false;
    };
    let lasts = signature
        .signature_expiration_time()
        .map_or(0, |lasts| u64::from(lasts.as_secs()));
    key_existed(made) && made <= now + SKEW && (lasts == 0 || made + lasts > now)
}
