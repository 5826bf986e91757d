//! The point of it all: the same answers mean the same outcome. Each script runs on one parent; the layer is then laid on
//! another one if that gives the same answers, and must be what a run there would have left.

use wharf_oci::Digest;
use wharf_tree::{merge, readset::strong_key, regraft};

use crate::{
    needs_mounts,
    support::{
        Item::{self, *},
        Step,
    },
};

const FAMILY: &[u8] = b"one family";

/// Whether the layer of `script` made on `before` is reused on `after`; and if so, that it is right.
#[track_caller]
fn check(script: &str, before: &[(&str, Item<'_>)], after: &[(&str, Item<'_>)], reused: bool) {
    let (old, new) = (Step::new(before), Step::new(after));
    let recorded = old.run(script);
    let read = recorded.all();
    let family = Digest::of(FAMILY);
    let set = read.path_set();
    let key = strong_key(&set.to_bytes(), &family, set.digest(), &[&new.tree]).expect("its own bytes");
    let answers = set.answer(&[&new.tree]);
    let differences: Vec<_> = read.differences(&answers).collect();
    assert_eq!(
        key == read.strong_key(&family, set.digest()),
        reused,
        "{script}: {differences:#?}"
    );
    assert_eq!(differences.is_empty(), reused, "{script}");
    if reused {
        let grafted = regraft(&new.tree, &recorded.commit.layer).expect("a layer that fits");
        let fresh = merge(&new.tree, &new.run(script).commit.layer);
        assert_eq!(grafted.digest(), fresh.digest(), "{script}");
    }
}

#[test]
fn unrelated_changes_reuse() {
    needs_mounts!();
    let before = || [("d/f", File("text")), ("d/g", File("more"))];
    let script = "cat /d/f > /out; [ -e /d/none ] || echo none >> /out";
    for after in [
        vec![("d/f", File("text")), ("d/g", File("changed"))],
        vec![("d/f", File("text"))],
        vec![("d/f", File("text")), ("d/g", File("more")), ("d/h", File("new"))],
        vec![("d/f", Dated("text", 5)), ("d/g", File("more"))],
    ] {
        check(script, &before(), &after, true);
    }
    for after in [
        vec![("d/f", File("test"))],
        vec![("d/f", Mode("text", 0o600))],
        vec![("d/f", Owner("text", 1))],
        vec![("d", DirMode(0o700)), ("d/f", File("text"))],
        vec![("d/f", File("text")), ("d/none", File(""))],
        vec![("d/f", File("text")), ("out", File(""))],
        vec![("e/f", File("text")), ("d", Symlink("e"))],
        vec![("d/f", Symlink("g")), ("d/g", File("text"))],
        vec![("d/f", Xattr("text", "user.x", b"1"))],
        vec![],
    ] {
        check(script, &before(), &after, false);
    }
}

#[test]
fn emptiness_without_a_read() {
    needs_mounts!();
    check("cat < /f > /out", &[("f", File(""))], &[("f", File("x"))], false);
    check("cat < /f > /out", &[("f", File("x"))], &[("f", File(""))], false);
}

#[test]
fn listings() {
    needs_mounts!();
    let before = || [("d/a", File("1")), ("d/b", File("2"))];
    let script = "echo /d/* > /out";
    check(script, &before(), &[("d/a", File("x")), ("d/b", File("y"))], true);
    check(script, &before(), &[("d/a", File("1"))], false);
    check(script, &before(), &[("d/a", File("1")), ("d/b", Dir)], false);
    // What is left out of a removal's record: contents.
    check(
        "rm -r /d",
        &before(),
        &[("d/a", File("x")), ("d/b", File("y"))],
        true,
    );
    check(
        "rm -r /d",
        &before(),
        &[("d/a", File("1")), ("d/b", File("2")), ("d/c", File(""))],
        false,
    );
}

#[test]
fn links_that_come_alive() {
    needs_mounts!();
    let before = || [("l", Symlink("d/t")), ("d/o", File(""))];
    let script = "cat /l > /out || echo none > /out";
    check(
        script,
        &before(),
        &[("l", Symlink("d/t")), ("d/t", File("here"))],
        false,
    );
    check(
        script,
        &before(),
        &[("l", Symlink("d/u")), ("d/o", File(""))],
        false,
    );
    check(
        script,
        &before(),
        &[("l", Symlink("d/t")), ("d/p", File(""))],
        true,
    );
}

#[test]
fn hard_links_are_one_content() {
    needs_mounts!();
    let before = || [("a", File("text")), ("b", Link("a")), ("c", File("1"))];
    let script = "cat /b > /out; cat /a >> /out";
    check(
        script,
        &before(),
        &[("a", File("text")), ("b", Link("a")), ("c", File("2"))],
        true,
    );
    check(
        script,
        &before(),
        &[("a", File("changed")), ("b", File("text"))],
        false,
    );
    check(
        script,
        &before(),
        &[("a", File("text")), ("b", File("changed"))],
        false,
    );
    let stat = "stat -c %h /a > /out";
    check(stat, &before(), &[("a", File("text"))], false);
}

#[test]
fn writes_that_depend_on_the_past() {
    needs_mounts!();
    let before = || [("d/f", Dated("text", 7)), ("d/s/g", File("more"))];
    let with = |item| [("d/f", item), ("d/s/g", File("more"))];
    for (script, content_matters) in [
        ("echo x >> /d/f", true),
        ("chmod 600 /d/f", true),
        ("touch /d/f", true),
        ("chmod 600 /d/f; chmod 644 /d/f", true),
        ("echo x > /d/f", false),
        ("rm /d/f", false),
        ("echo x > /n; mv -f /n /d/f", false),
        ("rm /d/f; mkdir /d/f", false),
        // The layer has no trace of this one, and yet it sets a content.
        ("printf text > /n; touch -d @7 /n; mv -f /n /d/f", true),
    ] {
        check(script, &before(), &with(Dated("same", 7)), !content_matters);
        check(
            script,
            &before(),
            &[("d/f", Dated("text", 7)), ("d/s/g", File("changed"))],
            true,
        );
        check(
            script,
            &before(),
            &[("d", DirMode(0o711)), ("d/f", Dated("text", 7))],
            false,
        );
        check(script, &before(), &[], false);
    }
    let more = |name| {
        [
            ("d/f", Dated("text", 7)),
            ("d/s/g", File("more")),
            (name, File("")),
        ]
    };
    check("rm -r /d/s; mkdir /d/s", &before(), &more("d/s/new"), false);
    check("rm -r /d/s; mkdir /d/s", &before(), &more("d/new"), true);
    check("mkdir -p /d/s/deep", &before(), &more("d/s/new"), true);
    check("mkdir -p /d/s/deep", &before(), &more("d/s/deep"), false);
    check("chmod 700 /d", &before(), &more("d/new"), true);
    check(
        "rmdir /d/s || echo full > /out",
        &before(),
        &more("d/s/new"),
        false,
    );
}

#[test]
fn directories_that_were_only_empty() {
    needs_mounts!();
    let script = "rmdir /e; mkdir /e; echo > /e/new";
    check(script, &[("e", Dir)], &[("e", Dir), ("f", File(""))], true);
    check(script, &[("e", Dir)], &[("e/x", File(""))], false);
}
