//! Trees for tests, from paths and bytes.

use std::{
    collections::HashMap,
    io::{self, Cursor},
};

use wharf_oci::Digest;
use wharf_tree::{Attrs, Entry, Mtime, Node, Tree, TreeBuilder, TreePath};

use crate::{Content, Contents, Inventory, scan};

/// Contents in memory.
#[derive(Default)]
pub(crate) struct Memory(HashMap<Digest, Vec<u8>>);

impl Contents for Memory {
    fn open(&self, digest: &Digest) -> io::Result<Box<dyn Content>> {
        let bytes = self.0.get(digest).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(Cursor::new(bytes.clone())))
    }
}

/// A tree of these files; those below `bin` can be run.
pub(crate) fn tree(files: &[(&str, &[u8])]) -> (Tree, Memory) {
    let mut builder = TreeBuilder::new();
    let mut memory = Memory::default();
    for (path, bytes) in files {
        let digest = Digest::of(bytes);
        memory.0.insert(digest, bytes.to_vec());
        let mut parents: Vec<_> = path.match_indices('/').map(|(at, _)| &path[..at]).collect();
        parents.sort_unstable();
        for parent in parents {
            let parent = TreePath::new(parent).unwrap();
            if builder.get(&parent).is_none() {
                let dir = Entry::dir(Attrs::root(0o755), Mtime::default(), wharf_tree::Dir::default());
                builder.insert(&parent, dir).unwrap();
            }
        }
        let entry = Entry {
            attrs: Attrs::root(if path.contains("bin/") { 0o755 } else { 0o644 }),
            mtime: Mtime::default(),
            node: Node::File {
                digest,
                size: bytes.len() as u64,
            },
        };
        builder.insert(&TreePath::new(path).unwrap(), entry).unwrap();
    }
    (builder.finish(), memory)
}

/// What a scan of these files finds.
pub(crate) fn scanned(files: &[(&str, &[u8])]) -> Inventory {
    let (tree, memory) = tree(files);
    scan(&tree, &memory).unwrap()
}

/// One line a package: purl, licence, supplier, sums, files.
pub(crate) fn lines(inventory: &Inventory) -> String {
    let line = |package: &crate::Package| {
        let sums: Vec<_> = package
            .checksums
            .iter()
            .map(|sum| format!("{:?}", sum.kind))
            .collect();
        format!(
            "{} | {} | {:?} | {} | {}\n",
            package.purl,
            package.licence.as_deref().unwrap_or("-"),
            package.supplier,
            sums.join(","),
            package.found_in.join(" ")
        )
    };
    let notes = inventory.notes.iter().map(|note| format!("note: {note}\n"));
    inventory.packages.iter().map(line).chain(notes).collect()
}
