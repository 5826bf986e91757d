//! What is asked of the tree: each script changes nothing.

use wharf_oci::Digest;
use wharf_rootfs::{MountKind, MountPoint};
use wharf_tree::readset::{Answer, Kind, Place};

use crate::{
    needs_mounts,
    support::{
        Item::{self, *},
        Step, check, check_step, path,
    },
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
        ("cat < /d/file", "/d present\n/d/file present stat content"),
        ("read x < /d/file", "/d present\n/d/file present stat content"),
        ("read x < /d/empty", "/d present\n/d/empty present stat"),
        (": < /d/file", "/d present\n/d/file present stat"),
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
        ("echo /d/*", "/d present listing"),
        ("cd /d; echo *", "/d present listing"),
        (
            "ls -l /d",
            "/d present listing\n/d/a present stat\n/d/b present stat\n/d/sub present\n/etc absent",
        ),
        (
            "find /d -name c",
            "/d present listing\n/d/a present stat\n/d/b present stat\n/d/sub present listing\n/d/sub/c present stat",
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
            "/d present\n/d/three present stat content\n/one present target\n/two present target",
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
            "/d present\n/d/three present stat content\n/up present target",
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
        "/a present stat content\n/b present stat content\n/same present stat",
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
        "/a present stat content\n/b present stat content",
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
        "/d present\n/d/spa ce present stat content",
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

#[test]
fn special_files() {
    needs_mounts!();
    let tree = [("null", Char(1, 3)), ("pipe", Fifo)];
    let script = "[ -c /null ] && [ -p /pipe ] && stat -c %t,%T /null";
    check(&tree, script, NOTHING, "/null present stat\n/pipe present stat");
    assert_eq!(Step::new(&tree).run(script).stdout(), "1,3\n");
}

#[test]
fn long_contents_and_listings() {
    needs_mounts!();
    let lines: Vec<String> = (0..400_000).map(|line| line.to_string()).collect();
    let text = lines.join("\n");
    let names: Vec<String> = (0..3000)
        .map(|number| format!("d/a-name-of-some-length-{number}"))
        .collect();
    let mut items: Vec<(&str, Item<'_>)> = names.iter().map(|name| (&**name, File(""))).collect();
    items.push(("text", File(&text)));
    let outcome = Step::new(&items).run("sha256sum /text; set -- /d/*; echo $#");
    let digest = Digest::of(text.as_bytes()).hex();
    assert_eq!(outcome.stdout(), format!("{digest}  /text\n3000\n"));
}

#[test]
fn inode_numbers_and_link_counts() {
    needs_mounts!();
    let script = "stat -c '%i %h' /a /b /c; stat -c %h /d";
    let run = |items: &[(&str, Item<'_>)]| Step::new(items).run(script).stdout();
    let one = run(&[
        ("a", File("1")),
        ("b", Link("a")),
        ("c", File("1")),
        ("d/x/y", Dir),
    ]);
    let lines: Vec<&str> = one.lines().collect();
    assert_eq!(lines[0], lines[1], "hard links");
    assert!(
        lines[0].ends_with(" 2") && lines[2].ends_with(" 1") && lines[3] == "1",
        "{one}"
    );
    let other = run(&[
        ("a", File("2")),
        ("b", Link("a")),
        ("bb", File("")),
        ("c", File("3")),
        ("d", Dir),
    ]);
    assert_eq!(one, other, "neither contents nor neighbours move them");
}
