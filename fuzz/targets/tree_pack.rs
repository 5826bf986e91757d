//! Any bytes as a pack, the index of one, a path set or a read set: no panic, and what is taken is what is written.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use wharf_tree::{
    Layer, PackIndex, Tree,
    readset::{Changes, ReadSet, touched},
};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(tree) = Tree::from_pack(bytes) {
        assert_eq!(tree.to_pack(), bytes);
        let index = tree.pack_index().expect("nothing has changed it");
        let again = Tree::from_checked_pack(Arc::new(bytes.to_vec()), index).expect("it was checked just now");
        assert!(again == tree);
    }
    if let Ok(layer) = Layer::from_pack(bytes) {
        assert_eq!(layer.to_pack(), bytes);
    }
    if let Some(index) = PackIndex::from_bytes(bytes) {
        assert_eq!(index.to_bytes(), bytes);
    }
    if let Ok(reads) = ReadSet::from_bytes(bytes) {
        assert_eq!(reads.to_bytes(), bytes);
        assert_eq!(
            touched(&reads.path_set_bytes(), &[Changes::default()]),
            Ok(has_others(&reads))
        );
    }
    let _ = touched(bytes, &[]);
});

/// Whether something was asked of roots whose changes are not known.
fn has_others(reads: &ReadSet) -> bool {
    reads.places().any(|(place, _)| place.root > 0)
}
