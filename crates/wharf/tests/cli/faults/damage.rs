//! Bits that flip and files that are cut off, in every kind of object: each is a miss or an error that names it, never another image.

use std::{
    collections::BTreeMap,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use wharf_oci::Digest;

use super::{is_heavy, world::World};
use crate::{context::files, outcome::Outcome};

/// How many objects of a kind are damaged, one at a time: nearly all where there is time.
fn of_a_kind() -> usize {
    if is_heavy() { 50 } else { 8 }
}

/// How many builds may end with an error before one is as if nothing had been: each forgets what it met.
const ATTEMPTS: usize = 4;

/// What a disk may do to a file.
#[derive(Debug, Clone, Copy)]
enum Harm {
    Flip,
    Cut,
    Empty,
}

impl Harm {
    /// The file keeps its times, as it would on a failing disk.
    fn befall(self, path: &Path) {
        let times = fs::metadata(path).and_then(|metadata| metadata.modified());
        let times = times.expect("the file is there");
        let mut bytes = fs::read(path).expect("the file is ours");
        let middle = bytes.len() / 2;
        match self {
            Self::Flip => bytes.iter_mut().skip(middle).take(1).for_each(|byte| *byte ^= 4),
            Self::Cut => bytes.truncate(middle),
            Self::Empty => bytes.clear(),
        }
        fs::write(path, bytes).expect("the file is ours");
        let file = fs::File::options()
            .write(true)
            .open(path)
            .expect("the file is ours");
        file.set_modified(times).expect("the file is ours");
    }
}

/// What a build made, read back to the last byte.
#[derive(Debug, PartialEq)]
struct Made {
    image: String,
    /// Every path and its content, from the archive of the file system.
    files: BTreeMap<String, String>,
}

/// Builds in a store; an error must name what it met.
fn build(world: &World, store: &Path) -> Result<Made, Outcome> {
    let (tree, layout) = (world.context.out("tree.tar"), world.context.out("layout"));
    let _ = (fs::remove_file(&tree), fs::remove_dir_all(&layout));
    let mut args = world.args().expect("the test was not skipped");
    for output in [
        format!("type=tar,dest={}", tree.display()),
        format!("type=oci,tar=false,dest={}", layout.display()),
    ] {
        args.extend(["-o".to_owned(), output]);
    }
    let built = Outcome::of(world.context.command(args).env("WHARF_STORE", store));
    if built.code != 0 {
        return Err(built);
    }
    for blob in files(&layout.join("blobs")) {
        let name = blob.file_name().expect("a name").to_string_lossy().into_owned();
        assert_eq!(Digest::of(&fs::read(&blob).expect("it was written")).hex(), name);
    }
    Ok(Made {
        image: built.digest(),
        files: contents(&tree),
    })
}

fn contents(tar: &Path) -> BTreeMap<String, String> {
    let mut archive = tar::Archive::new(fs::File::open(tar).expect("it was built"));
    let entries = archive.entries().expect("a tar");
    let content = |entry: std::io::Result<tar::Entry<'_, fs::File>>| {
        let mut entry = entry.expect("a whole tar");
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("a whole tar");
        (path, Digest::of(&content).hex())
    };
    entries.map(content).collect()
}

fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    Outcome::of(Command::new("cp").arg("-a").arg(from).arg(to)).success();
}

/// Some objects of a folder of the store, spread over all of them.
fn some(store: &Path, kind: &str) -> Vec<PathBuf> {
    let all = files(&store.join("v1").join(kind));
    let step = all.len().div_ceil(of_a_kind()).max(1);
    all.into_iter().step_by(step).collect()
}

/// Builds again and again until it is done; what it ends with before must say what is wrong.
fn recovers(world: &World, store: &Path, expected: &Made, told: &str) {
    let mut met = Vec::new();
    for _ in 0..ATTEMPTS {
        match build(world, store) {
            Ok(made) => {
                assert_eq!(made, *expected, "{told}");
                return;
            }
            Err(built) => {
                assert_eq!(built.code, 3, "{told}: {}", built.stderr);
                met.push(built.error().to_owned());
            }
        }
    }
    panic!("{told}: {met:#?}");
}

fn check(kinds: &[&str]) {
    let world = World::new(None);
    if world.args().is_none() {
        return;
    }
    // Files as young as the build are not remembered.
    thread::sleep(Duration::from_millis(50));
    let sound = world.context.store();
    let expected = build(&world, &sound).expect("nothing is damaged yet");
    let store = world.context.out("damaged");
    for kind in kinds {
        let objects = some(&sound, kind);
        assert!(!objects.is_empty(), "nothing of {kind} is in the store");
        for object in objects {
            let below = object.strip_prefix(&sound).expect("it lies in the store");
            for harm in [Harm::Flip, Harm::Cut, Harm::Empty] {
                copy(&sound, &store);
                harm.befall(&store.join(below));
                recovers(
                    &world,
                    &store,
                    &expected,
                    &format!("{harm:?} {}", below.display()),
                );
            }
        }
    }
}

#[test]
fn of_contents() {
    check(&["blobs"]);
}

#[test]
fn of_trees_and_times() {
    check(&["trees", "times"]);
}

#[test]
fn of_results_and_what_leads_to_them() {
    check(&["results", "paths", "slots", "heads"]);
}

#[test]
fn of_everything_else() {
    check(&["memo", "refs", "boots", "stat", "history"]);
}

/// Not damaged but gone, as after a collection: each alone.
#[test]
fn a_memo_that_is_gone_changes_no_image() {
    let world = World::new(None);
    if world.args().is_none() {
        return;
    }
    let sound = world.context.store();
    let expected = build(&world, &sound).expect("nothing is gone yet");
    let store = world.context.out("poorer");
    for memo in files(&sound.join("v1/memo")) {
        let below = memo.strip_prefix(&sound).expect("it lies in the store");
        copy(&sound, &store);
        fs::remove_file(store.join(below)).expect("it was copied");
        assert_eq!(
            build(&world, &store).as_ref().ok(),
            Some(&expected),
            "{}",
            below.display()
        );
    }
}
