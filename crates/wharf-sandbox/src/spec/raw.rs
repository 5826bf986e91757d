//! Byte strings in JSON: each byte is the character of the same number (Latin-1), so that any path or content survives and
//! plain text stays plain.

use std::{
    borrow::Cow,
    ffi::OsString,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::PathBuf,
};

use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

/// What is made of bytes and nothing else.
pub(crate) trait Raw: Sized {
    /// The bytes.
    fn raw(&self) -> &[u8];
    /// The value that has these bytes.
    fn from_raw(bytes: Vec<u8>) -> Self;
}

impl Raw for OsString {
    fn raw(&self) -> &[u8] {
        self.as_bytes()
    }
    fn from_raw(bytes: Vec<u8>) -> Self {
        OsString::from_vec(bytes)
    }
}

impl Raw for PathBuf {
    fn raw(&self) -> &[u8] {
        self.as_os_str().as_bytes()
    }
    fn from_raw(bytes: Vec<u8>) -> Self {
        OsString::from_vec(bytes).into()
    }
}

impl Raw for Vec<u8> {
    fn raw(&self) -> &[u8] {
        self
    }
    fn from_raw(bytes: Vec<u8>) -> Self {
        bytes
    }
}

pub(crate) fn serialize<T: Raw, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&text(value))
}

pub(crate) fn deserialize<'de, T: Raw, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    bytes(String::deserialize(from)?)
        .ok_or_else(|| D::Error::custom("a character above 255 in a byte string"))
}

/// ASCII, which nearly all of it is, is taken as a whole: certificates make some hundred thousand bytes for every process.
fn text(value: &impl Raw) -> Cow<'_, str> {
    let raw = value.raw();
    match str::from_utf8(raw) {
        Ok(text) if raw.is_ascii() => text.into(),
        _ => raw.iter().copied().map(char::from).collect(),
    }
}

fn bytes<T: Raw>(text: String) -> Option<T> {
    if text.is_ascii() {
        return Some(T::from_raw(text.into_bytes()));
    }
    let bytes: Result<Vec<u8>, _> = text.chars().map(u8::try_from).collect();
    bytes.ok().map(T::from_raw)
}

/// The same for lists.
pub(crate) mod list {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    use super::Raw;

    pub(crate) fn serialize<T: Raw, S: Serializer>(values: &[T], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(values.iter().map(super::text))
    }

    pub(crate) fn deserialize<'de, T: Raw, D: Deserializer<'de>>(from: D) -> Result<Vec<T>, D::Error> {
        let texts = Vec::<String>::deserialize(from)?;
        let values: Option<Vec<T>> = texts.into_iter().map(super::bytes).collect();
        values.ok_or_else(|| D::Error::custom("a character above 255 in a byte string"))
    }
}

/// The same where there may be none.
pub(crate) mod option {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

    use super::Raw;

    // The form that serde asks for.
    #[allow(clippy::ref_option)]
    pub(crate) fn serialize<T: Raw, S: Serializer>(value: &Option<T>, to: S) -> Result<S::Ok, S::Error> {
        value.as_ref().map(super::text).serialize(to)
    }

    pub(crate) fn deserialize<'de, T: Raw, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
        let bytes = |text: String| {
            super::bytes(text).ok_or_else(|| D::Error::custom("a character above 255 in a byte string"))
        };
        Option::<String>::deserialize(from)?.map(bytes).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Serialize, serde::Deserialize, PartialEq, Debug)]
    struct Sample {
        #[serde(with = "super")]
        one: PathBuf,
        #[serde(with = "super::list")]
        many: Vec<Vec<u8>>,
    }

    #[test]
    fn every_byte_survives() {
        let all: Vec<u8> = (0..=255).collect();
        let sample = Sample {
            one: PathBuf::from_raw(all.clone()),
            many: vec![all, b"plain".to_vec(), Vec::new()],
        };
        let json = serde_json::to_string(&sample).unwrap();
        assert!(json.contains("\"plain\""));
        assert_eq!(serde_json::from_str::<Sample>(&json).unwrap(), sample);
    }
}
