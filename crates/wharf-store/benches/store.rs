//! What the store costs: `cargo bench -p wharf-store`. On the file system of the temporary directory. Names of groups
//! (`open results blobs trees stat gc`) restrict it to them.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench")]

use std::{
    cell::RefCell,
    fs,
    hint::black_box,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use wharf_oci::Digest;
use wharf_store::{
    ActionKey, ActionResult, BootId, FileStat, GcPolicy, LayerId, Recorder, Store, StoreOptions,
};
use wharf_testkit::Scratch;
use wharf_tree::{Attrs, Entry, Layer, LayerBuilder, Mtime, Node, TreePath};

const RUNS: usize = 5;

fn main() {
    let groups: [(&str, fn()); 6] = [
        ("open", opening),
        ("results", results),
        ("blobs", blobs),
        ("trees", trees),
        ("stat", stat_cache),
        ("gc", collection),
    ];
    let asked: Vec<_> = std::env::args()
        .skip(1)
        .filter(|name| !name.starts_with('-'))
        .collect();
    println!(
        "{:<55} {:>10} {:>10} {:>10}",
        "milliseconds", "median", "least", "CPU"
    );
    for (name, group) in groups {
        if asked.is_empty() || asked.iter().any(|asked| asked == name) {
            group();
        }
    }
}

/// Prints the median and the least wall time, and the median CPU time, of [`RUNS`] runs of what `prepare` makes ready.
fn measure<T>(what: &str, mut prepare: impl FnMut() -> T, mut run: impl FnMut(&mut T)) {
    let (mut wall, mut cpu): (Vec<_>, Vec<_>) = (0..RUNS)
        .map(|_| {
            let mut ready = prepare();
            let (start, start_cpu) = (Instant::now(), cpu_time());
            run(&mut ready);
            (start.elapsed(), cpu_time().saturating_sub(start_cpu))
        })
        .unzip();
    wall.sort();
    cpu.sort();
    let [median, least, cpu] =
        [wall[RUNS / 2], wall[0], cpu[RUNS / 2]].map(|time| time.as_secs_f64() * 1000.0);
    println!("{what:<55} {median:>10.3} {least:>10.3} {cpu:>10.3}");
}

/// Of all threads of this process.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn open(path: &Path) -> Store {
    let options = StoreOptions {
        boot: Some(BootId("bench".to_owned())),
        ..StoreOptions::default()
    };
    Store::open(path, options).unwrap()
}

/// Stores that stay until the end: ext4 is slow to make files where many have just been deleted (it does not use their inodes again for
/// a minute or more, and looks at each).
#[derive(Default)]
struct Stores(RefCell<Vec<Scratch>>);

impl Stores {
    fn make(&self) -> Store {
        let scratch = Scratch::new();
        let store = open(scratch.path());
        self.0.borrow_mut().push(scratch);
        store
    }
}

fn opening() {
    let scratch = Scratch::new();
    let stores = Stores::default();
    measure(
        "make a store",
        || (),
        |()| {
            black_box(stores.make());
        },
    );
    open(scratch.path());
    measure("open a store", || (), |()| drop(black_box(open(scratch.path()))));
}

fn result(number: usize, layer: LayerId) -> ActionResult {
    ActionResult {
        key: key(number),
        layer: Some(layer),
        tree: layer.tree,
        ran_at: 0,
        duration_ms: 0,
        recorder: Recorder::Fuse,
        read_set: None,
        ran_on: None,
        blobs: Vec::new(),
        rest: serde_json::Map::new(),
    }
}

fn key(number: usize) -> ActionKey {
    ActionKey(Digest::of(&number.to_le_bytes()))
}

/// A layer of `count` files, each with a content of its own, and the contents.
fn layer(seed: usize, count: usize) -> (Layer, Vec<String>) {
    let mut builder = LayerBuilder::new();
    let contents: Vec<_> = (0..count)
        .map(|number| format!("{seed} {number} {}", "x".repeat(number % 2000)))
        .collect();
    for (number, content) in contents.iter().enumerate() {
        let node = Node::File {
            digest: Digest::of(content.as_bytes()),
            size: content.len() as u64,
        };
        let entry = Entry {
            attrs: Attrs::root(0o644),
            mtime: Mtime {
                secs: seed as i64,
                nanos: 0,
            },
            node,
        };
        builder
            .insert(
                &TreePath::new(format!("d{}/f{number}", number / 50)).unwrap(),
                entry,
            )
            .unwrap();
    }
    (builder.finish(), contents)
}

fn results() {
    let scratch = Scratch::new();
    let store = open(scratch.path());
    let id = store.put_layer(&layer(0, 10).0).unwrap();
    for number in 0..1000 {
        store.put_result(&result(number, id)).unwrap();
    }
    let look_up = |numbers: std::ops::Range<usize>| {
        let store = open(scratch.path());
        store.result(&key(9999)).unwrap();
        move |(): &mut ()| {
            for number in numbers.clone() {
                black_box(store.result(&key(number)).unwrap());
            }
        }
    };
    measure("1,000 result look-ups, found", || (), look_up(0..1000));
    measure("1,000 result look-ups, not found", || (), look_up(10_000..11_000));
    let stores = Stores::default();
    let put_all = |store: &mut Store| {
        for number in 0..1000 {
            store.put_result(&result(number, id)).unwrap();
        }
    };
    measure("1,000 results put", || stores.make(), put_all);
    measure("1,000 equal results put", || open(scratch.path()), put_all);
}

fn blobs() {
    let contents: Vec<_> = (0..10_000)
        .map(|number| format!("{number} {}", "x".repeat(number % 4000)))
        .collect();
    let put_all = |store: &Store| {
        for content in &contents {
            store.put_bytes(content.as_bytes()).unwrap();
        }
    };
    let stores = Stores::default();
    let new = || stores.make();
    measure("10,000 small blobs put", new, |store| put_all(store));
    let store = new();
    put_all(&store);
    measure(
        "10,000 small blobs put that are there",
        || (),
        |()| put_all(&store),
    );
    let digests: Vec<_> = contents
        .iter()
        .map(|content| Digest::of(content.as_bytes()))
        .collect();
    measure(
        "10,000 blobs opened",
        || (),
        |()| {
            for digest in &digests {
                store.open_blob(digest).unwrap();
            }
        },
    );
    let files = |store: &Store| {
        let scratch = store.work_dir().unwrap();
        for (number, content) in contents.iter().enumerate() {
            fs::write(scratch.path().join(number.to_string()), content).unwrap();
        }
        scratch
    };
    measure(
        "10,000 small files taken",
        || {
            let store = new();
            (files(&store), store)
        },
        |(scratch, store)| {
            for number in 0..10_000 {
                store.take_file(&scratch.path().join(number.to_string())).unwrap();
            }
        },
    );
    let large = vec![7; 64 << 20];
    measure("a blob of 64 MiB put", new, |store| {
        store.put(&mut &large[..]).unwrap();
    });
}

fn trees() {
    let scratch = Scratch::new();
    let layer = layer(0, 10_000).0;
    layer.digest();
    let id = open(scratch.path()).put_layer(&layer).unwrap();
    let stores = Stores::default();
    let new = || stores.make();
    measure("a layer of 10,000 files put", new, |store| {
        black_box(store.put_layer(&layer).unwrap());
    });
    measure(
        "a layer of 10,000 files loaded",
        || open(scratch.path()),
        |store| drop(black_box(store.layer(&id).unwrap())),
    );
}

fn stat_cache() {
    let scratch = Scratch::new();
    let store = open(&scratch.join("store"));
    let stats: Vec<_> = (0..50_000u64)
        .map(|inode| FileStat {
            device: 64_512,
            inode: inode * 7 + 1_000_000,
            size: inode,
            mode: 0o100_644,
            mtime: Mtime {
                secs: 1_700_000_000,
                nanos: inode as u32,
            },
            ctime: Mtime {
                secs: 1_700_000_000,
                nanos: inode as u32 + 1,
            },
        })
        .collect();
    measure(
        "stat cache: 50,000 entries learned and saved",
        || store.stat_cache(scratch.path()).unwrap(),
        |cache| {
            for stat in &stats {
                cache.insert(stat, Digest::from_bytes([1; 32]));
            }
            cache.save().unwrap();
        },
    );
    measure(
        "stat cache: 50,000 entries loaded and checked",
        || (),
        |()| {
            let cache = store.stat_cache(scratch.path()).unwrap();
            assert!(stats.iter().all(|stat| cache.get(stat).is_some()));
            cache.save().unwrap();
        },
    );
}

/// 50,000 objects: 100 results of 497 blobs, a tree, a times object and themselves.
fn collection() {
    let full = || {
        let scratch = Scratch::new();
        let store = open(scratch.path());
        for number in 0..100 {
            let (layer, contents) = layer(number, 497);
            for content in contents {
                store.put_bytes(content.as_bytes()).unwrap();
            }
            let id = store.put_layer(&layer).unwrap();
            store.put_result(&result(number, id)).unwrap();
        }
        drop(store);
        thread::sleep(Duration::from_millis(20));
        scratch
    };
    let scratch = full();
    measure(
        "gc of 50,000 objects that stay",
        || open(scratch.path()),
        |store| {
            assert_eq!(store.gc(&GcPolicy::default()).unwrap().removed, 0);
        },
    );
    measure(
        "df of 50,000 objects",
        || open(scratch.path()),
        |store| drop(store.df().unwrap()),
    );
    measure(
        "verify of 50,000 objects",
        || open(scratch.path()),
        |store| drop(store.verify().unwrap()),
    );
    let policy = GcPolicy {
        max_bytes: Some(0),
        ..GcPolicy::default()
    };
    let stores: Vec<_> = (0..RUNS).map(|_| full()).collect();
    let mut left = stores.iter();
    measure(
        "gc of 50,000 objects that go",
        || left.next().unwrap(),
        |scratch| {
            assert_eq!(open(scratch.path()).gc(&policy).unwrap().kept, 0);
        },
    );
}
