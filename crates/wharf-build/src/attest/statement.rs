//! Statements: a predicate and what it is about.
//!
//! in-toto attestation framework, "Statement" version 1.

use serde_json::{Value, json};
use wharf_oci::{Platform, Reference};
use wharf_tree::{Node, Tree, TreePath};

use super::{Attestation, materials};
use crate::image::BuiltImage;

/// The subjects: an image under each of its names.
pub(super) fn of_image(platform: &Platform, image: &BuiltImage, names: &[Reference]) -> Vec<Value> {
    let subject = |name: &Reference| {
        let purl = materials::image_purl("docker", name, Some(platform));
        json!({"name": purl, "digest": {"sha256": image.manifest.hex()}})
    };
    names.iter().map(subject).collect()
}

/// The subjects: every regular file.
pub(super) fn of_files(tree: &Tree) -> Vec<Value> {
    let mut subjects = Vec::new();
    let mut folders = vec![(TreePath::root(), tree.dir())];
    while let Some((path, dir)) = folders.pop() {
        for (name, entry) in dir.entries() {
            let child = path.join(name);
            match &entry.node {
                Node::Dir(dir, _) => folders.push((child, dir)),
                Node::File { digest, .. } => {
                    let name = String::from_utf8_lossy(child.as_bytes()).into_owned();
                    subjects.push((name, digest.hex()));
                }
                _ => {}
            }
        }
    }
    subjects.sort();
    let subject = |(name, digest)| json!({"name": name, "digest": {"sha256": digest}});
    subjects.into_iter().map(subject).collect()
}

fn statement(attestation: &Attestation, subjects: &[Value]) -> Value {
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "predicateType": attestation.predicate_type,
        "subject": subjects,
        "predicate": attestation.predicate,
    })
}

/// As it hangs on an image.
pub(super) fn compact(attestation: &Attestation, subjects: &[Value]) -> Vec<u8> {
    serde_json::to_vec(&statement(attestation, subjects)).expect("JSON values can be written")
}

/// As it lies beside files.
pub(super) fn pretty(attestation: &Attestation, subjects: &[Value]) -> Vec<u8> {
    serde_json::to_vec_pretty(&statement(attestation, subjects)).expect("JSON values can be written")
}
