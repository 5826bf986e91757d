//! A Java keystore of certificates: JVMs know no PEM bundle.
//!
//! The format is Sun's JKS, version 2, which every JVM reads whatever its default type: big-endian numbers, strings as in class
//! files, a SHA-1 at the end that stands for a password. Nothing in it is secret.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha1::{Digest as _, Sha1};

/// The password that JVMs try when none is given.
pub(super) const PASSWORD: &str = "changeit";

const MAGIC: u32 = 0xfeed_feed;
const VERSION: u32 = 2;
/// An entry that is a certificate, without a private key.
const TRUSTED: u32 = 2;
/// What Sun hashes between the password and the content.
const WHITENER: &[u8] = b"Mighty Aphrodite";

/// The keystore of all certificates in a PEM file.
pub(super) fn from_pem(pem: &[u8]) -> Vec<u8> {
    let certificates = certificates(pem);
    let mut out = Vec::new();
    for number in [MAGIC, VERSION, certificates.len() as u32] {
        out.extend(number.to_be_bytes());
    }
    for (index, der) in certificates.iter().enumerate() {
        out.extend(TRUSTED.to_be_bytes());
        put_string(&mut out, &format!("ca-{index}"));
        // When it was added, in milliseconds; a constant, so that equal bundles give equal bytes.
        out.extend(0_u64.to_be_bytes());
        put_string(&mut out, "X.509");
        out.extend((der.len() as u32).to_be_bytes());
        out.extend(der);
    }
    let sum = checksum(&out);
    out.extend(sum);
    out
}

fn put_string(out: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).expect("aliases are short");
    out.extend(length.to_be_bytes());
    out.extend(text.as_bytes());
}

fn checksum(content: &[u8]) -> [u8; 20] {
    let mut hasher = Sha1::new();
    for unit in PASSWORD.encode_utf16() {
        hasher.update(unit.to_be_bytes());
    }
    hasher.update(WHITENER);
    hasher.update(content);
    hasher.finalize().into()
}

/// The DER of each certificate; what is no base64 is left out.
fn certificates(pem: &[u8]) -> Vec<Vec<u8>> {
    let decoded = super::pem::blocks(pem)
        .into_iter()
        .filter_map(|body| STANDARD.decode(body).ok());
    decoded.filter(|der| !der.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_entry_a_certificate() {
        let pem = b"-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n# a comment\n\
            -----BEGIN CERTIFICATE-----\nREVGRw==\n-----END CERTIFICATE-----\n";
        let store = from_pem(pem);
        assert_eq!(store[..12], [0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2, 0, 0, 0, 2]);
        assert!(store.windows(4).any(|window| window == b"DEFG"));
        assert_eq!(store.len(), 12 + 2 * (4 + 6 + 8 + 7 + 4) + 3 + 4 + 20);
        assert_eq!(from_pem(pem), store);
    }
}
