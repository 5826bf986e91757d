//! A full disk: a clear error, and a way out.

use std::{env, process::Command};

use crate::{child, context::Context};

/// Mounts file systems of a mount namespace of its own, and so leaves nothing behind.
fn in_small_disk(context: &Context, mount: &str) -> Option<String> {
    let root = rustix::process::geteuid().is_root();
    let unshare = if root { ["--mount", "--"] } else { ["-rm", "--"] };
    let script = format!("{mount} && exec \"$0\" \"$@\"");
    let mut command = child::command("fill", &context.root());
    let mut outer = Command::new("unshare");
    outer
        .args(unshare)
        .args(["sh", "-c", &script])
        .arg(env::current_exe().unwrap())
        .args(child::arguments());
    outer.envs(
        command
            .stdin(std::process::Stdio::null())
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    outer.current_dir(context.scratch.path());
    let output = outer.output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    (text.contains("running 1 test")).then_some(text)
}

fn check(mount: &str) -> bool {
    let context = Context::new();
    std::fs::create_dir(context.root()).unwrap();
    match in_small_disk(&context, mount) {
        Some(text) => assert!(text.contains("MADE ROOM"), "{text}"),
        None => return false,
    }
    true
}

#[test]
fn a_full_tmpfs() {
    if !check("mount -t tmpfs -o size=4m none store") {
        wharf_testkit::skip("no mount namespace with a tmpfs can be made here");
    }
}

/// A file system on which directories, too, need room.
#[test]
fn a_full_ext4() {
    let image = "dd if=/dev/zero of=image bs=1M count=8 status=none && mkfs.ext4 -q -m 0 image && mount -o loop image store";
    if !check(image) {
        wharf_testkit::skip("no ext4 can be mounted from a file here");
    }
}
