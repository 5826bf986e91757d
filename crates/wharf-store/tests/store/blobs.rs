//! Blobs: in, out, from files and from sources.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::MetadataExt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use wharf_oci::Digest;
use wharf_store::{BlobError, BlobWriter, Source, SourceError, Store};
use wharf_tree::{BlobRead, BlobSink};

use crate::context::Context;

fn read(store: &Store, digest: &Digest) -> Vec<u8> {
    let mut bytes = Vec::new();
    store.open_blob(digest).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

/// Lengths around the limits at which the way of writing changes.
const LENGTHS: [usize; 8] = [0, 1, 4096, 131_071, 131_072, 131_073, 262_144, 1_000_003];

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 % 251) as u8).collect()
}

#[test]
fn every_way_in_gives_the_same_blob() {
    for length in LENGTHS {
        let context = Context::new();
        let (store, bytes) = (context.open(), content(length));
        let digest = Digest::of(&bytes);
        let file = context.scratch.write("file", &bytes);
        let ways: [&dyn Fn() -> Digest; 5] = [
            &|| store.put_bytes(&bytes).unwrap(),
            &|| store.put(&mut &bytes[..]).unwrap().digest,
            &|| store.put_file(&File::open(&file).unwrap()).unwrap().digest,
            &|| store.take_file(&file).unwrap().digest,
            &|| BlobSink::put(&mut store.clone(), &mut &bytes[..], length as u64).unwrap(),
        ];
        for way in ways {
            drop(fs::remove_file(context.blob_file(&digest)));
            fs::write(&file, &bytes).unwrap();
            assert!(!store.contains(&digest).unwrap());
            for _ in 0..2 {
                assert_eq!(way(), digest, "{length}");
                assert!(store.contains(&digest).unwrap());
                assert_eq!(store.blob_size(&digest).unwrap(), Some(length as u64));
                assert_eq!(read(&store, &digest), bytes);
                let metadata = fs::metadata(context.blob_file(&digest)).unwrap();
                assert_eq!((metadata.mode() & 0o7777, metadata.nlink()), (0o644, 1));
                fs::write(&file, &bytes).unwrap();
            }
        }
        assert_eq!(read_all(&store, &digest).unwrap(), bytes);
        assert_eq!(store.read_blob(&digest, length as u64).unwrap(), bytes);
        drop(store);
        assert_eq!(context.names("work"), [""; 0]);
        assert_eq!(context.names("leases"), [""; 0]);
    }
}

fn read_all(store: &Store, digest: &Digest) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    BlobRead::open(store, digest)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[test]
fn zeros_take_no_room() {
    let context = Context::new();
    let store = context.open();
    let stored = store.put(&mut io::repeat(0).take(20 << 20)).unwrap();
    assert_eq!(stored.size, 20 << 20);
    let metadata = fs::metadata(context.blob_file(&stored.digest)).unwrap();
    assert_eq!(metadata.len(), 20 << 20);
    assert!(metadata.blocks() * 512 < 1 << 20, "{} blocks", metadata.blocks());
    assert!(store.verify().unwrap().damage.is_empty());
}

#[test]
fn unfinished_and_wrong_ones_leave_nothing() {
    let context = Context::new();
    let store = context.open();
    let mut writer = store.writer();
    writer.write_all(&vec![1; 500_000]).unwrap();
    drop(writer);
    let mut writer = store.writer();
    writer.write_all(&vec![2; 500_000]).unwrap();
    let error = writer.finish(Some(&Digest::of(b"other"))).unwrap_err();
    assert!(matches!(error, BlobError::Mismatch { expected, .. } if expected == Digest::of(b"other")));
    assert_eq!(context.names("blobs"), [""; 0]);
    let work = context.names("work");
    assert_eq!(
        fs::read_dir(context.file(&format!("work/{}", work[0])))
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn a_reader_that_fails_is_not_the_stores_fault() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    let context = Context::new();
    let error = context.open().put(&mut Broken).unwrap_err();
    assert!(matches!(error, BlobError::Input(error) if error.kind() == io::ErrorKind::ConnectionReset));
}

#[test]
fn a_file_is_taken_by_moving_it_only_if_it_is_plain() {
    let context = Context::new();
    let store = context.open();
    let inode = |path: &std::path::Path| fs::metadata(path).unwrap().ino();

    let plain = context.scratch.write("plain", vec![1; 200_000]);
    let before = inode(&plain);
    let taken = store.take_file(&plain).unwrap();
    assert_eq!(inode(&context.blob_file(&taken.digest)), before);
    assert!(!plain.exists());

    let linked = context.scratch.write("linked", vec![2; 200_000]);
    fs::hard_link(&linked, context.scratch.join("other")).unwrap();
    let taken = store.take_file(&linked).unwrap();
    assert_ne!(inode(&context.blob_file(&taken.digest)), inode(&linked));
}

#[test]
fn a_taken_file_loses_xattrs_modes_and_foreign_owners() {
    if !rustix::process::geteuid().is_root() {
        return wharf_testkit::skip("giving a file to another owner needs root");
    }
    let context = Context::new();
    let file = context.scratch.write("file", vec![1; 200_000]);
    let flags = rustix::fs::XattrFlags::empty();
    let xattr = rustix::fs::setxattr(&file, "user.overlay.origin", b"", flags);
    std::os::unix::fs::chown(&file, Some(1234), Some(1234)).unwrap();
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o6755)).unwrap();
    let taken = context.open().take_file(&file).unwrap();
    let blob = context.blob_file(&taken.digest);
    let metadata = fs::metadata(&blob).unwrap();
    assert_eq!(
        (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777),
        (0, 0, 0o644)
    );
    if xattr.is_ok() {
        let mut names = [0u8; 256];
        assert_eq!(rustix::fs::listxattr(&blob, &mut names[..]).unwrap(), 0);
    }
}

#[test]
fn too_large_for_memory_is_told() {
    let context = Context::new();
    let store = context.open();
    let digest = store.put_bytes(&[1; 100]).unwrap();
    let error = store.read_blob(&digest, 99).unwrap_err();
    assert!(matches!(
        error,
        BlobError::TooLarge {
            size: 100,
            limit: 99,
            ..
        }
    ));
}

/// Has one blob, or lies about it, or fails.
#[derive(Debug)]
struct Remote {
    bytes: Vec<u8>,
    outcome: Result<bool, &'static str>,
    asked: AtomicUsize,
}

impl Remote {
    fn new(bytes: &[u8], outcome: Result<bool, &'static str>) -> Arc<Self> {
        Arc::new(Self {
            bytes: bytes.to_vec(),
            outcome,
            asked: AtomicUsize::new(0),
        })
    }
}

impl Source for Remote {
    fn fetch(&self, _: &Digest, into: &mut BlobWriter) -> Result<bool, SourceError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        thread::sleep(Duration::from_millis(20));
        into.write_all(&self.bytes).map_err(SourceError::new)?;
        self.outcome.map_err(SourceError::new)
    }
}

#[test]
fn a_missing_blob_comes_from_the_first_source_that_has_it_once() {
    let context = Context::new();
    let store = context.open();
    let bytes = vec![3; 400_000];
    let digest = Digest::of(&bytes);
    assert!(matches!(store.open_blob(&digest), Err(BlobError::Missing(missing)) if missing == digest));
    let sources = [
        Remote::new(b"", Ok(false)),
        Remote::new(b"", Err("unreachable")),
        Remote::new(b"a lie", Ok(true)),
        Remote::new(&bytes, Ok(true)),
        Remote::new(&bytes, Ok(true)),
    ];
    for source in &sources {
        store.add_source(Arc::clone(source) as _);
    }
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(read(&store, &digest), bytes));
        }
    });
    let asked: Vec<_> = sources
        .iter()
        .map(|source| source.asked.load(Ordering::Relaxed))
        .collect();
    assert_eq!(asked, [1, 1, 1, 1, 0]);
    assert!(!store.contains(&Digest::of(b"a lie")).unwrap());
}

#[test]
fn when_no_source_gives_it_the_first_failure_is_told() {
    let context = Context::new();
    let store = context.open();
    store.add_source(Remote::new(b"", Ok(false)));
    store.add_source(Remote::new(b"", Err("unreachable")));
    store.add_source(Remote::new(b"a lie", Ok(true)));
    let error = store.open_blob(&Digest::of(b"x")).unwrap_err();
    assert!(
        matches!(&error, BlobError::Fetch { source, .. } if source.to_string() == "unreachable"),
        "{error:?}"
    );
}
