//! What is asked of the tree: each script changes nothing.

use wharf_rootfs::{MountKind, MountPoint};
use wharf_tree::readset::{Answer, Kind, Place};

use crate::{
    needs_mounts,
    support::{Item::*, Step, check, check_step, path},
};

/// An unchanged root.
const NOTHING: &str = ". /";

#[test]
fn look_ups_and_contents() {
    needs_mounts!();
    let tree = || {
        [
            ("d/file", File("text")),
            ("d/empty", File("")),
            ("d/x", Mode("#!/bin/sh\n", 0o755)),
        ]
    };
    for (script, reads) in [
        ("[ -e /d/file ]", "/d present\n/d/file present stat"),
        ("[ -x /d/x ]", "/d present\n/d/x present stat"),
        ("[ -e /d/none ]", "/d present\n/d/none absent"),
        ("[ -e /none/x/y ]", "/none absent"),
        ("[ -e /d/file/x ]", "/d present\n/d/file present"),
        ("cd /d", "/d present"),
        ("cat < /d/file", "/d present\n/d/file present content"),
        ("read x < /d/file", "/d present\n/d/file present stat content"),
        ("read x < /d/empty", "/d present\n/d/empty present stat"),
        (": < /d/file", "/d present\n/d/file present"),
        ("/d/x", "/d present\n/d/x present stat content"),
        ("stat -c %s /d/file", "/d present\n/d/file present stat"),
    ] {
        check(&tree(), script, NOTHING, reads);
    }
}

#[test]
fn listings_without_their_children() {
    needs_mounts!();
    let tree = || [("d/a", File("1")), ("d/b", File("2")), ("d/sub/c", File("3"))];
    for (script, reads) in [
        ("echo /d/*", "/d present stat listing"),
        ("cd /d; echo *", "/d present stat listing"),
        (
            "ls -l /d",
            "/d present stat listing\n/d/a present stat\n/d/b present stat\n/d/sub present stat\n/etc absent",
        ),
        (
            "find /d -name c",
            "/d present stat listing\n/d/a present stat\n/d/b present stat\n/d/sub present stat listing\n/d/sub/c present stat",
        ),
    ] {
        check(&tree(), script, NOTHING, reads);
    }
}

#[test]
fn every_hop_of_a_link() {
    needs_mounts!();
    let tree = || {
        [
            ("one", Symlink("two")),
            ("two", Symlink("/d/three")),
            ("d/three", File("text")),
            ("dangling", Symlink("d/none")),
            ("loop", Symlink("loop")),
            ("up", Symlink("d/../d")),
        ]
    };
    for (script, reads) in [
        (
            "cat < /one",
            "/d present\n/d/three present content\n/one present target\n/two present target",
        ),
        (
            "cat < /dangling",
            "/d present\n/d/none absent\n/dangling present target",
        ),
        ("cat < /loop", "/loop present target"),
        ("readlink /one", "/one present target"),
        ("[ -L /one ]", "/one present stat"),
        (
            "cat < /up/three",
            "/d present\n/d/three present content\n/up present target",
        ),
    ] {
        check(&tree(), script, NOTHING, reads);
    }
}

#[test]
fn a_content_is_read_under_every_name_that_was_looked_up() {
    needs_mounts!();
    let tree = [
        ("a", File("text")),
        ("b", Link("a")),
        ("c", Link("a")),
        ("same", File("text")),
    ];
    let script = "cat < /b; cat < /a; [ -e /same ]";
    check(
        &tree,
        script,
        NOTHING,
        "/a present content\n/b present content\n/same present stat",
    );
}

#[test]
fn equal_contents_are_read_apart() {
    needs_mounts!();
    let tree = [("a", File("text")), ("b", File("text"))];
    check(
        &tree,
        "cat < /a; cat < /b",
        NOTHING,
        "/a present content\n/b present content",
    );
}

#[test]
fn names_of_any_bytes() {
    needs_mounts!();
    let tree = [("d/spa ce", File("1")), ("d/ü", File("2"))];
    check(
        &tree,
        "cat < '/d/spa ce'",
        NOTHING,
        "/d present\n/d/spa ce present content",
    );
    let outcome = Step::new(&tree).run("cd /d; echo *; [ -e $(printf '\\377') ]");
    assert_eq!(outcome.stdout(), "spa ce ü\n");
}

#[test]
fn single_attributes_of_a_tree_that_has_some() {
    needs_mounts!();
    let tree = [("x", Xattr("text", "user.note", b"1")), ("y", File("2"))];
    // Every look-up is followed by overlayfs asking for its own marks: those are not recorded.
    check(&tree, "[ -e /y ]", NOTHING, "/y present stat");
    let outcome = Step::new(&tree).run(":");
    let busybox = Place {
        root: 0,
        path: path("bin/busybox"),
    };
    let capability = Kind::Xattr(b"security.capability".to_vec());
    let all = outcome.all();
    let told = all.get(&busybox).unwrap();
    assert_eq!(told.get(&capability), Some(&Answer::Xattr(None)), "asked at exec");
}

#[test]
fn mount_points_leave_no_trace() {
    needs_mounts!();
    let point = |at, kind| MountPoint { path: path(at), kind };
    let mut step = Step::new(&[("etc/file", File("text"))]);
    step.mounts = vec![
        point("run/secrets/key", MountKind::File),
        point("etc/resolv.conf", MountKind::File),
        point("proc", MountKind::Dir),
    ];
    let reads =
        "/etc present\n/etc/resolv.conf absent\n/run absent\n/run/secrets absent\n/run/secrets/key absent";
    let script = "[ -f /run/secrets/key ] && [ -f /etc/resolv.conf ] && echo /run/*; : > /run/x; rm /run/x";
    check_step(&step, script, NOTHING, &format!("{reads}\n/run/x absent"));
    check_step(
        &step,
        "echo > /run/secrets/new; [ -d /proc ]",
        ". /\nd /run 755 0:0\nd /run/secrets 755 0:0\nf /run/secrets/new 644 0:0 1",
        "/run absent\n/run/secrets absent\n/run/secrets/new absent",
    );
}
