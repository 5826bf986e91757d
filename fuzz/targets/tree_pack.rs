//! Any bytes as a pack or a read set: no panic, and what is taken is what is written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wharf_tree::{Layer, Tree, readset::ReadSet};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(tree) = Tree::from_pack(bytes) {
        assert_eq!(tree.to_pack(), bytes);
    }
    if let Ok(layer) = Layer::from_pack(bytes) {
        assert_eq!(layer.to_pack(), bytes);
    }
    if let Ok(reads) = ReadSet::from_bytes(bytes) {
        assert_eq!(reads.to_bytes(), bytes);
    }
});
