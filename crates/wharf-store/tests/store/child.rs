//! Other processes: this test binary again, in a role.

use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    ops::ControlFlow,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use wharf_oci::Digest;
use wharf_store::{ActionResult, BlobError, BootId, GcPolicy, Sharing, Store, StoreError, StoreOptions};

use crate::context::{blobs_of, key, put_files, result_of};

const ROLE: &str = "WHARF_STORE_TEST_ROLE";
const STORE: &str = "WHARF_STORE_TEST_STORE";

/// A command that runs this binary as `role` on the store at `store`.
pub(crate) fn command(role: &str, store: &Path) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(arguments()).env(ROLE, role).env(STORE, store);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// What makes this binary run the role that the environment names.
pub(crate) fn arguments() -> [&'static str; 3] {
    ["--exact", "child::as_told", "--nocapture"]
}

/// Starts a role and waits until it says that it is ready.
pub(crate) fn start(role: &str, store: &Path) -> Running {
    let mut child = command(role, store).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let ready = output
        .by_ref()
        .lines()
        .any(|line| line.unwrap().ends_with("READY"));
    assert!(ready, "{role} did not get ready");
    Running {
        child,
        _output: output,
    }
}

/// Killed when dropped.
pub(crate) struct Running {
    child: Child,
    /// Left open: a role that cannot write fails.
    _output: BufReader<ChildStdout>,
}

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Tells the role to go on, and waits for its good end.
    pub(crate) fn finish(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn as_told() {
    let (Ok(role), Some(store)) = (env::var(ROLE), env::var_os(STORE)) else {
        return;
    };
    let options = StoreOptions {
        boot: Some(BootId("one".to_owned())),
        ..StoreOptions::default()
    };
    let store = Store::open(Path::new(&store), options).unwrap();
    match &role[..] {
        "write" => write(&store),
        "churn" => churn(&store),
        "collect" => collect(&store),
        "hold" => hold(&store),
        "build" => build(&store),
        "cache" => cache(&store),
        "fill" => fill(store),
        role => panic!("no role is called {role}"),
    }
}

fn ready() {
    println!("READY");
}

fn wait_for_parent() {
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

/// Writes everything there is until it is killed.
fn write(store: &Store) {
    let mut record = store.begin_record().unwrap();
    ready();
    for round in 0.. {
        let seed = format!("{} {round}", std::process::id());
        let (_, id) = put_files(store, &seed, 20);
        let mut writer = store.writer();
        writer.write_all(&vec![round as u8; 300_000]).unwrap();
        let large = writer.finish(None).unwrap();
        let mut result = result_of(&seed, id);
        result.read_set = Some(store.put_path_set(seed.as_bytes()).unwrap());
        result.blobs.push(large);
        store.put_result(&result).unwrap();
        store
            .set_head(&Digest::of(b"family"), &Digest::of(b"lane"), &result.key)
            .unwrap();
        let scratch = store.work_dir().unwrap();
        std::fs::write(scratch.path().join("f"), "x").unwrap();
        record.append(&seed).unwrap();
        store.sync().unwrap();
    }
}

/// Builds and reuses steps while others collect garbage: what it found must be whole.
fn churn(store: &Store) {
    ready();
    let end = Instant::now() + Duration::from_millis(1500);
    for round in 0.. {
        if Instant::now() > end {
            return;
        }
        let name = format!("step {}", round % 10);
        if let Some(result) = store.result(&key(&name)).unwrap() {
            assert_whole(store, &name, &result);
        } else {
            let (_, id) = put_files(store, &name, 30);
            store.put_result(&result_of(&name, id)).unwrap();
        }
    }
}

fn assert_whole(store: &Store, name: &str, result: &ActionResult) {
    let layer = store.layer(&result.layer.unwrap());
    let layer = layer.unwrap_or_else(|error| panic!("{name} was found without its layer: {error}"));
    assert_eq!(layer.dir().summary().entries, 30 + 7);
    for blob in blobs_of(name, 30) {
        store
            .open_blob(&blob)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

fn collect(store: &Store) {
    ready();
    let policy = GcPolicy {
        max_bytes: Some(0),
        ..GcPolicy::default()
    };
    let end = Instant::now() + Duration::from_millis(1500);
    while Instant::now() < end {
        store.gc(&policy).unwrap();
    }
}

fn hold(store: &Store) {
    let lock = store
        .lock_step(&key("step"), &mut |_| ControlFlow::Continue(()))
        .unwrap();
    ready();
    wait_for_parent();
    drop(lock);
}

/// One of many that want the same step.
fn build(store: &Store) {
    ready();
    let find = || store.result(&key("step")).unwrap();
    if find().is_some() {
        return;
    }
    let _lock = store
        .lock_step(&key("step"), &mut |_| ControlFlow::Continue(()))
        .unwrap();
    if find().is_none() {
        let mut runs = std::fs::File::options()
            .append(true)
            .create(true)
            .open(store.path().join("runs"))
            .unwrap();
        runs.write_all(b"ran\n").unwrap();
        std::thread::sleep(Duration::from_millis(50));
        let (_, id) = put_files(store, "step", 3);
        store.put_result(&result_of("step", id)).unwrap();
    }
}

fn cache(store: &Store) {
    let mut cache = store
        .cache_mount("npm", Sharing::Locked, &mut |_| ControlFlow::Continue(()))
        .unwrap()
        .unwrap();
    cache.filled().unwrap();
    ready();
    wait_for_parent();
}

/// Runs on a disk that is soon full.
fn fill(store: Store) {
    let (_, id) = put_files(&store, "before", 5);
    store.put_result(&result_of("before", id)).unwrap();
    let is_full = |error: &BlobError| matches!(error, BlobError::Store(StoreError::NoSpace { .. }));
    let small = (0u32..)
        .find_map(|number| store.put_bytes(&number.to_le_bytes().repeat(2000)).err())
        .unwrap();
    assert!(is_full(&small), "{small:?}");
    let large = store.put(&mut std::io::repeat(7).take(50 << 20)).unwrap_err();
    assert!(is_full(&large), "{large:?}");
    assert!(
        small.to_string().starts_with("no space left for the store at"),
        "{small}"
    );

    let path = store.path().to_owned();
    drop(store);
    // Full as it is, others open it, read it, and make room.
    let options = StoreOptions {
        boot: Some(BootId("one".to_owned())),
        ..StoreOptions::default()
    };
    let other = Store::open(&path, options).unwrap();
    let found = other.result(&key("before")).unwrap().unwrap();
    other.layer(&found.layer.unwrap()).unwrap();
    for blob in blobs_of("before", 5) {
        other.open_blob(&blob).unwrap();
    }
    let report = other.gc(&GcPolicy::default()).unwrap();
    assert!(report.removed > 10, "{report:?}");
    other.put_bytes(&vec![1; 100_000]).unwrap();
    assert!(other.verify().unwrap().damage.is_empty());
    println!("MADE ROOM");
}
