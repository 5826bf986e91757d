//! Any bytes as a layer tar: no panic, and what is taken can be written and read again.
#![no_main]

use std::{
    collections::HashMap,
    io::{self, Read},
};

use libfuzzer_sys::fuzz_target;
use wharf_tree::{BlobRead, BlobSink, Tree, merge, tar};

#[derive(Default)]
struct Blobs(HashMap<String, Vec<u8>>);

impl BlobSink for Blobs {
    fn put(&mut self, content: &mut dyn Read, _: u64) -> io::Result<wharf_oci::Digest> {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes)?;
        let digest = wharf_oci::Digest::of(&bytes);
        self.0.insert(digest.hex(), bytes);
        Ok(digest)
    }
}

impl BlobRead for Blobs {
    fn open(&self, digest: &wharf_oci::Digest) -> io::Result<Box<dyn Read>> {
        let bytes = self.0.get(&digest.hex()).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(io::Cursor::new(bytes.clone())))
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut blobs = Blobs::default();
    let Ok(layer) = tar::import(bytes, &mut blobs, &tar::ImportOptions::default()) else {
        return;
    };
    let merged = merge(&Tree::empty(), &layer);
    let mut out = Vec::new();
    tar::export(&layer, &merged, &blobs, &tar::ExportOptions::default(), &mut out)
        .expect("what was taken can be written");
    tar::import(&out[..], &mut Blobs::default(), &tar::ImportOptions::default())
        .expect("what was written can be read");
});
