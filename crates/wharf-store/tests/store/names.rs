//! Opening, images, pins, scratch.

use std::{fs, os::unix::fs::PermissionsExt};

use wharf_oci::Digest;
use wharf_store::{ImageRecord, OpenError, Root, Store, StoreError, StoreOptions};

use crate::context::{Context, put_files};

fn image(store: &Store, seed: &str) -> ImageRecord {
    let (_, id) = put_files(store, seed, 2);
    let manifest = store.put_bytes(seed.as_bytes()).unwrap();
    ImageRecord {
        manifest,
        media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
        size: seed.len() as u64,
        layers: vec![id],
        blobs: Vec::new(),
        images: Vec::new(),
        named_at: 1_700_000_000,
        rest: serde_json::Map::new(),
    }
}

#[test]
fn names_of_images() {
    let context = Context::new();
    let store = context.open();
    let long = format!("example.com/{}:1", "x".repeat(300));
    let names = ["example.com/a/b:1.0", "example.com/a:b", "../../x", &long];
    for name in names {
        store.put_image(name, &image(&store, name)).unwrap();
    }
    let store = context.open();
    let mut sorted = names;
    sorted.sort_unstable();
    let found = store.images().unwrap();
    assert_eq!(found.iter().map(|(name, _)| name).collect::<Vec<_>>(), sorted);
    for name in names {
        assert_eq!(store.image(name).unwrap(), Some(image(&store, name)));
    }
    store.put_image(names[0], &image(&store, "new")).unwrap();
    assert_eq!(store.image(names[0]).unwrap(), Some(image(&store, "new")));
    assert!(store.remove_image(names[0]).unwrap());
    assert!(!store.remove_image(names[0]).unwrap());
    assert_eq!(store.image(names[0]).unwrap(), None);
}

#[test]
fn pins_by_name() {
    let context = Context::new();
    let store = context.open();
    let roots = [Root::Blob(Digest::of(b"a")), Root::Paths(Digest::of(b"b"))];
    store.pin("release/1", &roots).unwrap();
    assert_eq!(
        context.open().pins().unwrap(),
        [("release/1".to_owned(), roots.to_vec())]
    );
    assert!(store.unpin("release/1").unwrap());
    assert!(!store.unpin("release/1").unwrap());
}

#[test]
fn a_store_is_the_callers_alone() {
    let context = Context::new();
    context.open();
    let mode = fs::metadata(context.file("blobs")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn a_store_with_unknown_features_is_refused() {
    let context = Context::new();
    drop(context.open());
    let body = r#"{"requires":["packs"]}"#;
    fs::write(
        context.file("format"),
        format!("{}\n{body}", Digest::of(body.as_bytes())),
    )
    .unwrap();
    let error = Store::open(&context.root(), StoreOptions::default()).unwrap_err();
    assert!(
        matches!(&error, OpenError::Newer { features, .. } if features == &["packs"]),
        "{error}"
    );
}

#[test]
fn a_half_made_store_is_completed() {
    let context = Context::new();
    drop(context.open());
    fs::remove_file(context.file("format")).unwrap();
    fs::remove_dir(context.file("trees")).unwrap();
    put_files(&context.open(), "x", 1);
    assert!(context.file("format").exists());
}

#[test]
fn where_no_store_can_be_is_told() {
    let context = Context::new();
    let file = context.scratch.write("file", "");
    let error = Store::open(&file, StoreOptions::default()).unwrap_err();
    assert!(
        matches!(&error, OpenError::Store(StoreError::Io { path, .. }) if path.starts_with(&file)),
        "{error}"
    );
}

#[test]
fn many_open_a_new_store_at_once() {
    let context = Context::new();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let context = &context;
            scope.spawn(move || put_files(&context.open(), &number.to_string(), 3));
        }
    });
    assert!(context.open().verify().unwrap().damage.is_empty());
}

#[test]
fn scratch_is_gone_afterwards_whatever_is_in_it() {
    let context = Context::new();
    let store = context.open();
    let scratch = store.work_dir().unwrap();
    let locked = scratch.path().join("locked");
    fs::create_dir_all(locked.join("below")).unwrap();
    std::os::unix::fs::symlink("/", scratch.path().join("link")).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
    let path = scratch.path().to_owned();
    drop(scratch);
    assert!(!path.exists());
}

#[test]
fn usage_by_kind() {
    let context = Context::new();
    let store = context.open();
    store.put_image("example.com/a", &image(&store, "a")).unwrap();
    store.begin_record().unwrap().append(&"line").unwrap();
    store
        .cache_mount("id/1", wharf_store::Sharing::Shared, &mut |_| unreachable!())
        .unwrap();
    let report = store.df().unwrap();
    assert_eq!(
        (report.blobs.count, report.metadata.count, report.images),
        (3, 2, 1)
    );
    assert_eq!((report.history.count, report.caches.len()), (1, 1));
    assert_eq!(report.caches[0].id, "id/1");
    assert!(report.total() >= report.blobs.bytes && report.blobs.bytes > 0);
}
