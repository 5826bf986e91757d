//! Each ecosystem's files, as small as they can be, and what is found in them; then files that no tool wrote.

use proptest::prelude::*;

use crate::{
    Inventory, document,
    spdx_document::About,
    testing::{lines, scanned, tree},
};

const OS_RELEASE: &[u8] = b"PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\nVERSION_ID=\"13\"\nID=debian\n";
const RPM: &[u8] = include_bytes!("../../tests/data/rpmdb.sqlite");

fn check(files: &[(&str, &[u8])], expected: &str) {
    assert_eq!(lines(&scanned(files)), expected);
}

#[test]
fn dpkg() {
    let status = b"Package: libc6\nStatus: install ok installed\nMaintainer: GNU Libc <libc@example.org>\nArchitecture: amd64\n\
        Source: glibc (2.41-1)\nVersion: 2.41-12\nDescription: a library\n Package: not-a-field\n\n\
        Package: gone\nStatus: deinstall ok config-files\nVersion: 1\nArchitecture: all\n";
    let copyright = b"Format: x\n\nFiles: *\nLicense: LGPL-2.1+\n";
    let of_status_d = b"Package: tzdata\nVersion: 2025b-1\nArchitecture: all\n";
    check(
        &[
            ("etc/os-release", OS_RELEASE),
            ("var/lib/dpkg/status", status),
            ("var/lib/dpkg/status.d/tzdata", of_status_d),
            (
                "var/lib/dpkg/status.d/tzdata.md5sums",
                b"0123  usr/share/zoneinfo/UTC\n",
            ),
            ("usr/share/doc/libc6/copyright", copyright),
        ],
        "pkg:deb/debian/libc6@2.41-12?arch=amd64&distro=debian-13&upstream=glibc%402.41-1 | LGPL-2.1-or-later | \
         Some(Person(\"GNU Libc (libc@example.org)\")) |  | usr/share/doc/libc6/copyright var/lib/dpkg/status\n\
         pkg:deb/debian/tzdata@2025b-1?arch=all&distro=debian-13 | - | None |  | var/lib/dpkg/status.d/tzdata\n",
    );
}

#[test]
fn apk() {
    let installed =
        b"C:Q1p78yvTLG094tHE1+dToJGbmYzQE=\nP:musl\nV:1.2.5-r9\nA:x86_64\np:so:libc.musl-x86_64.so.1=1\n\
        L:MIT\no:musl\nm:Somebody <a@example.org>\nF:lib\nR:ld.so\nZ:Q1x\n\n\
        P:libssl3\nV:3.3.1-r0\nA:x86_64\no:openssl\n";
    check(
        &[
            ("etc/os-release", b"ID=alpine\nVERSION_ID=3.21.0\n"),
            ("lib/apk/db/installed", installed),
        ],
        "pkg:apk/alpine/libssl3@3.3.1-r0?arch=x86_64&distro=alpine-3.21.0&upstream=openssl | - | None |  | lib/apk/db/installed\n\
         pkg:apk/alpine/musl@1.2.5-r9?arch=x86_64&distro=alpine-3.21.0 | MIT | \
         Some(Person(\"Somebody (a@example.org)\")) | Sha1 | lib/apk/db/installed\n",
    );
}

#[test]
fn rpm() {
    let inventory = scanned(&[
        ("etc/os-release", b"ID=fedora\nVERSION_ID=41\n"),
        ("usr/lib/sysimage/rpm/rpmdb.sqlite", RPM),
    ]);
    assert_eq!(inventory.packages.len(), 42, "all rows but the key");
    let text = lines(&inventory);
    assert!(text.starts_with(
        "pkg:rpm/fedora/bash@5.0-1.fc41?arch=x86_64&distro=fedora-41&upstream=bash-5.src.rpm | GPL-3.0-or-later | \
         Some(Organization(\"Fedora Project\")) | Sha256 | usr/lib/sysimage/rpm/rpmdb.sqlite\n"
    ));
    assert!(
        text.contains("pkg:rpm/fedora/glibc@5.1-1.fc41?arch=x86_64&distro=fedora-41&epoch=2&"),
        "{text}"
    );
    assert!(text.contains("/filler39@5.42-1.fc41?"), "{text}");
}

#[test]
fn rpm_databases_that_are_broken_are_named() {
    for (path, bytes, said) in [
        (
            "var/lib/rpm/Packages",
            &b"x"[..],
            "was not read: it is not a database of rpm's (SQLite, ndb, Berkeley DB)",
        ),
        (
            "usr/lib/sysimage/rpm/Packages.db",
            b"RpmP\0\0\0\0",
            "was not read to its end: it is cut off",
        ),
        (
            "var/lib/rpm/rpmdb.sqlite",
            &RPM[..700],
            "was not read to its end: it names a page that it does not have",
        ),
    ] {
        assert_eq!(scanned(&[(path, bytes)]).notes, [format!("{path} {said}")]);
    }
}

#[test]
fn python() {
    let old = b"Metadata-Version: 1.0\nName: Old_Thing\nVersion: 0.1\nLicense: UNKNOWN\n\
        Classifier: License :: OSI Approved :: MIT License\n";
    let new = b"Metadata-Version: 2.4\nName: new\nVersion: 2\nLicense-Expression: MIT OR Apache-2.0\n\
        Author-email: A <a@example.org>\nProject-URL: Homepage, https://example.org\n\nName: of the body\n";
    check(
        &[
            ("usr/lib/python3/site-packages/old.egg-info/PKG-INFO", old),
            ("usr/lib/python3/site-packages/new-2.dist-info/METADATA", new),
        ],
        "pkg:pypi/old-thing@0.1 | MIT License | None |  | usr/lib/python3/site-packages/old.egg-info/PKG-INFO\n\
         pkg:pypi/new@2 | MIT OR Apache-2.0 | Some(Person(\"A (a@example.org)\")) |  | \
         usr/lib/python3/site-packages/new-2.dist-info/METADATA\n",
    );
}

#[test]
fn npm() {
    let a = br#"{"name": "@s/a", "version": "1.0.0", "license": "ISC", "author": {"name": "B", "email": "b@example.org"}}"#;
    let old = br#"{"name": "b", "version": "2.0.0", "licenses": [{"type": "MIT"}, {"type": "X11"}]}"#;
    check(
        &[
            ("app/node_modules/@s/a/package.json", a),
            ("app/node_modules/b/package.json", old),
            ("app/node_modules/@s/a/node_modules/b/package.json", old),
            ("app/package.json", br#"{"name": "app", "version": "1.0.0"}"#),
            (
                "app/node_modules/b/lib/package.json",
                br#"{"name": "inner", "version": "1.0.0"}"#,
            ),
            ("app/node_modules/c/package.json", b"{broken"),
        ],
        "pkg:npm/%40s/a@1.0.0 | ISC | Some(Person(\"B (b@example.org)\")) |  | app/node_modules/@s/a/package.json\n\
         pkg:npm/b@2.0.0 | MIT OR X11 | None |  | \
         app/node_modules/@s/a/node_modules/b/package.json app/node_modules/b/package.json\n\
         note: app/node_modules/c/package.json was not read: it is not JSON\n",
    );
}

#[test]
fn cargo() {
    let lock = format!(
        "version = 4\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\n[[package]]\nname = \"memchr\"\nversion = \"2.7.4\"\n\
         source = \"registry+https://example.org/index\"\nchecksum = \"{}\"\n[[package]]\nname = \"own\"\nversion = \"1.0.0\"\n\
         source = \"git+https://example.org/own#0123\"\n",
        "0a".repeat(32)
    );
    check(
        &[("src/Cargo.lock", lock.as_bytes())],
        "pkg:cargo/app@0.1.0 | - | None |  | src/Cargo.lock\n\
         pkg:cargo/memchr@2.7.4 | - | None | Sha256 | src/Cargo.lock\n\
         pkg:cargo/own@1.0.0?vcs_url=git%2Bhttps:%2F%2Fexample.org%2Fown%230123 | - | None |  | src/Cargo.lock\n",
    );
}

/// A program of 64 bits with one section besides that of the names.
fn program(name: &str, section: &[u8]) -> Vec<u8> {
    let names = [b"\0", name.as_bytes(), b"\0"].concat();
    let mut bytes = vec![0; 64];
    bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
    let (at_names, at_section) = (64, 64 + names.len());
    bytes.extend(&names);
    bytes.extend(section);
    let tables = bytes.len();
    bytes[40..48].copy_from_slice(&(tables as u64).to_le_bytes());
    bytes[58..60].copy_from_slice(&64_u16.to_le_bytes());
    bytes[60..62].copy_from_slice(&2_u16.to_le_bytes());
    bytes[62..64].copy_from_slice(&1_u16.to_le_bytes());
    for (name, at, size) in [(1_u32, at_section, section.len()), (0, at_names, names.len())] {
        let mut entry = vec![0; 64];
        entry[..4].copy_from_slice(&name.to_le_bytes());
        entry[4] = 1;
        entry[24..32].copy_from_slice(&(at as u64).to_le_bytes());
        entry[32..40].copy_from_slice(&(size as u64).to_le_bytes());
        bytes.extend(entry);
    }
    // Smaller files are not looked at.
    bytes.resize(bytes.len().max(4096), 0);
    bytes
}

fn go_program() -> Vec<u8> {
    let counted = |text: &[u8]| {
        [
            &[(text.len() % 128) as u8 | 0x80, (text.len() / 128) as u8][..],
            text,
        ]
        .concat()
    };
    let list = b"\x30\x77\xaf\x0c\x92\x74\x08\x02\x41\xe1\xc1\x07\xe6\xd6\x18\xe6path\texample.org/app\n\
        mod\texample.org/app\t(devel)\t\ndep\tgolang.org/x/Sys\tv0.1.0\th1:abc=\n\
        dep\texample.org/old\tv1.0.0\n=>\texample.org/new\tv2.0.0\th1:def=\nbuild\t-compiler=gc\n\
        \xf9\x32\x43\x31\x86\x18\x20\x72\x00\x82\x42\x10\x41\x16\xd8\xf2";
    let mut section = b"\xff Go buildinf:\x08\x02".to_vec();
    section.resize(32, 0);
    section.extend(counted(b"go1.24.1"));
    section.extend(counted(list));
    program(".go.buildinfo", &section)
}

fn audited_program() -> Vec<u8> {
    let list = br#"{"packages":[{"name":"app","version":"0.1.0","source":"local","root":true},
        {"name":"cc","version":"1.0.0","source":"registry","kind":"build"},{"name":"libc","version":"0.2.1","source":"registry"}]}"#;
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, list).unwrap();
    program(".dep-v0", &packed.finish().unwrap())
}

#[test]
fn go() {
    check(
        &[("usr/bin/app", &go_program()), ("lib/app", &go_program())],
        "pkg:golang/example.org/app | - | None |  | usr/bin/app\n\
         pkg:golang/example.org/new@v2.0.0 | - | None |  | usr/bin/app\n\
         pkg:golang/golang.org/x/sys@v0.1.0 | - | None |  | usr/bin/app\n\
         pkg:golang/stdlib@1.24.1 | BSD-3-Clause | None |  | usr/bin/app\n",
    );
}

#[test]
fn auditable_programs() {
    check(
        &[("bin/app", &audited_program())],
        "pkg:cargo/app@0.1.0 | - | None |  | bin/app\npkg:cargo/libc@0.2.1 | - | None |  | bin/app\n",
    );
}

fn written(inventory: &Inventory) -> String {
    let about = About {
        name: "example.com/a:1",
        tree: wharf_oci::Digest::of(b"tree"),
        created: "2024-01-01T00:00:00Z",
        tool: "wharf-0.1.0",
        layer_of: &|_| Some(wharf_oci::Digest::of(b"layer")),
    };
    serde_json::to_string_pretty(&document(inventory, &about)).unwrap()
}

#[test]
fn a_document() {
    let inventory = scanned(&[
        ("etc/os-release", OS_RELEASE),
        (
            "a/Cargo.lock",
            b"[[package]]\nname = \"x\"\nversion = \"1.0.0\"\n",
        ),
        (
            "b/node_modules/y/package.json",
            br#"{"name": "y", "version": "1", "license": "SEE LICENSE IN a"}"#,
        ),
        ("var/lib/rpm/Packages", b"x"),
    ]);
    insta::assert_snapshot!(written(&inventory));
}

/// Where a scan reads what it is given.
const PLACES: [&str; 13] = [
    "etc/os-release",
    "var/lib/dpkg/status",
    "usr/share/doc/a/copyright",
    "lib/apk/db/installed",
    "var/lib/rpm/rpmdb.sqlite",
    "s/a.dist-info/METADATA",
    "node_modules/a/package.json",
    "Cargo.lock",
    "bin/program",
    "bin/.dep-v0",
    "var/lib/dpkg/status.d/x",
    "var/lib/rpm/Packages",
    "var/lib/rpm/Packages.db",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Neither noise nor real files with bytes changed or cut off make it panic, and what comes out can be written.
    #[test]
    fn hostile_files(
        noise in proptest::collection::vec(any::<u8>(), 0..6000),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
        cut in any::<prop::sample::Index>(),
    ) {
        let damaged = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            for (at, byte) in &changes {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            let whole = bytes.len();
            // Half of all are only changed.
            if cut.index(2) == 0 {
                bytes.truncate(cut.index(whole));
            }
            bytes
        };
        let (rpm, go, audited) = (damaged(RPM), damaged(&go_program()), damaged(&audited_program()));
        let mut files: Vec<(&str, &[u8])> = PLACES.iter().map(|place| (*place, &noise[..])).collect();
        files.extend([("usr/lib/sysimage/rpm/rpmdb.sqlite", &rpm[..]), ("bin/go", &go), ("bin/audited", &audited)]);
        let (tree, memory) = tree(&files);
        let inventory = crate::scan(&tree, &memory).unwrap();
        prop_assert!(!written(&inventory).is_empty());
    }
}
