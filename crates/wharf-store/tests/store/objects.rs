//! Trees, results, path sets, slots, heads and memos come back as they were put.

use serde_json::json;
use wharf_oci::Digest;
use wharf_store::{ActionResult, LayerId, MemoKey, Root, TreeError};
use wharf_tree::{Layer, Tree, TreeBuilder, TreePath};

use crate::context::{Context, key, put_files, result_of};

#[test]
fn layers_and_trees_come_back_with_their_times() {
    let context = Context::new();
    let store = context.open();
    let (layer, id) = put_files(&store, "x", 40);
    let mut builder = TreeBuilder::new();
    let file = layer
        .dir()
        .get(b"d1")
        .unwrap()
        .node
        .as_dir()
        .unwrap()
        .get(b"f1")
        .unwrap();
    builder
        .insert(&TreePath::new("etc/copy").unwrap(), file.clone())
        .unwrap();
    let tree: Tree = builder.finish();
    let tree_id = store.put_tree(&tree).unwrap();
    for store in [store, context.open()] {
        assert_eq!(*store.layer(&id).unwrap(), layer);
        assert_eq!(*store.tree(&tree_id).unwrap(), tree);
        assert!(std::sync::Arc::ptr_eq(
            &store.layer(&id).unwrap(),
            &store.layer(&id).unwrap()
        ));
    }
}

#[test]
fn a_layer_with_other_times_shares_its_tree() {
    let context = Context::new();
    let store = context.open();
    let (layer, id) = put_files(&store, "x", 3);
    let mut later = layer.clone();
    let mut times = layer.times().1;
    *times.last_mut().unwrap() = 0;
    times[8 + 4] ^= 1;
    later.apply_times(times).unwrap();
    let later_id = store.put_layer(&later).unwrap();
    assert_eq!(id.tree, later_id.tree);
    assert_ne!(id.times, later_id.times);
    assert_eq!(context.names("trees").len(), 1);
    let store = context.open();
    assert_eq!(*store.layer(&later_id).unwrap(), later);
    assert_eq!(*store.layer(&id).unwrap(), layer);
}

#[test]
fn what_is_missing_or_damaged_is_told_apart() {
    let context = Context::new();
    let (_, id) = put_files(&context.open(), "x", 3);
    let other = LayerId {
        tree: wharf_tree::TreeDigest(Digest::of(b"")),
        ..id
    };
    assert!(matches!(context.open().layer(&other), Err(TreeError::Missing(tree)) if tree == other.tree));
    let other = LayerId {
        times: wharf_tree::TimesDigest(Digest::of(b"")),
        ..id
    };
    assert!(
        matches!(context.open().layer(&other), Err(TreeError::MissingTimes(times)) if times == other.times)
    );
    let file = context.file(&format!("trees/{}", id.tree.0.hex()));
    let mut bytes = std::fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&file, bytes).unwrap();
    assert!(matches!(
        context.open().layer(&id),
        Err(TreeError::Corrupt { .. })
    ));
    assert!(matches!(context.open().layer(&id), Err(TreeError::Missing(_))));
}

/// A layer whose pack is worth an index, read often enough for it to have one.
fn indexed(context: &Context, files: usize) -> (Layer, LayerId) {
    let (layer, id) = put_files(&context.open(), "x", files);
    std::thread::sleep(std::time::Duration::from_millis(80));
    assert_eq!(*context.open().layer(&id).unwrap(), layer);
    assert_eq!(context.names("stat").len(), 1);
    (layer, id)
}

fn change(path: &std::path::Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_large_layer_is_checked_once() {
    let context = Context::new();
    // The pack of the second stays on the disk.
    for files in [600, 4000] {
        let context = Context::new();
        let (layer, id) = indexed(&context, files);
        let size = std::fs::metadata(context.file(&format!("trees/{}", id.tree.0.hex())))
            .unwrap()
            .len();
        assert_eq!(size >= 128 << 10, files == 4000, "{size}");
        for _ in 0..2 {
            assert_eq!(*context.open().layer(&id).unwrap(), layer);
        }
    }
    let (layer, id) = indexed(&context, 600);
    // An index that is no index is none.
    let index = context.file(&format!("stat/{}", context.names("stat")[0]));
    std::fs::write(&index, &std::fs::read(&index).unwrap()[..100]).unwrap();
    assert_eq!(*context.open().layer(&id).unwrap(), layer);
    assert_eq!(*context.open().layer(&id).unwrap(), layer);
}

#[test]
fn a_large_layer_that_changed_after_its_check_is_checked_again() {
    for directory in ["trees", "times"] {
        let context = Context::new();
        let (_, id) = indexed(&context, 600);
        let object = if directory == "trees" {
            id.tree.0
        } else {
            id.times.0
        };
        change(&context.file(&format!("{directory}/{}", object.hex())), 1000);
        let found = context.open().layer(&id);
        assert!(
            matches!(found, Err(TreeError::Corrupt { .. })),
            "{directory}: {found:?}"
        );
        assert_eq!(context.names(directory), [""; 0]);
    }
}

#[test]
fn after_a_crash_a_large_layer_is_checked_again() {
    let context = Context::new();
    let (layer, id) = indexed(&context, 600);
    let file = context.file(&format!("trees/{}", id.tree.0.hex()));
    let written = std::fs::metadata(&file).unwrap().modified().unwrap();
    change(&file, 1000);
    let restore = std::fs::File::options().write(true).open(&file).unwrap();
    restore.set_modified(written).unwrap();
    // What nothing shows in this boot is seen in the next one, for which nothing says that it reached the disk.
    std::thread::sleep(std::time::Duration::from_millis(20));
    let found = context.open_in_boot("two").layer(&id);
    assert!(matches!(found, Err(TreeError::Corrupt { .. })), "{found:?}");
    assert_eq!(put_files(&context.open_in_boot("two"), "x", 600), (layer, id));
}

#[test]
fn results_come_back_and_keep_fields_of_other_versions() {
    let context = Context::new();
    let store = context.open();
    let (_, id) = put_files(&store, "x", 1);
    let mut result = result_of("step", id);
    result
        .rest
        .insert("from-the-future".to_owned(), json!({"a": [1]}));
    assert_eq!(store.result(&result.key).unwrap(), None);
    store.put_result(&result).unwrap();
    let found = context.open().result(&result.key).unwrap().unwrap();
    assert_eq!(found, result);
    result.ran_at += 1;
    store.put_result(&result).unwrap();
    assert_eq!(context.open().result(&result.key).unwrap(), Some(result));
}

#[test]
fn the_form_of_a_result_on_disk() {
    let id = LayerId {
        tree: wharf_tree::TreeDigest(Digest::of(b"tree")),
        times: wharf_tree::TimesDigest(Digest::of(b"times")),
    };
    let text = serde_json::to_value(result_of("step", id)).unwrap();
    assert_eq!(
        text,
        json!({
            "key": Digest::of(b"step"),
            "layer": {"tree": Digest::of(b"tree"), "times": Digest::of(b"times")},
            "tree": Digest::of(b"tree"),
            "ran_at": 1_700_000_000,
            "duration_ms": 12,
            "recorder": "fuse",
        })
    );
    let least = json!({"key": Digest::of(b"k"), "tree": Digest::of(b"t"), "ran_at": 0, "duration_ms": 0, "recorder": "none"});
    let result: ActionResult = serde_json::from_value(least).unwrap();
    assert_eq!(
        (result.layer, result.read_set, result.blobs.len()),
        (None, None, 0)
    );
}

#[test]
fn a_torn_record_is_a_miss() {
    let context = Context::new();
    let store = context.open();
    let (_, id) = put_files(&store, "x", 1);
    store.put_result(&result_of("step", id)).unwrap();
    let file = context.file(&format!("results/{}", key("step").0.hex()));
    let bytes = std::fs::read(&file).unwrap();
    for torn in [&bytes[..0], &bytes[..bytes.len() / 2], &vec![0; bytes.len()]] {
        std::fs::write(&file, torn).unwrap();
        assert_eq!(context.open().result(&key("step")).unwrap(), None);
    }
    // A whole record under another's name is nobody's.
    std::fs::write(context.file(&format!("results/{}", key("other").0.hex())), bytes).unwrap();
    assert_eq!(context.open().result(&key("other")).unwrap(), None);
}

#[test]
fn path_sets_slots_and_heads() {
    let context = Context::new();
    let store = context.open();
    let set = store.put_path_set(b"a set").unwrap();
    let slot = Digest::of(b"slot");
    assert_eq!(store.path_slot(&slot).unwrap(), None);
    store.set_path_slot(&slot, &set).unwrap();
    let (family, lane) = (Digest::of(b"family"), Digest::of(b"lane"));
    assert_eq!(store.head(&family, &lane).unwrap(), None);
    store.set_head(&family, &lane, &key("step")).unwrap();
    let store = context.open();
    assert_eq!(store.path_slot(&slot).unwrap(), Some(set));
    assert_eq!(store.path_set(&set).unwrap().as_deref(), Some(&b"a set"[..]));
    assert_eq!(store.head(&family, &lane).unwrap(), Some(key("step")));
    std::fs::write(context.file(&format!("paths/{}", set.hex())), "damaged").unwrap();
    assert_eq!(store.path_set(&set).unwrap(), None);
}

#[test]
fn memos_by_kind_and_parts() {
    let context = Context::new();
    let store = context.open();
    let memo = MemoKey::new("diff-id", &[b"ab", b"c"]);
    let blob = store.put_bytes(b"layer").unwrap();
    store.set_memo(&memo, &(blob, 5u64), &[Root::Blob(blob)]).unwrap();
    let store = context.open();
    assert_eq!(store.memo::<(Digest, u64)>(&memo).unwrap(), Some((blob, 5)));
    assert_eq!(store.memo::<String>(&memo).unwrap(), None, "another shape");
    for other in [
        MemoKey::new("diff-id", &[b"a", b"bc"]),
        MemoKey::new("diff-id", &[b"abc"]),
        MemoKey::new("layer", &[b"ab", b"c"]),
    ] {
        assert_eq!(store.memo::<(Digest, u64)>(&other).unwrap(), None);
    }
}
