//! What a graft puts where.

use super::*;
use crate::testing::{layer, show_all, tree};

fn base() -> Tree {
    tree(&[
        "etc/ dir @700:5",
        "etc/conf file old",
        "lib -> usr/lib",
        "usr/lib/keep file x",
        "run -> /var/run",
        "file file f",
        "one file linked",
        "two = one",
    ])
}

fn source() -> Tree {
    tree(&[
        "app/ dir @750:7",
        "app/main.c file main @600:7",
        "app/sub/ dir @711:7",
        "app/sub/deep.txt file deep @644:7",
        "app/sub/link -> deep.txt",
        "app/hard file hard @755:7",
        "app/sub/hard = app/hard",
        "to-app -> app",
        "to-main -> app/main.c",
        "dangling -> nowhere",
    ])
}

fn grafted(change: impl FnOnce(&mut Graft) -> Result<(), GraftError>) -> String {
    let mut graft = Graft::new(&base(), Mtime { secs: 9, nanos: 0 });
    match change(&mut graft) {
        Ok(()) => {
            let layer = graft.finish();
            show_all(&layer.root, &layer.links)
        }
        Err(error) => format!("error: {error}"),
    }
}

fn copied(sources: &[&str], dest: &str, options: &CopyOptions<'_>) -> String {
    grafted(|graft| {
        let from = source();
        sources
            .iter()
            .try_for_each(|path| graft.copy(&from, path.as_bytes(), dest.as_bytes(), options))
    })
}

fn plainly(sources: &[&str], dest: &str) -> String {
    copied(sources, dest, &CopyOptions::default())
}

#[test]
fn contents_of_a_directory_go_into_one_that_is_made() {
    insta::assert_snapshot!(plainly(&["app"], "new/place"), @"
    / structural
    /new dir 755
    /new/place dir 755
    /new/place/hard file 755 7:7 4 ed54
    /new/place/main.c file 600 7:7 4 0d6e
    /new/place/sub dir 711 7:7
    /new/place/sub/deep.txt file 644 7:7 4 7461
    /new/place/sub/hard file 755 7:7 4 ed54
    /new/place/sub/link -> deep.txt
    linked /new/place/hard /new/place/sub/hard
    ");
    assert_eq!(plainly(&["app/"], "/new/place/"), plainly(&["app"], "new/place"));
    assert_eq!(
        plainly(&["/to-app"], "new/./x/../place"),
        plainly(&["app"], "new/place")
    );
}

#[test]
fn a_directory_that_is_there_keeps_its_attributes() {
    insta::assert_snapshot!(plainly(&["app/sub"], "etc"), @"
    / structural
    /etc structural
    /etc/deep.txt file 644 7:7 4 7461
    /etc/hard file 755 7:7 4 ed54
    /etc/link -> deep.txt
    ");
}

#[test]
fn files_go_to_a_name_or_into_a_directory() {
    insta::assert_snapshot!(plainly(&["app/main.c"], "etc/conf"), @"
    / structural
    /etc structural
    /etc/conf file 600 7:7 4 0d6e
    ");
    insta::assert_snapshot!(plainly(&["app/main.c"], "etc"), @"
    / structural
    /etc structural
    /etc/main.c file 600 7:7 4 0d6e
    ");
    insta::assert_snapshot!(plainly(&["to-main"], "a/b/"), @"
    / structural
    /a dir 755
    /a/b dir 755
    /a/b/to-main file 600 7:7 4 0d6e
    ");
    assert_eq!(plainly(&["to-main"], "a/b/."), plainly(&["to-main"], "a/b/"));
    insta::assert_snapshot!(plainly(&["app/main.c", "app/hard"], "a/b"), @"
    / structural
    /a dir 755
    /a/b file 755 7:7 4 ed54
    ");
}

#[test]
fn destinations_are_resolved_inside_the_root() {
    insta::assert_snapshot!(plainly(&["app/main.c"], "lib/x"), @"
    / structural
    /usr structural
    /usr/lib structural
    /usr/lib/x file 600 7:7 4 0d6e
    ");
    insta::assert_snapshot!(plainly(&["app/main.c"], "run/x/"), @"
    / structural
    /var dir 755
    /var/run dir 755
    /var/run/x dir 755
    /var/run/x/main.c file 600 7:7 4 0d6e
    ");
    insta::assert_snapshot!(plainly(&["app/main.c"], "../../etc/x"), @"
    / structural
    /etc structural
    /etc/x file 600 7:7 4 0d6e
    ");
}

#[test]
fn a_replaced_file_leaves_its_hard_links() {
    insta::assert_snapshot!(plainly(&["app/main.c"], "two"), @"
    / structural
    /two file 600 7:7 4 0d6e
    ");
}

#[test]
fn what_cannot_be_is_an_error() {
    for (source, dest, error) in [
        ("app", "file", "/file is not a directory"),
        ("app", "file/x", "/file is not a directory"),
        ("app", "file/x/y", "the destination leads nowhere"),
        ("app/main.c", "file/", "/file is not a directory"),
        ("nothing", "x", "/nothing does not exist"),
        ("dangling", "x", "/nowhere does not exist"),
    ] {
        assert_eq!(
            plainly(&[source], dest),
            format!("error: {error}"),
            "{source} to {dest}"
        );
    }
    let clash = tree(&[
        "src/etc file not-a-directory",
        "dirs/file/ dir",
        "conf/ dir",
        "dirs/lib/ dir",
    ]);
    let copy = |source: &str, dest: &str| {
        grafted(|graft| {
            graft.copy(
                &clash,
                source.as_bytes(),
                dest.as_bytes(),
                &CopyOptions::default(),
            )
        })
    };
    assert_eq!(
        copy("src", "/"),
        "error: /etc is a directory and cannot be replaced with a file"
    );
    assert_eq!(
        copy("src/etc", "/"),
        "error: /etc is a directory and cannot be replaced with a file"
    );
    assert_eq!(copy("dirs", "/"), "error: /file is not a directory");
}

#[test]
fn owner_and_mode_are_overridden() {
    let octal = CopyOptions {
        owner: Some((3, 4)),
        mode: "4711".parse().ok(),
        ..CopyOptions::default()
    };
    insta::assert_snapshot!(copied(&["app"], "new/place", &octal), @"
    / structural
    /new dir 711 3:4
    /new/place dir 711 3:4
    /new/place/hard file 4711 3:4 4 ed54
    /new/place/main.c file 4711 3:4 4 0d6e
    /new/place/sub dir 4711 3:4
    /new/place/sub/deep.txt file 4711 3:4 4 7461
    /new/place/sub/hard file 4711 3:4 4 ed54
    /new/place/sub/link -> deep.txt 3:4
    linked /new/place/hard /new/place/sub/hard
    ");
    let symbolic = CopyOptions {
        mode: "go-rwx,u+X".parse().ok(),
        ..CopyOptions::default()
    };
    insta::assert_snapshot!(copied(&["app"], "etc", &symbolic), @"
    / structural
    /etc structural
    /etc/hard file 700 7:7 4 ed54
    /etc/main.c file 600 7:7 4 0d6e
    /etc/sub dir 700 7:7
    /etc/sub/deep.txt file 600 7:7 4 7461
    /etc/sub/hard file 700 7:7 4 ed54
    /etc/sub/link -> deep.txt
    linked /etc/hard /etc/sub/hard
    ");
}

#[test]
fn excluded_directories_are_made_for_what_is_not() {
    let only = |path: &TreePath, _: bool| path.as_bytes() == b"sub/deep.txt";
    let options = CopyOptions {
        include: Some(&only),
        ..CopyOptions::default()
    };
    insta::assert_snapshot!(copied(&["app"], "new", &options), @"
    / structural
    /new dir 755
    /new/sub dir 711 7:7
    /new/sub/deep.txt file 644 7:7 4 7461
    ");
    let text = |path: &TreePath, _: bool| path.as_bytes().ends_with(b".txt") || path.as_bytes() == b"hard";
    let options = CopyOptions {
        exclude: Some(&text),
        ..CopyOptions::default()
    };
    insta::assert_snapshot!(copied(&["app"], "new", &options), @"
    / structural
    /new dir 755
    /new/main.c file 600 7:7 4 0d6e
    /new/sub dir 711 7:7
    /new/sub/hard file 755 7:7 4 ed54
    /new/sub/link -> deep.txt
    ");
    // A directory that is there and was not meant itself gets the source's mode, not its owner.
    let parents = tree(&["etc/ dir @711:9", "etc/new file n"]);
    let only = |path: &TreePath, _: bool| path.as_bytes() == b"etc/new";
    let options = CopyOptions {
        include: Some(&only),
        ..CopyOptions::default()
    };
    insta::assert_snapshot!(grafted(|graft| graft.copy(&parents, b"/", b"/", &options)), @"
    / structural
    /etc dir 711 5:5
    /etc/new file 644 1 1b16
    ");
}

#[test]
fn directories_are_made() {
    insta::assert_snapshot!(grafted(|graft| graft.mkdir(b"/lib/work/dir", (8, 9))), @"
    / structural
    /usr structural
    /usr/lib structural
    /usr/lib/work dir 755 8:9
    /usr/lib/work/dir dir 755 8:9
    ");
    assert_eq!(grafted(|graft| graft.mkdir(b"etc", (8, 9))), "/ structural\n");
    assert_eq!(
        grafted(|graft| graft.mkdir(b"file", (8, 9))),
        "error: /file is not a directory"
    );
}

#[test]
fn archives_are_unpacked_over_what_is_there() {
    let archive = layer(&[
        "lib/implied file 1",
        "etc/ dir @755:1",
        "etc/conf/ dir @700:1",
        "file/ dir",
        "usr file replaced",
        "deep/er/x file 2",
        "deep/y = lib/implied",
    ]);
    insta::assert_snapshot!(grafted(|graft| graft.unpack(&archive, b"/", None)), @"
    / structural
    /deep dir 755
    /deep/er dir 755
    /deep/er/x file 644 1 d473
    /deep/y file 644 1 6b86
    /etc dir 755 1:1
    /etc/conf dir 700 1:1
    /file dir 755
    /usr file 644 8 6c1a
    ");
    insta::assert_snapshot!(grafted(|graft| graft.unpack(&archive, b"new/dir", Some((7, 7)))), @"
    / structural
    /new dir 755 7:7
    /new/dir dir 755 7:7
    /new/dir/deep dir 755
    /new/dir/deep/er dir 755
    /new/dir/deep/er/x file 644 7:7 1 d473
    /new/dir/deep/y file 644 7:7 1 6b86
    /new/dir/etc dir 755 7:7
    /new/dir/etc/conf dir 700 7:7
    /new/dir/file dir 755 7:7
    /new/dir/lib dir 755
    /new/dir/lib/implied file 644 7:7 1 6b86
    /new/dir/usr file 644 7:7 8 6c1a
    linked /new/dir/deep/y /new/dir/lib/implied
    ");
}

#[test]
fn copying_what_is_there_already_changes_nothing() {
    let mut graft = Graft::new(&source(), Mtime::default());
    graft
        .copy(&source(), b"/app", b"/app", &CopyOptions::default())
        .unwrap();
    assert_eq!(graft.finish(), Layer::empty());
}

/// The source's directories are taken as they are: no copy of a large context is made.
#[test]
fn whole_directories_are_shared() {
    let from = source();
    let mut graft = Graft::new(&Tree::empty(), Mtime::default());
    graft
        .copy(&from, b"/", b"/work", &CopyOptions::default())
        .unwrap();
    let layer = graft.finish();
    let dir = |entry: &Entry, path: &str| {
        Arc::clone(
            entry
                .below(&TreePath::new(path).unwrap())
                .unwrap()
                .node
                .as_dir()
                .unwrap(),
        )
    };
    assert!(Arc::ptr_eq(
        &dir(&from.root, "app/sub"),
        &dir(&layer.root, "work/app/sub")
    ));
}
