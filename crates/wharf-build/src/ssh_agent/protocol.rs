//! The agent's messages, as draft-ietf-sshm-ssh-agent describes them: keys are listed and used, everything else is refused.

use super::key::{Hash, Key};

const FAILURE: u8 = 5;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;

const RSA_SHA2_256: u32 = 2;
const RSA_SHA2_512: u32 = 4;

/// The answer to one message; both are without the length that goes before them.
pub(super) fn answer(keys: &[Key], message: &[u8]) -> Vec<u8> {
    let answer = match message.split_first() {
        Some((&REQUEST_IDENTITIES, _)) => Some(identities(keys)),
        Some((&SIGN_REQUEST, body)) => sign(keys, body),
        _ => None,
    };
    answer.unwrap_or_else(|| vec![FAILURE])
}

/// Comments are left out: they often name a person and a machine, and a step needs neither.
fn identities(keys: &[Key]) -> Vec<u8> {
    let mut answer = vec![IDENTITIES_ANSWER];
    answer.extend((keys.len() as u32).to_be_bytes());
    for key in keys {
        put(&mut answer, key.public());
        put(&mut answer, b"");
    }
    answer
}

fn sign(keys: &[Key], body: &[u8]) -> Option<Vec<u8>> {
    let (public, rest) = take(body)?;
    let (data, rest) = take(rest)?;
    let flags = u32::from_be_bytes(rest.try_into().ok()?);
    let key = keys.iter().find(|key| key.public() == public)?;
    let mut answer = vec![SIGN_RESPONSE];
    put(&mut answer, &key.sign(data, hash(flags))?);
    Some(answer)
}

fn hash(flags: u32) -> Option<Hash> {
    if flags & RSA_SHA2_512 != 0 {
        Some(Hash::Sha512)
    } else if flags & RSA_SHA2_256 != 0 {
        Some(Hash::Sha256)
    } else {
        None
    }
}

/// A string of RFC 4251, section 5.
fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u32).to_be_bytes());
    out.extend(bytes);
}

fn take(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_be_bytes(*length) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_request_of_ours_fails() {
        let add_identity = &[17, 0, 0, 0, 0][..];
        let remove_all = &[19][..];
        let endless = &[SIGN_REQUEST, 0xff, 0xff, 0xff, 0xff][..];
        let of_no_key = &[SIGN_REQUEST, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..];
        for message in [&[][..], add_identity, remove_all, endless, of_no_key] {
            assert_eq!(answer(&[], message), [FAILURE], "{message:?}");
        }
        assert_eq!(
            answer(&[], &[REQUEST_IDENTITIES]),
            [IDENTITIES_ANSWER, 0, 0, 0, 0]
        );
    }
}
