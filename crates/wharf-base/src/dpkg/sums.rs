//! MD5 sums, which dpkg keeps of every package's files and of configuration files apart.
//!
//! Not for trust: dpkg compares them to see what an administrator changed.

use std::io::{self, Read};

use md5::{Digest as _, Md5};
use wharf_tree::{BlobRead, BlobSink, Entry, Layer, Node, TreePath};

use super::{
    archive::Unpacked,
    control::{Control, ControlFile},
};

/// Fills in what dpkg computes while it unpacks: sums of configuration files, and `md5sums` for a package that has none.
pub fn complete(unpacked: &mut Unpacked, blobs: &dyn BlobRead, sink: &mut dyn BlobSink) -> io::Result<()> {
    for (path, sum) in &mut unpacked.control.conffiles {
        if let Some(entry) = file_at(&unpacked.files, path) {
            *sum = sum_of(entry, blobs)?;
        }
    }
    unpacked.control.conffiles.retain(|(_, sum)| !sum.is_empty());
    if !unpacked.control.files.contains_key("md5sums") {
        let text = md5sums(&unpacked.files, &unpacked.list, &unpacked.control, blobs)?;
        let size = text.len() as u64;
        let digest = sink.put(&mut text.as_bytes(), size)?;
        unpacked.control.files.insert(
            "md5sums".to_owned(),
            ControlFile {
                digest,
                size,
                mode: 0o644,
            },
        );
    }
    Ok(())
}

/// All regular files but the configuration files, in the list's order.
fn md5sums(files: &Layer, list: &[String], control: &Control, blobs: &dyn BlobRead) -> io::Result<String> {
    let mut text = String::new();
    for path in list {
        let is_conffile = control.conffiles.iter().any(|(conffile, _)| conffile == path);
        if let Some(entry) = file_at(files, path).filter(|_| !is_conffile) {
            let sum = sum_of(entry, blobs)?;
            text.extend([&sum, "  ", path.trim_start_matches('/'), "\n"]);
        }
    }
    Ok(text)
}

fn file_at<'l>(files: &'l Layer, path: &str) -> Option<&'l Entry> {
    let path = TreePath::new(path).ok()?;
    let parent = path.parent()?;
    let dir = parent
        .components()
        .try_fold(files.dir(), |dir, name| dir.get(name)?.node.as_dir())?;
    dir.get(path.file_name()?)
        .filter(|entry| matches!(entry.node, Node::File { .. }))
}

fn sum_of(entry: &Entry, blobs: &dyn BlobRead) -> io::Result<String> {
    match &entry.node {
        Node::File { digest, .. } => md5_hex(blobs.open(digest)?),
        _ => Ok(String::new()),
    }
}

fn md5_hex(mut content: impl Read) -> io::Result<String> {
    let mut state = Md5::new();
    io::copy(&mut content, &mut state)?;
    Ok(state
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}
