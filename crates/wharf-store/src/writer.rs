//! Writing one blob piece by piece.

use std::{
    fs::File,
    io::{self, Seek, SeekFrom, Write},
    mem,
};

use wharf_oci::{Digest, Hasher};

use crate::{error::BlobError, layout, store::Store};

/// Takes a blob's bytes; nothing is visible before [`BlobWriter::finish`], and dropping it leaves nothing behind.
#[derive(Debug)]
pub struct BlobWriter {
    store: Store,
    hasher: Hasher,
    /// Bytes that are not in the file yet. Small blobs never need one before they are known to be new.
    buffer: Vec<u8>,
    aside: Option<Aside>,
}

/// The file that a blob grows in.
#[derive(Debug)]
struct Aside {
    file: File,
    place: String,
}

/// How much is gathered before it is written. Pieces of this length that are all zero become holes.
const CHUNK: usize = 128 * 1024;

impl BlobWriter {
    /// How many bytes were written so far.
    pub const fn length(&self) -> u64 {
        self.hasher.length()
    }

    /// Makes the blob visible and gives its digest. With `expected`, other bytes are refused.
    pub fn finish(mut self, expected: Option<&Digest>) -> Result<Digest, BlobError> {
        let length = self.length();
        let found = mem::take(&mut self.hasher).finish();
        if let Some(expected) = expected.copied().filter(|expected| *expected != found) {
            return Err(BlobError::Mismatch { expected, found });
        }
        if self.store.keep_blob(&found, length)? {
            return Ok(found);
        }
        let place = layout::blob(&found);
        if self.aside.is_none() {
            self.store.write_whole(&place, &self.buffer)?;
            return Ok(found);
        }
        let written = self.write_out().and_then(|()| self.set_length(length));
        written.map_err(|error| self.store.write_error(error))?;
        if let Some(Aside { place: aside, .. }) = &self.aside {
            self.store.disk().rename(aside, &place)?;
            self.aside = None;
        }
        self.store.inner.syncer.wrote(&self.store);
        Ok(found)
    }

    fn write_out(&mut self) -> io::Result<()> {
        if self.aside.is_none() {
            self.aside = Some(self.begin()?);
        }
        if let Some(Aside { file, .. }) = &mut self.aside {
            if self.buffer[..] == ZEROS[..] {
                file.seek(SeekFrom::Current(CHUNK as i64))?;
            } else {
                file.write_all(&self.buffer)?;
            }
        }
        self.buffer.clear();
        Ok(())
    }

    fn begin(&self) -> Result<Aside, BlobError> {
        self.store.boots()?;
        let place = self.store.lease()?.scratch(self.store.disk())?;
        Ok(Aside {
            file: self.store.disk().create(&place)?,
            place,
        })
    }

    /// A hole at the end is not there yet.
    fn set_length(&self, length: u64) -> io::Result<()> {
        match &self.aside {
            Some(Aside { file, .. }) if file.metadata()?.len() < length => file.set_len(length),
            _ => Ok(()),
        }
    }
}

static ZEROS: [u8; CHUNK] = [0; CHUNK];

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() == CHUNK {
            self.write_out()?;
        }
        let taken = bytes.len().min(CHUNK - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..taken]);
        self.hasher.update(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for BlobWriter {
    fn drop(&mut self) {
        if let Some(Aside { place, .. }) = &self.aside {
            drop(self.store.disk().remove(place));
        }
    }
}

impl Store {
    /// A writer for one blob.
    pub fn writer(&self) -> BlobWriter {
        BlobWriter {
            store: self.clone(),
            hasher: Hasher::new(),
            buffer: Vec::new(),
            aside: None,
        }
    }
}
