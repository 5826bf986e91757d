//! A store in a directory of its own, and small trees to put into it.

use std::{fs, path::PathBuf, thread, time::Duration};

use wharf_oci::Digest;
use wharf_store::{ActionKey, ActionResult, BootId, LayerId, Recorder, Store, StoreOptions};
use wharf_testkit::Scratch;
use wharf_tree::{Attrs, Entry, Layer, LayerBuilder, Mtime, Node, TreePath};

pub(crate) struct Context {
    pub(crate) scratch: Scratch,
}

impl Context {
    pub(crate) fn new() -> Self {
        Self {
            scratch: Scratch::new(),
        }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.scratch.join("store")
    }

    /// Opens the store as another process would.
    pub(crate) fn open(&self) -> Store {
        self.open_in_boot("one")
    }

    pub(crate) fn open_in_boot(&self, boot: &str) -> Store {
        let options = StoreOptions {
            boot: Some(BootId(boot.to_owned())),
            ..StoreOptions::default()
        };
        Store::open(&self.root(), options).unwrap()
    }

    /// A file of the store.
    pub(crate) fn file(&self, place: &str) -> PathBuf {
        self.root().join("v1").join(place)
    }

    pub(crate) fn blob_file(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.file(&format!("blobs/{}/{hex}", &hex[..2]))
    }

    pub(crate) fn names(&self, directory: &str) -> Vec<String> {
        let entries = fs::read_dir(self.file(directory)).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }
}

/// Lets the clock that stamps files move on.
pub(crate) fn tick() {
    thread::sleep(Duration::from_millis(25));
}

/// A layer of files `f0`, `f1`, …, whose contents are `seed` and the number; they are put as blobs.
/// Layers of other seeds have other times.
pub(crate) fn put_files(store: &Store, seed: &str, count: usize) -> (Layer, LayerId) {
    let mut builder = LayerBuilder::new();
    let start = i64::from(u16::from_le_bytes(
        *Digest::of(seed.as_bytes()).as_bytes().first_chunk().unwrap(),
    ));
    for number in 0..count {
        let content = format!("{seed} {number}");
        let digest = store.put_bytes(content.as_bytes()).unwrap();
        let entry = Entry {
            attrs: Attrs::root(0o644),
            mtime: Mtime {
                secs: start + number as i64,
                nanos: 5,
            },
            node: Node::File {
                digest,
                size: content.len() as u64,
            },
        };
        builder
            .insert(
                &TreePath::new(format!("d{}/f{number}", number % 7)).unwrap(),
                entry,
            )
            .unwrap();
    }
    let layer = builder.finish();
    let id = store.put_layer(&layer).unwrap();
    (layer, id)
}

pub(crate) fn key(name: &str) -> ActionKey {
    ActionKey(Digest::of(name.as_bytes()))
}

pub(crate) fn result_of(name: &str, layer: LayerId) -> ActionResult {
    ActionResult {
        key: key(name),
        layer: Some(layer),
        tree: layer.tree,
        ran_at: 1_700_000_000,
        duration_ms: 12,
        recorder: Recorder::Fuse,
        read_set: None,
        ran_on: None,
        blobs: Vec::new(),
        rest: serde_json::Map::new(),
    }
}

/// The blobs of a layer made by [`put_files`].
pub(crate) fn blobs_of(seed: &str, count: usize) -> Vec<Digest> {
    (0..count)
        .map(|number| Digest::of(format!("{seed} {number}").as_bytes()))
        .collect()
}
