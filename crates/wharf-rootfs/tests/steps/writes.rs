//! What a step leaves behind, and what that presumes of the parent.

use std::os::unix::fs::MetadataExt;

use crate::{
    needs_mounts,
    support::{Item::*, Step, check},
};

/// An unchanged root.
const NOTHING: &str = ". /";

#[test]
fn new_entries() {
    needs_mounts!();
    let tree = || [("d/file", File("text"))];
    for (script, layer, reads) in [
        (
            "echo hi > /d/new",
            ". /\n. /d\nf /d/new 644 0:0 3",
            "/d present\n/d/new absent",
        ),
        (
            "mkdir -p /d/a/b",
            ". /\n. /d\nd /d/a 755 0:0\nd /d/a/b 755 0:0",
            "/d present\n/d/a absent",
        ),
        ("ln -s /x /d/l", ". /\n. /d\nl /d/l /x", "/d present\n/d/l absent"),
        (
            "mkfifo /d/p",
            ". /\n. /d\np /d/p 644 0:0",
            "/d present\n/d/p absent",
        ),
        (
            "mknod /d/c c 1 3",
            ". /\n. /d\nc /d/c 644 0:0 1:3",
            "/d present\n/d/c absent",
        ),
        ("echo > /new", ". /\nf /new 644 0:0 1", "/new absent"),
        ("echo > /d/t; rm /d/t", NOTHING, "/d present\n/d/t absent"),
    ] {
        check(&tree(), script, layer, reads);
    }
}

#[test]
fn changed_files_need_what_they_were_made_of() {
    needs_mounts!();
    let tree = || [("f", File("text")), ("other", Owner("more", 33))];
    for (script, layer, reads) in [
        ("echo x >> /f", ". /\nf /f 644 0:0 6", "/f present stat content"),
        ("chmod 600 /f", ". /\nf /f 600 0:0 4", "/f present stat content"),
        (
            "chown 33:34 /f",
            ". /\nf /f 644 33:34 4",
            "/etc absent\n/f present stat content",
        ),
        ("touch /f", ". /\nf /f 644 0:0 4", "/f present stat content"),
        // The old content does not matter here, and is not in the record.
        ("echo longer > /f", ". /\nf /f 644 0:0 7", "/f present stat"),
        ("rm /f", ". /\n- /f", "/f present stat"),
        (
            "echo x > /new; mv -f /new /other",
            ". /\nf /other 644 0:0 2",
            "/new absent\n/other present stat",
        ),
        (
            "mv /f /g",
            ". /\n- /f\nf /g 644 0:0 4",
            "/f present stat content\n/g absent",
        ),
    ] {
        check(&tree(), script, layer, reads);
    }
}

#[test]
fn copied_up_and_not_changed() {
    needs_mounts!();
    let tree = || [("d/f", File("text")), ("d/l", Symlink("f")), ("d/e", File(""))];
    let read = "/d present\n/d/f present stat content";
    for (script, reads) in [
        (": >> /d/f", read),
        ("chmod 600 /d/f; chmod 644 /d/f", read),
        ("chmod 700 /d; chmod 755 /d", "/d present"),
        (
            "mv /d/f /d/g; mv /d/g /d/f",
            "/d present\n/d/f present stat content\n/d/g absent",
        ),
    ] {
        check(&tree(), script, NOTHING, reads);
    }
    check(
        &[("f", Dated("text", -5))],
        ": >> /f",
        NOTHING,
        "/f present stat content",
    );
    let tree = || [("d/f", Dated("text", 1_000_000_000))];
    // Written anew with the same bytes and time: that is only so while the parent's file is the same.
    let script = "cp -p /d/f /d/g; rm /d/f; mv /d/g /d/f";
    check(
        &tree(),
        script,
        NOTHING,
        "/d present\n/d/f present stat content\n/d/g absent",
    );
}

#[test]
fn directories() {
    needs_mounts!();
    let tree = || [("d/f", File("text")), ("d/s/g", File("more")), ("e", Dir)];
    for (script, layer, reads) in [
        ("chmod 700 /d", ". /\nd /d 700 0:0", "/d present"),
        ("touch /d", NOTHING, "/d present"),
        (
            "rm -r /d",
            ". /\n- /d",
            "/d present listing\n/d/f present stat\n/d/s present listing\n/d/s/g present stat",
        ),
        (
            "rm -r /d/s; mkdir /d/s",
            ". /\n. /d\no /d/s 755 0:0",
            "/d present\n/d/s present listing\n/d/s/g present stat",
        ),
        (
            "rm -r /d/s; mkdir /d/s; echo > /d/s/g; echo > /d/s/h",
            ". /\n. /d\no /d/s 755 0:0\nf /d/s/g 644 0:0 1\nf /d/s/h 644 0:0 1",
            "/d present\n/d/s present listing\n/d/s/g present stat",
        ),
        ("rmdir /e; mkdir /e", NOTHING, "/e present listing"),
        ("mkdir -p /d/s", NOTHING, "/d present\n/d/s present"),
        (
            "rm /d/f; mkdir /d/f",
            ". /\n. /d\nd /d/f 755 0:0",
            "/d present\n/d/f present stat",
        ),
        ("rmdir /e; echo > /e", ". /\nf /e 644 0:0 1", "/e present listing"),
        (
            "mkdir /new; echo > /new/x; rmdir /e; mv /new /e",
            ". /\n. /e\nf /e/x 644 0:0 1",
            "/e present listing\n/e/x absent\n/new absent",
        ),
    ] {
        check(&tree(), script, layer, reads);
    }
}

#[test]
fn hard_links() {
    needs_mounts!();
    let tree = || [("a", File("text")), ("b", Link("a")), ("c", File("more"))];
    let both = "/a present stat content\n/b present stat content";
    for (script, layer, reads) in [
        (
            "echo > /new; ln /new /newer",
            ". /\nf /new 644 0:0 1\nf /newer 644 0:0 1\n= /new /newer",
            "/new absent\n/newer absent",
        ),
        (
            "ln /c /d",
            ". /\nf /c 644 0:0 4\nf /d 644 0:0 4\n= /c /d",
            "/c present stat content\n/d absent",
        ),
        // As with other builders, a change through one name parts it from the others.
        ("echo x >> /a", ". /\nf /a 644 0:0 6", "/a present stat content"),
        (": >> /a", NOTHING, "/a present stat content"),
        ("ln -f /a /b", NOTHING, both),
        (
            "echo > /x; ln /x /y; rm /x",
            ". /\nf /y 644 0:0 1",
            "/x absent\n/y absent",
        ),
    ] {
        check(&tree(), script, layer, reads);
    }
}

#[test]
fn a_link_into_a_directory_that_was_made_again() {
    needs_mounts!();
    let tree = [("b", File("text")), ("d/a", Link("b")), ("d/c", File(""))];
    let outcome = Step::new(&tree).run("rm -r /d; mkdir /d; ln /b /d/a");
    let layer = ". /\nf /b 644 0:0 4\no /d 755 0:0\nf /d/a 644 0:0 4\n= /b /d/a";
    assert_eq!(
        outcome.layer(),
        layer,
        "the names that the tree had linked are still one file"
    );
}

#[test]
fn copies_of_sparse_files_stay_sparse() {
    needs_mounts!();
    let step = Step::new(&[("log", Sparse(64 << 20))]);
    let outcome = step.run("chmod 600 /log");
    assert_eq!(outcome.layer(), ". /\nf /log 600 0:0 67108864");
    let blocks = std::fs::metadata(step.upper().join("log")).unwrap().blocks();
    assert!(blocks < 1024, "{blocks} blocks of 512 bytes");
}
