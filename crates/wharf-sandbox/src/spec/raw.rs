//! Paths, arguments and filters in messages: bytes as they are, taken as a whole.

use std::{
    ffi::OsString,
    fmt,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::PathBuf,
};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Visitor},
};

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

struct Sent<'a>(&'a [u8]);

impl<'a> Sent<'a> {
    fn of(value: &'a impl Raw) -> Self {
        Self(value.raw())
    }
}

impl Serialize for Sent<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(self.0)
    }
}

struct Received(Vec<u8>);

impl<'de> Deserialize<'de> for Received {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Received;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("bytes")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Received, E> {
                Ok(Received(bytes.to_owned()))
            }
        }
        from.deserialize_bytes(Bytes)
    }
}

pub(crate) fn serialize<T: Raw, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    Sent::of(value).serialize(to)
}

pub(crate) fn deserialize<'de, T: Raw, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    Ok(T::from_raw(Received::deserialize(from)?.0))
}

/// The same for lists.
pub(crate) mod list {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::{Raw, Received, Sent};

    pub(crate) fn serialize<T: Raw, S: Serializer>(values: &[T], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(values.iter().map(Sent::of))
    }

    pub(crate) fn deserialize<'de, T: Raw, D: Deserializer<'de>>(from: D) -> Result<Vec<T>, D::Error> {
        let received = Vec::<Received>::deserialize(from)?;
        Ok(received.into_iter().map(|bytes| T::from_raw(bytes.0)).collect())
    }
}

/// The same where there may be none.
pub(crate) mod option {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Raw, Received, Sent};

    // The form that serde asks for.
    #[allow(clippy::ref_option)]
    pub(crate) fn serialize<T: Raw, S: Serializer>(value: &Option<T>, to: S) -> Result<S::Ok, S::Error> {
        value.as_ref().map(Sent::of).serialize(to)
    }

    pub(crate) fn deserialize<'de, T: Raw, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
        let received = Option::<Received>::deserialize(from)?;
        Ok(received.map(|bytes| T::from_raw(bytes.0)))
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
        #[serde(with = "super::option")]
        some: Option<OsString>,
        #[serde(with = "super::option")]
        none: Option<OsString>,
    }

    #[test]
    fn every_byte_survives() {
        let all: Vec<u8> = (0..=255).collect();
        let sample = Sample {
            one: PathBuf::from_raw(all.clone()),
            many: vec![all.clone(), b"plain".to_vec(), Vec::new()],
            some: Some(OsString::from_raw(all)),
            none: None,
        };
        let sent = postcard::to_stdvec(&sample).unwrap();
        assert_eq!(postcard::from_bytes::<Sample>(&sent).unwrap(), sample);
    }
}
