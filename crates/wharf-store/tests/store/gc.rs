//! What garbage collection keeps and what it takes.

use std::{fs, time::Duration};

use wharf_store::{GcPolicy, ImageRecord, LayerId, MemoKey, Root, Store};

use crate::{
    child,
    context::{Context, blobs_of, key, put_files, result_of, tick},
};

const EVERYTHING: GcPolicy = GcPolicy {
    max_bytes: Some(0),
    max_cache_bytes: None,
    max_cache_age: None,
    max_age: None,
    max_records: None,
    dry_run: false,
};

fn put_result(store: &Store, name: &str) -> LayerId {
    let (_, id) = put_files(store, name, 4);
    store.put_result(&result_of(name, id)).unwrap();
    id
}

/// Whether the layer of [`put_result`] is here whole.
fn is_whole(context: &Context, name: &str, id: &LayerId) -> bool {
    let tree = context.file(&format!("trees/{}", id.tree.0.hex())).exists();
    let times = context.file(&format!("times/{}", id.times.0.hex())).exists();
    let blobs: Vec<_> = blobs_of(name, 4)
        .iter()
        .map(|blob| context.blob_file(blob).exists())
        .collect();
    let all = [vec![tree, times], blobs].concat();
    assert!(
        all.iter().all(|here| *here == tree),
        "{name}: half of it is here: {all:?}"
    );
    tree
}

#[test]
fn what_nothing_names_goes() {
    let context = Context::new();
    let store = context.open();
    let garbage = store.put_bytes(b"garbage").unwrap();
    let (_, orphan) = put_files(&store, "orphan", 4);
    let kept = put_result(&store, "kept");
    let set = store.put_path_set(b"garbage").unwrap();
    drop(store);
    tick();
    let report = context.open().gc(&GcPolicy::default()).unwrap();
    assert!(!context.blob_file(&garbage).exists());
    assert!(!is_whole(&context, "orphan", &orphan));
    assert!(is_whole(&context, "kept", &kept));
    assert!(!context.file(&format!("paths/{}", set.hex())).exists());
    assert_eq!(report.removed, 1 + 6 + 1);
    assert_eq!(report.kept, 4 + 2 + 1, "blobs, tree and times, result");
    assert!(report.freed > 0 && report.kept_bytes > 0);
    let again = context.open().gc(&GcPolicy::default()).unwrap();
    assert_eq!((again.removed, again.freed, again.kept), (0, 0, report.kept));
}

#[test]
fn images_pins_and_memos_keep_what_they_need() {
    let context = Context::new();
    let store = context.open();
    let ids = ["image", "pin", "memo", "result", "pinned result"].map(|name| put_files(&store, name, 4).1);
    let manifest = store.put_bytes(b"manifest").unwrap();
    let config = store.put_bytes(b"config").unwrap();
    let image = ImageRecord {
        manifest,
        media_type: String::new(),
        size: 8,
        layers: vec![ids[0]],
        blobs: vec![config],
        images: Vec::new(),
        named_at: 0,
        rest: serde_json::Map::new(),
    };
    store.put_image("example.com/a", &image).unwrap();
    store
        .pin("p", &[Root::Layer(ids[1]), Root::Result(key("pinned result"))])
        .unwrap();
    store
        .set_memo(&MemoKey::new("k", &[]), &0, &[Root::Layer(ids[2])])
        .unwrap();
    store.put_result(&result_of("result", ids[3])).unwrap();
    store.put_result(&result_of("pinned result", ids[4])).unwrap();
    drop(store);
    tick();
    context.open().gc(&GcPolicy::default()).unwrap();
    for (name, id) in ["image", "pin", "memo", "result", "pinned result"]
        .iter()
        .zip(&ids)
    {
        assert!(is_whole(&context, name, id), "{name}");
    }
    context.open().gc(&EVERYTHING).unwrap();
    for (name, id) in ["image", "pin", "pinned result"]
        .iter()
        .zip([&ids[0], &ids[1], &ids[4]])
    {
        assert!(is_whole(&context, name, id), "{name}");
    }
    for (name, id) in ["memo", "result"].iter().zip(&ids[2..]) {
        assert!(!is_whole(&context, name, id), "{name}");
    }
    assert!(context.blob_file(&manifest).exists() && context.blob_file(&config).exists());
    assert!(context.open().result(&key("pinned result")).unwrap().is_some());
    let store = context.open();
    store.remove_image("example.com/a").unwrap();
    store.unpin("p").unwrap();
    drop(store);
    tick();
    let report = context.open().gc(&EVERYTHING).unwrap();
    assert_eq!((report.kept, report.kept_bytes), (0, 0));
}

#[test]
fn the_least_recently_used_go_first_until_the_cap_holds() {
    let context = Context::new();
    let ids: Vec<_> = (0..6)
        .map(|number| {
            tick();
            put_result(&context.open(), &number.to_string())
        })
        .collect();
    let one = context.open().df().unwrap().total() / 6;
    tick();
    context.open().result(&key("0")).unwrap().unwrap();
    tick();
    let policy = GcPolicy {
        max_bytes: Some(3 * one + one / 2),
        ..GcPolicy::default()
    };
    let planned = context
        .open()
        .gc(&GcPolicy {
            dry_run: true,
            ..policy.clone()
        })
        .unwrap();
    assert!(
        ids.iter()
            .enumerate()
            .all(|(number, id)| is_whole(&context, &number.to_string(), id))
    );
    let report = context.open().gc(&policy).unwrap();
    assert_eq!(report, planned);
    let left: Vec<_> = (0..6)
        .map(|number| is_whole(&context, &number.to_string(), &ids[number]))
        .collect();
    assert_eq!(left, [true, false, false, false, true, true]);
    assert!(report.kept_bytes <= policy.max_bytes.unwrap());
}

#[test]
fn results_get_too_old() {
    let context = Context::new();
    let old = put_result(&context.open(), "old");
    let file = fs::File::options()
        .write(true)
        .open(context.file(&format!("results/{}", key("old").0.hex())))
        .unwrap();
    let then = std::time::SystemTime::now() - Duration::from_secs(1000);
    file.set_times(fs::FileTimes::new().set_modified(then).set_accessed(then))
        .unwrap();
    let new = put_result(&context.open(), "new");
    tick();
    let policy = GcPolicy {
        max_age: Some(Duration::from_mins(15)),
        ..GcPolicy::default()
    };
    context.open().gc(&policy).unwrap();
    assert!(!is_whole(&context, "old", &old));
    assert!(is_whole(&context, "new", &new));
}

#[test]
fn a_living_handle_keeps_what_it_put_found_or_holds() {
    let context = Context::new();
    let (put, found, held, other) = {
        let store = context.open();
        (
            store.put_bytes(b"put before").unwrap(),
            put_result(&store, "found"),
            put_files(&store, "held", 4).1,
            put_result(&store, "other"),
        )
    };
    tick();
    let store = context.open();
    store.put_bytes(b"put before").unwrap();
    let new = store.put_bytes(b"new").unwrap();
    store.result(&key("found")).unwrap().unwrap();
    store.hold(&Root::Layer(held)).unwrap();
    tick();
    context.open().gc(&EVERYTHING).unwrap();
    assert!(context.blob_file(&put).exists() && context.blob_file(&new).exists());
    assert!(is_whole(&context, "found", &found));
    assert!(is_whole(&context, "held", &held));
    assert!(!is_whole(&context, "other", &other));
    drop(store);
    tick();
    let report = context.open().gc(&EVERYTHING).unwrap();
    assert_eq!(report.kept, 0);
}

#[test]
fn a_settled_handle_keeps_only_its_roots() {
    let context = Context::new();
    let store = context.open();
    let held = put_files(&store, "held", 4).1;
    let other = put_result(&store, "other");
    store.settle(&[Root::Layer(held)]).unwrap();
    tick();
    context.open().gc(&EVERYTHING).unwrap();
    assert!(is_whole(&context, "held", &held));
    assert!(!is_whole(&context, "other", &other));
}

#[test]
fn leftovers_of_a_killed_collection_are_put_back() {
    let context = Context::new();
    let id = put_result(&context.open(), "x");
    let blob = blobs_of("x", 4)[0];
    let trash = |place: &str| context.file(&format!("trash/{}", place.replace('/', "~")));
    let hex = blob.hex();
    fs::rename(
        context.blob_file(&blob),
        trash(&format!("blobs/{}/{hex}", &hex[..2])),
    )
    .unwrap();
    let tree = format!("trees/{}", id.tree.0.hex());
    fs::rename(context.file(&tree), trash(&tree)).unwrap();
    // As long as somebody collects, things are found where they are.
    let lock = fs::File::create(context.file("locks/maintenance")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    context.open().open_blob(&blob).unwrap();
    assert!(!context.blob_file(&blob).exists());
    drop(lock);
    context.open();
    assert!(is_whole(&context, "x", &id));
    assert_eq!(context.names("trash"), [""; 0]);
}

#[test]
fn heads_locks_records_and_old_stat_caches_are_pruned() {
    let context = Context::new();
    let store = context.open();
    put_result(&store, "x");
    let (family, lane) = (wharf_oci::Digest::of(b"f"), wharf_oci::Digest::of(b"l"));
    store.set_head(&family, &lane, &key("x")).unwrap();
    let ids: Vec<_> = (0..4)
        .map(|_| store.begin_record().unwrap().id().clone())
        .collect();
    fs::write(context.file("locks/left-behind"), "1").unwrap();
    drop(store);
    tick();
    let store = context.open();
    store
        .gc(&GcPolicy {
            max_records: Some(1),
            ..GcPolicy::default()
        })
        .unwrap();
    assert_eq!(store.head(&family, &lane).unwrap(), Some(key("x")));
    assert_eq!(store.records().unwrap().len(), 1);
    assert!(ids.contains(&store.records().unwrap()[0]));
    assert!(!context.file("locks/left-behind").exists());
    store.gc(&EVERYTHING).unwrap();
    assert_eq!(store.head(&family, &lane).unwrap(), None);
    assert_eq!(context.names("heads"), [""; 0]);
}

#[test]
fn one_at_a_time() {
    let context = Context::new();
    let store = context.open();
    let lock = fs::File::create(context.file("locks/maintenance")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    assert!(matches!(
        store.gc(&GcPolicy::default()),
        Err(wharf_store::GcError::Running { .. })
    ));
    assert!(matches!(
        store.verify(),
        Err(wharf_store::GcError::Running { .. })
    ));
}

#[test]
fn builds_and_collections_at_once() {
    let context = Context::new();
    drop(context.open());
    let roles = ["churn", "churn", "churn", "collect"];
    let running: Vec<_> = roles
        .iter()
        .map(|role| child::start(role, &context.root()))
        .collect();
    running.into_iter().for_each(child::Running::finish);
    assert!(context.open().verify().unwrap().damage.is_empty());
}
