//! What must hold for all trees and layers: merge and diff are inverse, encodings are canonical, tars lose nothing.

mod generate;

use generate::{Blobs, layers, trees, without_directory_times, without_times};
use proptest::prelude::*;
use wharf_tree::{
    Dir, Layer, Node, Tree, TreePath, diff, merge,
    readset::{Changes, Kind, PathSet, Place, touched},
    tar::{self, ExportOptions, ImportOptions},
};

fn round_trip(tree: &Tree) -> Tree {
    let mut read = Tree::from_pack(tree.to_pack()).expect("a pack that was just written");
    read.apply_times(tree.times().1)
        .expect("times that were just written");
    read
}

fn all_paths(dir: &Dir, path: &TreePath, paths: &mut Vec<TreePath>) {
    for (name, entry) in dir.entries() {
        let path = path.join(name);
        if let Node::Dir(dir, _) = &entry.node {
            all_paths(dir, &path, paths);
        }
        paths.push(path);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_differs_laid_on_the_one_gives_the_other(lower in trees(), upper in trees()) {
        let merged = merge(&lower, &diff(&lower, &upper));
        prop_assert_eq!(without_directory_times(&merged), without_directory_times(&upper));
    }

    #[test]
    fn a_layer_is_what_it_changes(lower in trees(), layer in layers()) {
        let merged = merge(&lower, &layer);
        let again = merge(&lower, &diff(&lower, &merged));
        prop_assert_eq!(without_directory_times(&again), without_directory_times(&merged));
    }

    #[test]
    fn a_merged_tree_is_complete(lower in trees(), layer in layers()) {
        let merged = merge(&lower, &layer);
        prop_assert_eq!(round_trip(&merged), merged);
    }

    #[test]
    fn merging_twice_changes_nothing(lower in trees(), layer in layers()) {
        let merged = merge(&lower, &layer);
        prop_assert_eq!(merge(&merged, &layer), merged);
    }

    #[test]
    fn the_empty_layer_changes_nothing(tree in trees()) {
        prop_assert_eq!(&merge(&tree, &Layer::empty()), &tree);
        prop_assert_eq!(diff(&tree, &round_trip(&tree)), Layer::empty());
    }

    #[test]
    fn what_no_change_touches_is_answered_alike(
        one in trees(),
        layer in layers(),
        asked in prop::collection::vec((any::<prop::sample::Index>(), 0..Kind::PLAIN.len()), 1..8),
    ) {
        let other = merge(&one, &layer);
        let mut paths = vec![TreePath::root(), TreePath::new("a/b/c/d").unwrap()];
        for tree in [&one, &other] {
            all_paths(tree.dir(), &TreePath::root(), &mut paths);
        }
        let mut set = PathSet::default();
        for (at, kind) in asked {
            let path = paths[at.index(paths.len())].clone();
            set.ask(Place { root: 0, path }, Kind::PLAIN[kind].clone());
        }
        let changes = Changes::between(&one, &other);
        let untouched = changes.map(|changes| !touched(&set.to_bytes(), &[changes]).unwrap());
        if untouched == Some(true) {
            prop_assert_eq!(set.answer(&[&one]), set.answer(&[&other]));
        }
        let none = Changes::between(&one, &round_trip(&one)).unwrap();
        prop_assert!(none.is_empty() && !touched(&set.to_bytes(), &[none]).unwrap());
    }

    #[test]
    fn trees_are_read_as_written(tree in trees()) {
        prop_assert_eq!(round_trip(&tree), tree);
    }

    #[test]
    fn layers_are_read_as_written(layer in layers()) {
        let mut read = Layer::from_pack(layer.to_pack()).expect("a pack that was just written");
        prop_assert_eq!(read.digest(), layer.digest());
        read.apply_times(layer.times().1).expect("times that were just written");
        prop_assert_eq!(read.digest(), layer.digest());
        prop_assert_eq!(read, layer);
    }

    #[test]
    fn equal_digests_are_equal_trees_but_for_times(one in trees(), other in trees()) {
        let equal = without_times(&one) == without_times(&other);
        prop_assert_eq!(one.digest() == other.digest(), equal);
    }

    #[test]
    fn what_decodes_is_canonical(tree in trees(), at in any::<prop::sample::Index>(), flip in 1..=255_u8) {
        let mut pack = tree.to_pack();
        let at = at.index(pack.len());
        pack[at] ^= flip;
        if let Ok(read) = Tree::from_pack(pack.clone()) {
            prop_assert_ne!(read.digest(), tree.digest());
            prop_assert_eq!(read.to_pack(), pack);
        }
    }

    #[test]
    fn a_cut_pack_is_refused(tree in trees(), at in any::<prop::sample::Index>()) {
        let pack = tree.to_pack();
        prop_assert!(Tree::from_pack(&pack[..at.index(pack.len())]).is_err());
    }

    #[test]
    fn tars_carry_layers(lower in trees(), layer in layers()) {
        let merged = merge(&lower, &layer);
        let mut blobs = Blobs::all();
        let mut bytes = Vec::new();
        tar::export(&layer, &merged, &blobs, &ExportOptions::default(), &mut bytes).expect("exports");
        let read = tar::import(&bytes[..], &mut blobs, &ImportOptions::default()).expect("imports");
        let through_tar = merge(&lower, &read);
        prop_assert_eq!(generate::as_in_a_tar(&through_tar), generate::as_in_a_tar(&merged));
        let mut again = Vec::new();
        tar::export(&read, &through_tar, &blobs, &ExportOptions::default(), &mut again).expect("exports");
        prop_assert_eq!(again, bytes);
    }

    #[test]
    fn tars_carry_trees(tree in trees()) {
        let mut blobs = Blobs::all();
        let mut bytes = Vec::new();
        tar::export_tree(&tree, &blobs, &ExportOptions::default(), &mut bytes).expect("exports");
        let read = tar::import(&bytes[..], &mut blobs, &ImportOptions::default()).expect("imports");
        prop_assert_eq!(generate::as_in_a_tar(&merge(&Tree::empty(), &read)), generate::as_in_a_tar(&tree));
    }
}
