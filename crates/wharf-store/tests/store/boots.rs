//! What a crash of the machine may have damaged is looked at before it is believed.

use std::fs;

use wharf_oci::Digest;
use wharf_store::{BlobError, ImageRecord, Store, TreeError};

use crate::context::{Context, put_files, result_of, tick};

/// Replaces a file's bytes by zeros, as a crash does, leaving its times.
fn lose_content(path: &std::path::Path) {
    let times = fs::metadata(path).unwrap();
    fs::write(path, vec![0; times.len() as usize]).unwrap();
    let times = fs::FileTimes::new()
        .set_modified(times.modified().unwrap())
        .set_accessed(times.accessed().unwrap());
    fs::File::options()
        .write(true)
        .open(path)
        .unwrap()
        .set_times(times)
        .unwrap();
}

#[test]
fn content_lost_in_a_crash_is_a_miss() {
    let context = Context::new();
    let store = context.open_in_boot("one");
    let lost = store.put_bytes(b"lost").unwrap();
    let kept = store.put_bytes(b"kept").unwrap();
    drop(store);
    lose_content(&context.blob_file(&lost));
    tick();
    let store = context.open_in_boot("two");
    assert!(!store.contains(&lost).unwrap());
    assert!(store.contains(&kept).unwrap());
    assert!(matches!(store.open_blob(&lost), Err(BlobError::Missing(_))));
    assert_eq!(store.put_bytes(b"lost").unwrap(), lost);
    assert_eq!(store.read_blob(&lost, 10).unwrap(), b"lost");
}

#[test]
fn what_is_in_doubt_is_not_at_hand() {
    let context = Context::new();
    let store = context.open_in_boot("one");
    let blobs = [b"lost", b"kept"].map(|bytes| store.put_bytes(bytes).unwrap());
    let at_hand = |store: &Store, blob: &Digest| store.open_blob_at_hand(blob).unwrap().is_some();
    assert!(blobs.iter().all(|blob| at_hand(&store, blob)));
    assert!(!at_hand(&store, &Digest::of(b"never there")));
    drop(store);
    lose_content(&context.blob_file(&blobs[0]));
    tick();
    let store = context.open_in_boot("two");
    assert!(!blobs.iter().any(|blob| at_hand(&store, blob)));
    assert!(store.open_blob(&blobs[1]).is_ok(), "it was looked at");
    assert!(matches!(store.open_blob(&blobs[0]), Err(BlobError::Missing(_))));
}

#[test]
fn an_image_is_confirmed_by_what_is_whole_after_a_crash() {
    for part in ["trees", "times", "pulled", ""] {
        let context = Context::new();
        let store = context.open_in_boot("one");
        let (_, id) = put_files(&store, "x", 3);
        let (manifest, pulled) = (
            store.put_bytes(b"{}").unwrap(),
            store.put_bytes(b"pulled").unwrap(),
        );
        drop(store);
        match part {
            "trees" => lose_content(&context.file(&format!("trees/{}", id.tree.0.hex()))),
            "times" => lose_content(&context.file(&format!("times/{}", id.times.0.hex()))),
            "pulled" => lose_content(&context.blob_file(&pulled)),
            _ => {}
        }
        tick();
        let store = context.open_in_boot("two");
        let image = ImageRecord {
            manifest,
            media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
            size: 2,
            layers: vec![id],
            blobs: vec![manifest, pulled],
            images: Vec::new(),
            named_at: 0,
            rest: serde_json::Map::new(),
        };
        let confirmed = store.confirm_image(image.clone());
        match part {
            "trees" | "times" => {
                assert!(
                    matches!(confirmed, Err(TreeError::Corrupt { .. })),
                    "{confirmed:?}"
                );
                assert_eq!(store.losses(), 1);
                assert!(!store.has_layer(&id).unwrap());
            }
            "pulled" => assert_eq!(confirmed.unwrap().blobs, [manifest]),
            _ => assert_eq!(confirmed.unwrap(), image),
        }
    }
}

#[test]
fn what_was_synced_is_believed() {
    let context = Context::new();
    let store = context.open_in_boot("one");
    let before = store.put_bytes(b"before").unwrap();
    tick();
    store.sync().unwrap();
    tick();
    let after = store.put_bytes(b"after").unwrap();
    drop(store);
    for blob in [before, after] {
        lose_content(&context.blob_file(&blob));
    }
    tick();
    let store = context.open_in_boot("two");
    assert!(store.contains(&before).unwrap(), "not looked at");
    assert!(!store.contains(&after).unwrap(), "looked at");
}

#[test]
fn a_later_boots_sync_says_nothing_about_an_earlier_boot() {
    let context = Context::new();
    let lost = context.open_in_boot("one").put_bytes(b"lost").unwrap();
    lose_content(&context.blob_file(&lost));
    tick();
    let store = context.open_in_boot("two");
    store.put_bytes(b"x").unwrap();
    store.sync().unwrap();
    drop(store);
    tick();
    assert!(!context.open_in_boot("three").contains(&lost).unwrap());
}

#[test]
fn what_was_looked_at_once_is_believed_from_then_on() {
    let context = Context::new();
    let blob = context.open_in_boot("one").put_bytes(b"sound").unwrap();
    tick();
    let store = context.open_in_boot("two");
    assert!(store.contains(&blob).unwrap());
    lose_content(&context.blob_file(&blob));
    assert!(store.contains(&blob).unwrap(), "not looked at again");
}

#[test]
fn an_open_blob_is_looked_at_too_and_what_leads_to_it_is_forgotten() {
    let context = Context::new();
    let store = context.open_in_boot("one");
    let (_, id) = put_files(&store, "x", 3);
    store.put_result(&result_of("step", id)).unwrap();
    drop(store);
    let lost = crate::context::blobs_of("x", 3)[1];
    lose_content(&context.blob_file(&lost));
    tick();
    let store = context.open_in_boot("two");
    let key = crate::context::key("step");
    assert!(store.result(&key).unwrap().is_some());
    assert!(matches!(store.open_blob(&lost), Err(BlobError::Missing(_))));
    assert!(store.result(&key).unwrap().is_none(), "the step runs again");
}

#[test]
fn an_unknown_boot_believes_only_what_is_new() {
    let context = Context::new();
    let lost = context.open_in_boot("one").put_bytes(b"lost").unwrap();
    lose_content(&context.blob_file(&lost));
    tick();
    let store = wharf_store::Store::open(&context.root(), wharf_store::StoreOptions::default()).unwrap();
    assert!(!store.contains(&lost).unwrap());
    let new = store.put_bytes(b"new").unwrap();
    assert!(store.contains(&new).unwrap());
}

#[test]
fn a_damaged_object_is_written_again() {
    let context = Context::new();
    let (layer, id) = put_files(&context.open_in_boot("one"), "x", 3);
    lose_content(&context.file(&format!("trees/{}", id.tree.0.hex())));
    lose_content(&context.file(&format!("times/{}", id.times.0.hex())));
    tick();
    context.open_in_boot("two").put_layer(&layer).unwrap();
    assert_eq!(*context.open_in_boot("two").layer(&id).unwrap(), layer);
}
