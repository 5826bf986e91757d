//! What archives become, and what is refused.

use super::*;
use crate::{
    Attrs,
    tar::{
        header::{BLOCK, NewHeader},
        pax,
    },
    testing::{Blobs, show_all, tree},
};

/// A tar of these members, each made by [`member`].
fn tar(members: &[Vec<u8>]) -> Vec<u8> {
    [members.concat(), vec![0; 2 * BLOCK]].concat()
}

fn member(kind: u8, name: &str, link: &str, content: &[u8]) -> Vec<u8> {
    let mut header = NewHeader::new(kind);
    assert!(header.path(name.as_bytes()) && header.link(link.as_bytes()));
    header.mode(0o644);
    header.size(content.len() as u64);
    let padding = vec![0; content.len().next_multiple_of(BLOCK) - content.len()];
    [&header.finish(), content, &padding].concat()
}

fn file(name: &str, content: &str) -> Vec<u8> {
    member(b'0', name, "", content.as_bytes())
}

fn pax_header(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut content = Vec::new();
    for (key, value) in records {
        pax::put(&mut content, key.as_bytes(), value);
    }
    member(b'x', "pax", "", &content)
}

fn read_with(bytes: &[u8], options: &ImportOptions<'_>) -> String {
    match import(bytes, &mut Blobs::default(), options) {
        Ok(layer) => show_all(&layer.root, &layer.links),
        Err(error) => format!("error: {error}"),
    }
}

fn read(members: &[Vec<u8>]) -> String {
    read_with(&tar(members), &ImportOptions::default())
}

#[test]
fn members_of_every_kind() {
    let members = [
        member(b'5', "./", "", b""),
        file("/absolute", "a"),
        file("./dir/../dotted", "d"),
        member(b'\0', "old-directory/", "", b""),
        member(b'\0', "old-file", "", b"o"),
        member(b'2', "link", "/etc/../x", b""),
        member(b'1', "hard", "./absolute", b""),
        member(b'6', "fifo", "", b""),
        member(b'3', "char", "", b""),
        member(b'4', "block", "", b""),
        file("old-file", "again"),
        member(b'g', "global", "", b"17 comment=commit"),
    ];
    insta::assert_snapshot!(read(&members), @"
    / dir 644
    /absolute file 644 1 ca97
    /block block 644 0:0
    /char char 644 0:0
    /dotted file 644 1 18ac
    /fifo fifo 644
    /hard file 644 1 ca97
    /link -> /etc/../x
    /old-directory dir 644
    /old-file file 644 5 b4c9
    linked /absolute /hard
    ");
}

#[test]
fn whiteouts() {
    let members = [
        file("dir/.wh.gone", ""),
        file(".wh..wh.plnk", ""),
        file("full/x", ""),
        file("full/.wh..wh..opq", ""),
        file("both/.wh..wh..opq", ""),
        member(b'5', "both", "", b""),
    ];
    insta::assert_snapshot!(read(&members), @"
    / structural
    /both opaque 644
    /dir structural
    /dir/gone gone
    /full opaque 755
    /full/x file 644 0 e3b0
    ");
    let literal = import_archive(
        &tar(&members)[..],
        &mut Blobs::default(),
        &ImportOptions::default(),
    )
    .unwrap();
    insta::assert_snapshot!(show_all(&literal.root, &literal.links), @"
    / structural
    /.wh..wh.plnk file 644 0 e3b0
    /both dir 644
    /both/.wh..wh..opq file 644 0 e3b0
    /dir structural
    /dir/.wh.gone file 644 0 e3b0
    /full structural
    /full/.wh..wh..opq file 644 0 e3b0
    /full/x file 644 0 e3b0
    ");
    assert_eq!(read(&[file(".wh.", "")]), "error: `/.wh.` cannot be a path");
}

#[test]
fn hostile_names_are_refused() {
    for (members, error) in [
        (
            vec![file("../escape", "")],
            "`../escape` leads out of the archive",
        ),
        (
            vec![file("a/../../escape", "")],
            "`a/../../escape` leads out of the archive",
        ),
        (vec![file("/..", "")], "`/..` leads out of the archive"),
        (
            vec![member(b'2', "a", "/etc", b""), file("a/passwd", "")],
            "`/a/passwd` cannot be placed",
        ),
        (vec![file("a", ""), file("a/b", "")], "`/a/b` cannot be placed"),
        (
            vec![file("a", ""), file("a/.wh.b", "")],
            "`/a/.wh.b` cannot be placed",
        ),
        (
            vec![member(b'1', "a", "../../etc/shadow", b"")],
            "`../../etc/shadow` leads out of the archive",
        ),
        (
            vec![member(b'1', "a", "b", b"")],
            "`a` is a hard link to `b`, which is not there",
        ),
        (
            vec![member(b'5', "d", "", b""), member(b'1', "a", "d", b"")],
            "`a` is a hard link to `d`, which is not there",
        ),
        (
            vec![member(b'2', "l", "/", b""), member(b'1', "a", "l/etc", b"")],
            "`a` is a hard link to `l/etc`, which is not there",
        ),
        (vec![member(b'2', "a", "", b"")], "`a` has a bad link target"),
        (vec![member(b'Z', "a", "", b"")], "`a` is of unknown type `Z`"),
        (vec![file("", "")], "`/` cannot be placed"),
        (
            vec![pax_header(&[("path", &[b'x'; 300])]), file("a", "")],
            &format!("`{}` cannot be a path", "x".repeat(300)),
        ),
        (
            vec![pax_header(&[("path", b"a\0b")]), file("a", "")],
            "`a\0b` cannot be a path",
        ),
        (
            vec![pax_header(&[("uid", b"4294967296")]), file("a", "")],
            "`a` has a bad owner",
        ),
        (
            vec![pax_header(&[("uid", b"-1")]), file("a", "")],
            "bad number in the uid",
        ),
        (
            vec![pax_header(&[("SCHILY.xattr.", b"x")]), file("a", "")],
            "`a` has a bad extended attribute",
        ),
    ] {
        assert_eq!(read(&members), format!("error: {error}"));
    }
    let long = "d/".repeat(2100);
    let refused = read(&[
        pax_header(&[("path", long.as_bytes())]),
        member(b'5', "a", "", b""),
    ]);
    assert!(refused.ends_with("cannot be placed"), "{refused}");
}

#[test]
fn damaged_archives_are_refused() {
    let bytes = tar(&[file("a", "content"), file("b", "content")]);
    let read = |bytes: &[u8]| read_with(bytes, &ImportOptions::default());
    assert_eq!(read(&bytes[..100]), "error: the archive is cut off");
    assert_eq!(read(&bytes[..BLOCK + 3]), "error: cannot take the content of `a`");
    assert_eq!(read(&bytes[..2 * BLOCK - 3]), "error: the archive is cut off");
    // Without the blocks of zeros at the end, as some writers leave it.
    assert_eq!(read(&bytes[..4 * BLOCK]), read(&bytes));
    let mut damaged = bytes.clone();
    damaged[2 * BLOCK + 5] ^= 1;
    assert_eq!(
        read(&damaged),
        "error: no header where one should be (wrong checksum)"
    );
    let gap = [file("a", ""), vec![0; BLOCK], file("b", "")];
    assert_eq!(
        read(&tar(&gap)),
        "error: no header where one should be (wrong checksum)"
    );
    assert_eq!(read(b""), "/ structural\n");
    let looks = [&bytes[..], &bytes[..BLOCK], &damaged, b"", b"text", &[0; 1024]].map(is_archive);
    assert_eq!(looks, [true, true, true, false, false, false]);
    let mut huge = NewHeader::new(b'x');
    huge.size((1 << 33) - 1);
    assert_eq!(read(&huge.finish()), "error: extended header of 8589934591 bytes");
    assert_eq!(
        read(&tar(&[
            pax_header(&[("size", b"99999999999999999999")]),
            file("a", "")
        ])),
        "error: bad number in the size"
    );
}

#[test]
fn limits_hold() {
    let bytes = tar(&[file("a", "12345"), file("b", "12345")]);
    let with = |entries, bytes_limit| {
        let limits = Limits {
            entries,
            bytes: bytes_limit,
        };
        read_with(
            &bytes,
            &ImportOptions {
                limits,
                ..ImportOptions::default()
            },
        )
    };
    assert!(with(2, 10 + 1024).starts_with("/ structural"));
    assert_eq!(with(1, 2000), "error: the archive holds more than 1 members");
    assert_eq!(with(2, 9), "error: the archive holds more than 9 bytes");
    let mut trailing = bytes.clone();
    trailing.extend([1; 3000]);
    let limits = Limits {
        entries: 2,
        bytes: 2000,
    };
    let options = ImportOptions {
        limits,
        ..ImportOptions::default()
    };
    assert_eq!(
        read_with(&trailing, &options),
        "error: the archive holds more than 2000 bytes"
    );
}

#[test]
fn pax_headers_are_obeyed() {
    let long = "long/".repeat(60) + "name";
    let members = [
        pax_header(&[
            ("path", long.as_bytes()),
            ("uid", b"3000000"),
            ("gid", b"7"),
            ("mtime", b"-1.5"),
            ("SCHILY.xattr.user.key", b"a=b\n"),
        ]),
        file("short", "x"),
        pax_header(&[("linkpath", &[b't'; 200])]),
        member(b'2', "link", "short", b""),
        file("after", ""),
    ];
    let layer = import(
        &tar(&members)[..],
        &mut Blobs::default(),
        &ImportOptions::default(),
    )
    .unwrap();
    let entry = layer.root.below(&TreePath::new(&long).unwrap()).unwrap();
    assert_eq!((entry.attrs.uid, entry.attrs.gid), (3_000_000, 7));
    assert_eq!((entry.mtime.secs, entry.mtime.nanos), (-2, 500_000_000));
    assert_eq!(entry.attrs.xattrs.as_ref().unwrap()[&b"user.key"[..]], b"a=b\n");
    let link = layer.root.below(&TreePath::new("link").unwrap()).unwrap();
    assert_eq!(link.node, Node::Symlink([b't'; 200][..].into()));
    let after = layer.root.below(&TreePath::new("after").unwrap()).unwrap();
    assert_eq!(after.attrs, Attrs::root(0o644));
}

#[test]
fn hard_links_reach_into_the_parent() {
    let parent = tree(&[
        "usr/lib/real file r",
        "lib -> usr/lib",
        "dir/ dir @700:4",
        "dir/x file x",
    ]);
    let options = ImportOptions {
        parent: Some(&parent),
        ..ImportOptions::default()
    };
    let link = |target: &str| read_with(&tar(&[member(b'1', "new", target, b"")]), &options);
    insta::assert_snapshot!(link("lib/real"), @"
    / structural
    /new file 644 1 4543
    /usr structural
    /usr/lib structural
    /usr/lib/real file 644 1 4543
    linked /new /usr/lib/real
    ");
    assert_eq!(
        link("dir"),
        "error: `new` is a hard link to `dir`, which is not there"
    );
    assert_eq!(
        link("none"),
        "error: `new` is a hard link to `none`, which is not there"
    );
    let opaque = tar(&[file("dir/.wh..wh..opq", ""), file("dir/new", "n")]);
    insta::assert_snapshot!(read_with(&opaque, &options), @"
    / structural
    /dir opaque 700 4:4
    /dir/new file 644 1 1b16
    ");
}

/// Written by GNU tar 1.34 of the same files: two sparse ones, a long name, a long link and a hard link.
#[test]
fn archives_of_gnu_tar() {
    let read = |bytes: &[u8]| {
        let (_, reader) = crate::compress::decompress(bytes).unwrap();
        let layer = import(reader, &mut Blobs::default(), &ImportOptions::default()).unwrap();
        show_all(&layer.root, &layer.links)
    };
    let old = read(include_bytes!("../../../tests/data/gnu-old.tar.gz"));
    assert_eq!(
        read(include_bytes!("../../../tests/data/gnu-pax-sparse-0.0.tar.gz")),
        old
    );
    assert_eq!(
        read(include_bytes!("../../../tests/data/gnu-pax-sparse-0.1.tar.gz")),
        old
    );
    assert_eq!(
        read(include_bytes!("../../../tests/data/gnu-pax-sparse-1.0.tar.gz")),
        old
    );
    insta::assert_snapshot!(old, @"
    / structural
    /d dir 755 7:8
    /d/hard file 644 7:8 4 fc66
    /d/link -> tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt 7:8
    /d/nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn file 644 7:8 4 fc66
    /holes file 644 7:8 300000 045a
    /many file 644 7:8 780002 5155
    linked /d/hard /d/nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn
    ");
}
