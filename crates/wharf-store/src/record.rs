//! Small files that are not named by their content: one line with the digest of the rest, and JSON.
//!
//! A record that a crash left torn, or empty, does not decode and counts as absent.

use std::{os::unix::fs::FileExt, thread};

use serde::{Serialize, de::DeserializeOwned};
use wharf_oci::Digest;

use crate::{error::StoreError, store::Store};

/// How often a record is read that does not decode: one that is just overwritten is whole a moment later.
const READS: usize = 3;

/// The bytes of a record.
pub(crate) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    let body = serde_json::to_vec(value).expect("records are maps with text keys");
    let mut bytes = format!("{}\n", Digest::of(&body)).into_bytes();
    bytes.extend_from_slice(&body);
    bytes
}

/// The value of a record; `None` if it is damaged or of another shape.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (digest, body) = (std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 1..]);
    if digest.parse() != Ok(Digest::of(body)) {
        return None;
    }
    serde_json::from_slice(body).ok()
}

impl Store {
    /// Reads a record; `None` if there is none that is whole.
    pub(crate) fn read_record<T: DeserializeOwned>(&self, place: &str) -> Result<Option<T>, StoreError> {
        Ok(self.disk().read(place)?.and_then(|bytes| decode(&bytes)))
    }

    /// Reads a record that may just be overwritten.
    pub(crate) fn read_overwritten<T: DeserializeOwned>(&self, place: &str) -> Result<Option<T>, StoreError> {
        for _ in 0..READS {
            let Some(content) = self.disk().read_here(place)? else {
                return Ok(None);
            };
            if let Some(value) = decode(&content.bytes) {
                return Ok(Some(value));
            }
            thread::yield_now();
        }
        Ok(None)
    }

    /// Writes a record over one of the same length, where nothing is lost if a crash tears it: no file is made and none removed. Who reads
    /// it uses [`Store::read_overwritten`].
    pub(crate) fn overwrite_record<T: Serialize>(&self, place: &str, value: &T) -> Result<(), StoreError> {
        let bytes = encode(value);
        let Some(file) = self.disk().open_existing(place)? else {
            return self.write_whole(place, &bytes);
        };
        let mut there = vec![0; bytes.len() + 1];
        let fail = self.disk().fail("read", place);
        let length = file.read_at(&mut there, 0).map_err(fail)?;
        if there[..length] == bytes {
            return Ok(());
        }
        if length != bytes.len() {
            return self.write_whole(place, &bytes);
        }
        file.write_all_at(&bytes, 0)
            .map_err(self.disk().fail("write", place))
    }

    /// Reads a record that garbage collection may take away, and marks it as used: it, and what it names, stay until this handle is dropped.
    pub(crate) fn look_up<T: DeserializeOwned>(&self, place: &str) -> Result<Option<T>, StoreError> {
        let found = self.disk().read_here(place)?;
        let found = found.and_then(|content| decode(&content.bytes));
        Ok(if found.is_some() && self.mark_used(place)? {
            found
        } else {
            None
        })
    }

    /// Writes a record in place of one that is there. An equal one stays, and counts as used: ext4 starts to write a file to the disk when it
    /// replaces another, which takes a hundred times as long as reading it.
    pub(crate) fn write_record<T: Serialize>(&self, place: &str, value: &T) -> Result<(), StoreError> {
        let bytes = encode(value);
        let there = self.disk().read_here(place)?;
        if there.is_some_and(|there| there.bytes == bytes) && self.mark_used(place)? {
            return Ok(());
        }
        self.write_whole(place, &bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_torn_is_absent() {
        let bytes = encode(&["a", "b"]);
        assert_eq!(
            decode::<Vec<String>>(&bytes),
            Some(vec!["a".to_owned(), "b".to_owned()])
        );
        for length in 0..bytes.len() {
            assert_eq!(decode::<Vec<String>>(&bytes[..length]), None, "{length}");
        }
        let zeros = vec![0; bytes.len()];
        assert_eq!(decode::<Vec<String>>(&zeros), None);
    }

    #[test]
    fn golden() {
        let text = String::from_utf8(encode(&serde_json::json!({"a": 1}))).unwrap();
        assert_eq!(
            text,
            "sha256:015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862\n{\"a\":1}"
        );
    }
}
