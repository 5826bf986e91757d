//! Disks decay: what is found damaged goes, with all that leads to it, and the rest stays.

use std::{fs, io};

use wharf_oci::Digest;
use wharf_store::{BlobError, MemoKey, Root};
use wharf_tree::BlobRead;

use crate::context::{Context, blobs_of, key, put_files, result_of};

fn corrupt(path: &std::path::Path) {
    let mut bytes = fs::read(path).unwrap();
    bytes[0] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// Two results, of which the first leads to the blob that is given.
fn two_results(context: &Context) -> Digest {
    let store = context.open();
    for name in ["bad", "good"] {
        let (_, id) = put_files(&store, name, 3);
        store.put_result(&result_of(name, id)).unwrap();
    }
    blobs_of("bad", 3)[2]
}

fn assert_only_the_good_one_is_left(context: &Context) {
    let store = context.open();
    assert!(store.result(&key("bad")).unwrap().is_none());
    let good = store.result(&key("good")).unwrap().unwrap();
    store.layer(&good.layer.unwrap()).unwrap();
    assert!(store.verify().unwrap().damage.is_empty());
}

#[test]
fn a_blob_that_is_read_whole() {
    let context = Context::new();
    let blob = two_results(&context);
    corrupt(&context.blob_file(&blob));
    let error = context.open().read_blob(&blob, 100).unwrap_err();
    assert!(
        matches!(error, BlobError::Mismatch { expected, .. } if expected == blob),
        "{error:?}"
    );
    assert_only_the_good_one_is_left(&context);
}

#[test]
fn a_blob_that_is_read_for_an_export() {
    let context = Context::new();
    let blob = two_results(&context);
    corrupt(&context.blob_file(&blob));
    let mut content = BlobRead::open(&context.open(), &blob).unwrap();
    let error = io::copy(&mut content, &mut io::sink()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert_only_the_good_one_is_left(&context);
}

#[test]
fn a_blob_of_another_size_is_replaced_when_it_is_put() {
    let context = Context::new();
    let store = context.open();
    let blob = store.put_bytes(b"content").unwrap();
    fs::write(context.blob_file(&blob), "cut").unwrap();
    store.put_bytes(b"content").unwrap();
    assert_eq!(store.read_blob(&blob, 100).unwrap(), b"content");
}

#[test]
fn verify_finds_every_kind() {
    let context = Context::new();
    let store = context.open();
    let blob = two_results(&context);
    let set = store.put_path_set(b"a set").unwrap();
    let (_, layer) = put_files(&store, "damaged tree", 1);
    let (_, timed) = put_files(&store, "damaged times", 1);
    store.set_memo(&MemoKey::new("torn", &[]), &1, &[]).unwrap();
    store
        .set_memo(
            &MemoKey::new("dangling", &[]),
            &1,
            &[Root::Blob(Digest::of(b"nowhere"))],
        )
        .unwrap();
    store
        .pin("dangling", &[Root::Blob(Digest::of(b"nowhere"))])
        .unwrap();
    let clean = |damage: &[wharf_store::Damage]| {
        damage
            .iter()
            .map(|damage| damage.reason.clone())
            .collect::<Vec<_>>()
    };
    corrupt(&context.blob_file(&blob));
    corrupt(&context.file(&format!("paths/{}", set.hex())));
    corrupt(&context.file(&format!("trees/{}", layer.tree.0.hex())));
    corrupt(&context.file(&format!("times/{}", timed.times.0.hex())));
    let memos = context.names("memo");
    let torn = memos.iter().map(|name| context.file(&format!("memo/{name}")));
    torn.filter(|file| !fs::read_to_string(file).unwrap().contains("blob"))
        .for_each(|file| corrupt(&file));
    let report = store.verify().unwrap();
    let reasons = clean(&report.damage);
    // A blob, a tree, a times object and a path set; the bad result and the torn memo; the dangling memo and the pin.
    assert_eq!(reasons.len(), 8, "{:#?}", report.damage);
    assert_eq!(report.objects, 8 + 4 + 4 + 1, "{report:#?}");
    let report = store.verify().unwrap();
    assert_eq!(
        clean(&report.damage).len(),
        1,
        "only the pin is left: {:#?}",
        report.damage
    );
    assert_eq!(report.absent, 1);
    store.unpin("dangling").unwrap();
    assert_only_the_good_one_is_left(&context);
}

#[test]
fn a_blob_that_somebody_removed_is_forgotten() {
    let context = Context::new();
    let blob = two_results(&context);
    fs::remove_file(context.blob_file(&blob)).unwrap();
    let store = context.open();
    assert!(matches!(store.open_blob(&blob), Err(BlobError::Missing(_))));
    assert_eq!(store.losses(), 1);
    assert_only_the_good_one_is_left(&context);
}
