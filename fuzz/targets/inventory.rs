//! Any bytes as each of the files that a list of contents is made from: no panic, and what comes out can be written.
#![no_main]

use std::io;

use libfuzzer_sys::fuzz_target;
use wharf_oci::Digest;
use wharf_sbom::{About, Content, Contents, document, scan};
use wharf_tree::{Attrs, Dir, Entry, Mtime, Node, TreeBuilder, TreePath};

/// Where a scan reads what it is given. A folder and a file.
const PLACES: &[(&str, &str)] = &[
    ("var/lib/dpkg", "status"),
    ("usr/share/doc/a", "copyright"),
    ("lib/apk/db", "installed"),
    ("var/lib/rpm", "rpmdb.sqlite"),
    ("a.dist-info", "METADATA"),
    ("node_modules/a", "package.json"),
    ("src", "Cargo.lock"),
    ("bin", "program"),
    ("etc", "os-release"),
    ("var/lib/rpm", "Packages"),
    ("var/lib/rpm", "Packages.db"),
];

/// One content, whatever is asked for.
struct One(Vec<u8>);

impl Contents for One {
    fn open(&self, _: &Digest) -> io::Result<Box<dyn Content>> {
        Ok(Box::new(io::Cursor::new(self.0.clone())))
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, bytes)) = bytes.split_first() else {
        return;
    };
    let (folder, name) = PLACES[usize::from(*choice) % PLACES.len()];
    let mut builder = TreeBuilder::new();
    let ends = folder.match_indices('/').map(|(end, _)| end);
    for end in ends.chain([folder.len()]) {
        let entry = Entry::dir(Attrs::root(0o755), Mtime::default(), Dir::default());
        let path = TreePath::new(&folder[..end]).expect("it is one");
        builder.insert(&path, entry).expect("its parent is there");
    }
    let entry = Entry {
        attrs: Attrs::root(0o755),
        mtime: Mtime::default(),
        node: Node::File {
            digest: Digest::of(bytes),
            // Small programs are not looked at.
            size: bytes.len().max(4096) as u64,
        },
    };
    let path = TreePath::new(format!("{folder}/{name}")).expect("it is one");
    builder.insert(&path, entry).expect("its parent is there");
    let tree = builder.finish();
    let inventory = scan(&tree, &One(bytes.to_vec())).expect("everything can be read");
    let about = About {
        name: "fuzzed",
        tree: tree.digest().0,
        created: "2024-01-01T00:00:00Z",
        tool: "wharf",
        layer_of: &|_| None,
    };
    assert!(document(&inventory, &about).is_object());
});
