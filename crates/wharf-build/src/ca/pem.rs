//! Certificates in PEM texts (RFC 7468), with whatever stands between them.

use std::collections::BTreeSet;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The base64 of each certificate, without line breaks, in order.
pub(super) fn blocks(pem: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(pem);
    let body = |block: &str| Some(block.split_once(END)?.0.split_whitespace().collect());
    text.split(BEGIN).skip(1).filter_map(body).collect()
}

/// The same as a set: what a file knows, however its lines are broken.
pub(super) fn bodies(pem: &[u8]) -> BTreeSet<String> {
    blocks(pem).into_iter().collect()
}

/// The text of certificates, as other tools write it.
pub(super) fn text<'a>(bodies: impl IntoIterator<Item = &'a String>) -> Vec<u8> {
    let mut text = String::new();
    for body in bodies {
        text.push_str(BEGIN);
        text.push('\n');
        let mut rest = body.as_str();
        while !rest.is_empty() {
            // What is no base64 may have characters of several bytes.
            let width = rest.char_indices().nth(64).map_or(rest.len(), |(index, _)| index);
            let (line, more) = rest.split_at(width);
            text.push_str(line);
            text.push('\n');
            rest = more;
        }
        text.push_str(END);
        text.push('\n');
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_as_openssl_breaks_them() {
        let long = "A".repeat(100);
        let text = text([&long]);
        let expected = format!("{BEGIN}\n{}\n{}\n{END}\n", "A".repeat(64), "A".repeat(36));
        assert_eq!(String::from_utf8_lossy(&text), expected);
        assert_eq!(blocks(&text), [long]);
    }

    #[test]
    fn what_has_no_end_is_no_certificate() {
        assert_eq!(
            blocks(b"-----BEGIN CERTIFICATE-----\nAAAA\n"),
            Vec::<String>::new()
        );
        assert_eq!(
            blocks(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
            Vec::<String>::new()
        );
    }
}
