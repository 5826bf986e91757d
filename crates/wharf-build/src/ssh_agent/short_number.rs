//! ECDSA keys with a short secret number. OpenSSH writes numbers without leading zeros, which a quarter of all P-521 keys have;
//! ssh-key 0.6 wants all bytes.

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// First bytes of a key in OpenSSH's format (PROTOCOL.key).
const MAGIC: &[u8] = b"openssh-key-v1\0";
/// What an unencrypted key is padded to, in bytes.
const BLOCK: usize = 8;

/// The decoded key of `text` with all bytes of its number; `None` where it is no unencrypted ECDSA key in OpenSSH's format.
pub(super) fn written_out(text: &str) -> Option<Vec<u8>> {
    let lines = text.lines().map(str::trim);
    let body: String = lines.filter(|line| !line.starts_with("-----")).collect();
    let bytes = STANDARD.decode(body).ok()?;
    let mut outer = Fields(bytes.strip_prefix(MAGIC)?);
    let (cipher, kdf, options) = (outer.string()?, outer.string()?, outer.string()?);
    let (count, public, private) = (outer.take(4)?, outer.string()?, outer.string()?);
    if cipher != b"none" || count != [0, 0, 0, 1] {
        return None;
    }
    let mut inner = Fields(private);
    let checks = inner.take(8)?;
    let (kind, curve, point) = (inner.string()?, inner.string()?, inner.string()?);
    let (number, comment) = (inner.string()?, inner.string()?);
    let length: usize = match curve {
        b"nistp256" => 32,
        b"nistp384" => 48,
        b"nistp521" => 66,
        _ => return None,
    };
    let number = &number[number.iter().take_while(|byte| **byte == 0).count()..];
    let zeros = vec![0; length.checked_sub(number.len())?];

    let mut private = checks.to_vec();
    for field in [kind, curve, point, &[&zeros, number].concat(), comment] {
        put(&mut private, field);
    }
    let padding = private.len().next_multiple_of(BLOCK) - private.len();
    private.extend((1..=padding).map(|byte| byte as u8));
    let mut whole = MAGIC.to_vec();
    for field in [cipher, kdf, options] {
        put(&mut whole, field);
    }
    whole.extend(count);
    put(&mut whole, public);
    put(&mut whole, &private);
    Some(whole)
}

fn put(out: &mut Vec<u8>, field: &[u8]) {
    out.extend((field.len() as u32).to_be_bytes());
    out.extend(field);
}

/// What is left to read.
struct Fields<'k>(&'k [u8]);

impl<'k> Fields<'k> {
    fn take(&mut self, length: usize) -> Option<&'k [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// Bytes after their length (RFC 4251, 5).
    fn string(&mut self) -> Option<&'k [u8]> {
        let length = u32::from_be_bytes(self.take(4)?.try_into().ok()?);
        self.take(length as usize)
    }
}
