//! The first command of the README, as root and as ordinary users: bases from packages, a compiler, two stages.

use std::{collections::BTreeMap, fs, io::Read as _, path::Path};

use crate::{context::TestContext, user::User};

/// Files by path, with all that counts of them.
type Files = BTreeMap<String, String>;

/// The example's own directory, copied where the test's user may read it.
fn copy_example(context: &TestContext) {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/quickstart");
    for below in ["", "public"] {
        for entry in fs::read_dir(example.join(below))
            .expect("the example is there")
            .flatten()
        {
            if entry.path().is_file() {
                let text = fs::read_to_string(entry.path()).expect("the example is text");
                context.write(Path::new(below).join(entry.file_name()), &text);
            }
        }
    }
    context.own_project();
}

/// Builds it twice, the second time with nothing to do, and gives the image's files; with `owners` as they are.
fn build(user: Option<User>, args: &[&str], owners: bool) -> Option<Files> {
    let context = TestContext::of(user);
    copy_example(&context);
    let out = context.out("image.tar");
    let output = format!("type=tar,dest={}", out.display());
    let fixed = [
        "build",
        "--progress=plain",
        "-t",
        "quickstart",
        "-o",
        "type=image",
        "-o",
        &output,
    ];
    let command = || context.wharf(fixed.iter().chain(args).chain(&["."]));
    let first = command();
    if first.code == 3 {
        wharf_testkit::skip(&format!("bases cannot be made here: {}", first.error()));
        return None;
    }
    let first = first.success();
    let again = command().success();
    assert_eq!(again.digest(), first.digest());
    assert!(again.stderr.contains("0 steps run"), "{}", again.stderr);
    assert_history_tells_of_all_layers(&context);
    context
        .wharf(["build", "--verify-cache", "-q", "."].iter().chain(args))
        .success();
    context.wharf(["store", "verify"]).success();
    Some(files(&out, owners))
}

/// Tools that build upon an image refuse one whose history tells of other layers than it has, those of a base included.
fn assert_history_tells_of_all_layers(context: &TestContext) {
    let config = context.wharf(["inspect", "quickstart"]).success().json()["config"].take();
    let history = config["history"].as_array().expect("an array");
    let told = history
        .iter()
        .filter(|entry| entry["empty_layer"] != true)
        .count();
    let layers = config["rootfs"]["diff_ids"].as_array().expect("an array").len();
    assert_eq!(told, layers, "{config:#}");
}

fn files(tar: &Path, owners: bool) -> Files {
    let mut archive = tar::Archive::new(fs::File::open(tar).expect("it was built"));
    let entries = archive.entries().expect("a tar").map(|entry| {
        let mut entry = entry.expect("a whole tar");
        let header = entry.header().clone();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("a whole tar");
        let owner = match (owners, header.uid(), header.gid()) {
            (true, Ok(uid), Ok(gid)) => format!("{uid}:{gid}"),
            _ => String::new(),
        };
        let link = entry
            .link_name()
            .expect("a tar")
            .map(|link| link.display().to_string());
        let shown = format!(
            "{:?} {:o} {owner} {link:?} {}",
            header.entry_type(),
            header.mode().expect("a mode"),
            wharf_oci::Digest::of(&bytes).short()
        );
        (entry.path().expect("a path").display().to_string(), shown)
    });
    entries.collect()
}

#[track_caller]
fn assert_same(one: &Files, other: &Files) {
    let paths = one.keys().chain(other.keys());
    let differ: Vec<_> = paths.filter(|path| one.get(*path) != other.get(*path)).collect();
    assert!(differ.is_empty(), "{differ:?}");
}

#[test]
fn root_and_ordinary_users_make_the_same_image() {
    let Some(root) = build(None, &[], true) else {
        return;
    };
    assert!(root.contains_key("usr/local/bin/server"), "{:?}", root.keys());
    if let Some(user) = User::with_subordinate_ids() {
        for args in [&[][..], &["--sandbox=overlay"]] {
            let theirs = build(Some(user.clone()), args, true).expect("root could");
            assert_same(&root, &theirs);
        }
    }
}

#[test]
fn a_user_with_one_id_makes_it_with_one_owner() {
    let (Some(root), Some(user)) = (build(None, &["--sandbox=overlay"], false), User::with_one_id()) else {
        return;
    };
    let theirs = build(Some(user), &[], false).expect("root could");
    assert_same(&root, &theirs);
}
