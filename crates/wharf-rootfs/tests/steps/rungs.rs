//! The other ways to run: marks of a user namespace, extended attributes and access control lists, plain directories.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    time::{Duration, UNIX_EPOCH},
};

use wharf_rootfs::{
    CheckoutOptions, CommitError, CommitOptions, Found, IdRange, Markers, Owners, checkout, commit,
    prepare_upper,
};
use wharf_tree::{Layer, merge};

use crate::{
    needs_mounts,
    support::{Item::*, Step, TIME, check_step, layer},
};

#[test]
fn user_attributes_as_marks() {
    needs_mounts!();
    let mut step = Step::new(&[("d/f", File("text")), ("d/s/g", File("more"))]);
    step.markers = Markers::User;
    check_step(
        &step,
        "rm -r /d/s; mkdir /d/s; echo x > /d/n; : >> /d/f",
        ". /\n. /d\nf /d/n 644 0:0 2\no /d/s 755 0:0",
        "/d present\n/d/f present stat content\n/d/n absent\n/d/s present listing\n/d/s/g present stat",
    );
}

#[test]
fn a_trees_own_marks_are_not_obeyed() {
    needs_mounts!();
    for (markers, name) in [
        (Markers::Trusted, "trusted.overlay.whiteout"),
        (Markers::User, "user.overlay.whiteout"),
    ] {
        let mut step = Step::new(&[("f", Xattr("", name, b"y")), ("g", Xattr("text", name, b"y"))]);
        step.markers = markers;
        let outcome = step.run("[ -f /f ] && cat /g; echo x >> /g");
        assert_eq!(outcome.stdout(), "text");
        assert_eq!(outcome.layer(), format!(". /\nf /g 755 0:0 6 +{name}"));
    }
}

#[test]
fn attributes_survive_a_copy() {
    needs_mounts!();
    let capability: &[u8] = &[1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let acl: &[u8] = &[
        2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 33, 0, 0, 0, 4, 0, 4, 0, 255, 255, 255, 255,
        16, 0, 4, 0, 255, 255, 255, 255, 32, 0, 4, 0, 255, 255, 255, 255,
    ];
    for (name, value, mode) in [
        ("user.note", &b"hello"[..], "755"),
        ("security.capability", capability, "755"),
        ("system.posix_acl_access", acl, "644"),
    ] {
        let step = Step::new(&[(
            "f",
            Attributes("text", u16::from_str_radix(mode, 8).unwrap(), name, value),
        )]);
        let outcome = step.run("touch /f");
        assert_eq!(outcome.layer(), format!(". /\nf /f {mode} 0:0 4 +{name}"));
        let tree = merge(&step.tree, &outcome.commit.layer);
        assert_eq!(
            tree.dir().get(b"f").unwrap().attrs,
            step.tree.dir().get(b"f").unwrap().attrs
        );
        assert_eq!(
            step.run(": >> /f").commit.layer,
            Layer::empty(),
            "copied up and equal: {name}"
        );
    }
}

#[test]
fn a_checkout_is_the_tree() {
    needs_mounts!();
    let step = Step::new(&[
        ("d", DirMode(0o2750)),
        ("d/f", Owner("text", 33)),
        ("d/suid", Mode("x", 0o4755)),
        ("d/l", Symlink("f")),
        ("d/x", Xattr("y", "user.note", b"1")),
        ("h1", File("linked")),
        ("h2", Link("h1")),
        ("p", Fifo),
        ("null", Char(1, 3)),
    ]);
    let dir = step.scratch.join("checkout");
    let made = checkout(&step.tree, &dir, &*step.blobs, &CheckoutOptions::default()).unwrap();
    assert!(made.left_out.is_empty());
    assert_eq!(
        fs::metadata(dir.join("h1")).unwrap().ino(),
        fs::metadata(dir.join("h2")).unwrap().ino()
    );

    let options = CommitOptions {
        found: Found::Whole,
        ..CommitOptions::default()
    };
    let unchanged = commit(&dir, &step.tree, &*step.blobs, &options).unwrap();
    assert_eq!(unchanged.layer, Layer::empty());

    fs::remove_file(dir.join("d/l")).unwrap();
    fs::remove_file(dir.join("h2")).unwrap();
    fs::write(dir.join("d/new"), "new").unwrap();
    let changed = commit(&dir, &step.tree, &*step.blobs, &options).unwrap();
    assert_eq!(
        layer(&changed.layer),
        ". /\n. /d\n- /d/l\nf /d/new 644 0:0 3\n- /h2"
    );
}

#[test]
fn owners_on_disk_and_in_the_layer() {
    needs_mounts!();
    let ranges = vec![IdRange {
        inside: 0,
        outside: 100_000,
        count: 65_536,
    }];
    let mapped = Owners::Mapped {
        uids: ranges.clone(),
        gids: ranges,
    };
    for (owners, disk, changed) in [
        (Owners::Same, 33, "33:33"),
        (mapped, 100_033, "33:33"),
        // With one id, everybody is root: who owned a file that changed is not known.
        (Owners::Single, 1000, "0:0"),
    ] {
        let step = Step::new(&[("a", Owner("text", 33)), ("b", Owner("text", 33))]);
        let upper = step.scratch.join("by-hand");
        prepare_upper(&upper, &step.tree, Markers::Trusted, &owners).unwrap();
        for (name, text) in [("a", "text"), ("b", "changed")] {
            fs::write(upper.join(name), text).unwrap();
            chown(upper.join(name), Some(disk), Some(disk)).unwrap();
            fs::set_permissions(upper.join(name), fs::Permissions::from_mode(0o644)).unwrap();
            let time = UNIX_EPOCH + Duration::new(TIME.secs as u64, TIME.nanos);
            fs::File::options()
                .write(true)
                .open(upper.join(name))
                .unwrap()
                .set_modified(time)
                .unwrap();
        }
        let options = CommitOptions {
            owners: owners.clone(),
            ..CommitOptions::default()
        };
        let committed = commit(&upper, &step.tree, &*step.blobs, &options).unwrap();
        assert_eq!(
            layer(&committed.layer),
            format!(". /\nf /b 644 {changed} 7"),
            "{owners:?}"
        );
    }
}

#[test]
fn an_owner_from_outside_the_ranges_is_an_error() {
    needs_mounts!();
    let step = Step::new(&[]);
    let upper = step.scratch.join("by-hand");
    fs::create_dir(&upper).unwrap();
    let options = CommitOptions {
        owners: Owners::Mapped {
            uids: Vec::new(),
            gids: Vec::new(),
        },
        ..CommitOptions::default()
    };
    let error = commit(&upper, &step.tree, &*step.blobs, &options).unwrap_err();
    assert!(
        matches!(error, CommitError::UnmappedOwner { uid: 0, .. }),
        "{error}"
    );
}
