//! pax records: `LENGTH KEY=VALUE\n` (POSIX.1, "pax Header Block").

use std::collections::BTreeMap;

use super::header::FormatError;
use crate::entry::{Mtime, Xattrs};

/// Prefix of the keys that hold extended attributes.
pub(crate) const XATTR: &[u8] = b"SCHILY.xattr.";

/// The records of one member; of equal keys the last counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Records {
    values: BTreeMap<Vec<u8>, Vec<u8>>,
    /// `GNU.sparse.offset` and `.numbytes` of format 0.0, which repeat: in the order in which they came.
    pub(crate) sparse_0_0: Vec<u64>,
}

impl Records {
    pub(crate) fn parse(mut bytes: &[u8]) -> Result<Self, FormatError> {
        let mut records = Self::default();
        while !bytes.is_empty() {
            let (key, value, rest) = record(bytes).ok_or(FormatError::Pax)?;
            match key {
                b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => {
                    records.sparse_0_0.push(decimal(value).ok_or(FormatError::Pax)?);
                }
                _ => drop(records.values.insert(key.to_vec(), value.to_vec())),
            }
            bytes = rest;
        }
        Ok(records)
    }

    /// The value of `key`; an empty one means "as if it were not there".
    pub(crate) fn get(&self, key: &str) -> Option<&[u8]> {
        let value = self.values.get(key.as_bytes())?;
        (!value.is_empty()).then_some(value)
    }

    pub(crate) fn number(&self, key: &'static str) -> Result<Option<u64>, FormatError> {
        let number = |value| decimal(value).ok_or(FormatError::Number(key));
        self.get(key).map(number).transpose()
    }

    pub(crate) fn mtime(&self) -> Result<Option<Mtime>, FormatError> {
        let time = |value| time(value).ok_or(FormatError::Number("modification time"));
        self.get("mtime").map(time).transpose()
    }

    pub(crate) fn xattrs(&self) -> Xattrs {
        let xattrs = self
            .values
            .iter()
            .filter_map(|(key, value)| Some((key.strip_prefix(XATTR)?, value)));
        xattrs
            .map(|(name, value)| (name.to_vec(), value.clone()))
            .collect()
    }
}

/// Key, value and what follows.
fn record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = bytes.iter().take(20).position(|byte| *byte == b' ')?;
    let length = usize::try_from(decimal(&bytes[..space])?).ok()?;
    let (record, rest) = bytes.split_at_checked(length)?;
    let record = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    let (key, value) = (&record[..equals], &record[equals + 1..]);
    (!key.is_empty()).then_some((key, value, rest))
}

/// Adds a record to `out`. Its length counts its own digits.
pub(crate) fn put(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest;
    while rest + digits(length) != length {
        length = rest + digits(length);
    }
    out.extend_from_slice(format!("{length} ").as_bytes());
    out.extend_from_slice(key);
    out.push(b'=');
    out.extend_from_slice(value);
    out.push(b'\n');
}

const fn digits(number: usize) -> usize {
    number.ilog10() as usize + 1
}

pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok()?;
    if text.starts_with('+') {
        None
    } else {
        text.parse().ok()
    }
}

/// Seconds since the epoch with any number of decimals; what is finer than nanoseconds is cut.
fn time(text: &[u8]) -> Option<Mtime> {
    let (negative, text) = text.strip_prefix(b"-").map_or((false, text), |rest| (true, rest));
    let point = text.iter().position(|byte| *byte == b'.');
    let (whole, fraction) = point.map_or((text, &b""[..]), |at| (&text[..at], &text[at + 1..]));
    let secs = i64::try_from(decimal(whole)?).ok()?;
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let padded = fraction.iter().copied().chain(std::iter::repeat(b'0'));
    let nanos = padded
        .take(9)
        .fold(0, |nanos, digit| nanos * 10 + u32::from(digit - b'0'));
    Some(match (negative, nanos) {
        (false, _) => Mtime { secs, nanos },
        (true, 0) => Mtime { secs: -secs, nanos },
        (true, _) => Mtime {
            secs: -secs - 1,
            nanos: 1_000_000_000 - nanos,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_count_themselves() {
        for value in [&b""[..], b"xx", b"xxx", &[b'x'; 92], &[b'x'; 93], &[b'\n'; 990]] {
            let mut out = Vec::new();
            put(&mut out, b"path", value);
            assert_eq!(record(&out), Some((&b"path"[..], value, &b""[..])));
        }
    }

    #[test]
    fn refuses_what_is_no_record() {
        for bytes in [
            &b"x"[..],
            b"5 a=\n\n",
            b"6 =bc\n",
            b"99 a=b\n",
            b"3 \n",
            b"2 a=b\n",
            b"-6 a=b\n",
            b"6 ab\n",
        ] {
            assert_eq!(Records::parse(bytes), Err(FormatError::Pax), "{bytes:?}");
        }
    }

    #[test]
    fn times() {
        for (text, expected) in [
            ("0", Some((0, 0))),
            ("1.5", Some((1, 500_000_000))),
            ("1.0000000019", Some((1, 1))),
            ("-1.25", Some((-2, 750_000_000))),
            ("-2", Some((-2, 0))),
            ("1.", Some((1, 0))),
            ("1.-5", None),
            ("", None),
            ("1e3", None),
        ] {
            let time = time(text.as_bytes()).map(|Mtime { secs, nanos }| (secs, nanos));
            assert_eq!(time, expected, "{text}");
        }
    }
}
