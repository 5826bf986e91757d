//! Databases of all formats, written by others' programs, whole and broken.
//!
//! All hold the same packages: those of `rpmdb.sqlite`, and two whose headers rpm wrote, of which one is large. `db5.3_load` made `Packages`,
//! with pages of 4096 bytes, and `Packages.big-endian`, with pages of 512 and all packages in one bucket; the code that rpm's ndb is
//! derived from made `Packages.db`, with a package taken out again.

use std::io::Cursor;

use proptest::prelude::*;

use super::database::{DatabaseError, Format};
use crate::testing::{lines, scanned};

const SQLITE: &[u8] = include_bytes!("../../tests/data/rpmdb.sqlite");
const NDB: &[u8] = include_bytes!("../../tests/data/Packages.db");
const LITTLE: &[u8] = include_bytes!("../../tests/data/Packages");
const BIG: &[u8] = include_bytes!("../../tests/data/Packages.big-endian");

const OS_RELEASE: &[u8] = b"ID=sles\nVERSION_ID=15.6\n";

/// What a scan finds in a database at this place.
fn found(place: &str, database: &[u8]) -> String {
    lines(&scanned(&[("etc/os-release", OS_RELEASE), (place, database)]))
}

/// Calls `take` with every header of a database.
fn read(database: &[u8], take: &mut dyn FnMut(&[u8])) -> Result<(), DatabaseError> {
    let mut content = Cursor::new(database);
    let format = Format::of(&mut content)?.ok_or(DatabaseError::Malformed("it is no database"))?;
    format.each_header(&mut content, take)
}

/// How many headers, or what could be headers, a whole database has.
fn headers(database: &[u8]) -> Result<usize, DatabaseError> {
    let mut headers = 0;
    read(database, &mut |_| headers += 1)?;
    Ok(headers)
}

#[test]
fn all_formats_tell_the_same() {
    let in_sqlite = found("var/lib/rpm/rpmdb.sqlite", SQLITE);
    for (place, database) in [
        ("var/lib/rpm/Packages", LITTLE),
        ("var/lib/rpm/Packages", BIG),
        ("usr/lib/sysimage/rpm/Packages.db", NDB),
        ("var/lib/rpm/Packages.db", NDB),
        // The name says nothing.
        ("usr/share/rpm/Packages", NDB),
        ("var/lib/rpm/rpmdb.sqlite", BIG),
    ] {
        let (own, same): (Vec<_>, Vec<_>) = found(place, database)
            .split_inclusive('\n')
            .map(str::to_owned)
            .partition(|line| line.contains("/tiny"));
        assert_eq!(
            same.concat(),
            in_sqlite.replace("var/lib/rpm/rpmdb.sqlite", place),
            "{place}"
        );
        let tiny = |name: &str, epoch: &str| {
            format!(
                "pkg:rpm/sles/{name}-2?arch=noarch&distro=sles-15.6{epoch}&upstream={}-2.src.rpm | MIT | \
                 Some(Organization(\"Example\")) | Sha256,Sha1 | {place}\n",
                name.replace('@', "-")
            )
        };
        assert_eq!(
            own,
            [tiny("tiny1@1.1", ""), tiny("tiny4@1.4", "&epoch=3")],
            "{place}"
        );
    }
}

#[test]
fn the_first_database_that_is_one_counts() {
    let files: [(&str, &[u8]); 3] = [
        ("usr/lib/sysimage/rpm/rpmdb.sqlite", b""),
        ("var/lib/rpm/Packages", LITTLE),
        ("usr/share/rpm/Packages.db", NDB),
    ];
    let inventory = scanned(&files);
    assert_eq!(
        inventory.notes,
        [
            "usr/lib/sysimage/rpm/rpmdb.sqlite was not read: it is not a database of rpm's (SQLite, ndb, Berkeley DB)"
        ]
    );
    assert_eq!(
        inventory.files.keys().collect::<Vec<_>>(),
        ["var/lib/rpm/Packages"]
    );
}

/// What is said of a database with these bytes changed.
fn check_changed(database: &[u8], changes: &[(usize, &[u8])], expected: &str) {
    let mut database = database.to_vec();
    for (at, bytes) in changes {
        database[*at..*at + bytes.len()].copy_from_slice(bytes);
    }
    let said = headers(&database).map_or_else(|error| error.to_string(), |all| format!("{all} headers"));
    assert_eq!(said, expected, "{changes:?}");
}

/// Offset of the first page of a type, and its number.
fn page_of_type(database: &[u8], size: usize, kind: u8) -> (usize, u32) {
    let mut numbers = 1..database.len() / size;
    let number = numbers
        .find(|number| database[number * size + 25] == kind)
        .unwrap();
    (number * size, number as u32)
}

#[test]
fn broken_berkeley_db() {
    let (bucket, number) = page_of_type(LITTLE, 4096, 13);
    let (large, large_number) = page_of_type(LITTLE, 4096, 7);
    let whole = headers(LITTLE).unwrap();
    check_changed(LITTLE, &[], &format!("{whole} headers"));
    check_changed(
        LITTLE,
        &[(bucket + 16, &number.to_le_bytes())],
        "its pages lead in a circle",
    );
    let circle: &[(usize, &[u8])] = &[(large + 16, &large_number.to_le_bytes()), (large + 22, &[0, 0])];
    check_changed(LITTLE, circle, "its pages lead in a circle");
    check_changed(
        LITTLE,
        &[(bucket + 16, &[0xff; 4])],
        "it names a page that it does not have",
    );
    check_changed(LITTLE, &[(bucket + 8, &[0xff])], "a page is broken");
    check_changed(LITTLE, &[(bucket + 20, &[0xff; 2])], "a page is broken");
    check_changed(LITTLE, &[(bucket + 25, &[7])], "a page is broken");
    check_changed(LITTLE, &[(large + 25, &[13])], "a page is broken");
    check_changed(LITTLE, &[(16, &[7])], "its version of Berkeley DB is not known");
    check_changed(LITTLE, &[(20, &[1])], "its page size is impossible");
    check_changed(
        LITTLE,
        &[(26, &[1])],
        "it is encrypted or has checksums: rpm makes no such files",
    );
    check_changed(LITTLE, &[(72, &[0xff; 4])], "its pages lead in a circle");
}

#[test]
fn a_page_that_was_never_written_is_an_empty_bucket() {
    let whole = headers(LITTLE).unwrap();
    let mut database = LITTLE.to_vec();
    let (bucket, _) = page_of_type(LITTLE, 4096, 13);
    database[bucket..bucket + 4096].fill(0);
    let left = headers(&database).unwrap();
    assert!(0 < left && left < whole, "{left} of {whole}");
}

#[test]
fn broken_ndb() {
    // The second slot, and the first blob.
    let (slot, blob) = (48, 4096);
    check_changed(NDB, &[], "45 headers");
    check_changed(NDB, &[(4, &[1])], "its version of ndb is not known");
    check_changed(NDB, &[(12, &[0xff; 4])], "a slot is broken");
    check_changed(NDB, &[(slot, b"slot")], "a slot is broken");
    check_changed(NDB, &[(slot + 12, &[0xff; 4])], "its blobs overlap");
    check_changed(NDB, &[(slot + 8, &[0xff; 4])], "it is cut off");
    check_changed(NDB, &[(slot + 8, &[0; 4])], "44 headers");
    check_changed(NDB, &[(blob, b"x")], "a blob is broken");
    check_changed(NDB, &[(blob + 4, &[9])], "a blob is broken");
    check_changed(NDB, &[(blob + 12, &[0xff; 4])], "a blob is broken");
}

/// Every byte of a page's or slot's structure, once each as large and as small as can be, and the file cut off at every place where one begins.
#[test]
fn structure_of_any_value() {
    for (database, step, structure) in [(LITTLE, 4096, 120), (BIG, 512, 30), (NDB, 16, 16)] {
        let pages = (0..database.len()).step_by(step);
        // Blobs have no more structure than their first and last few bytes.
        let pages = pages.take(if step == 16 { 320 } else { usize::MAX });
        for at in pages
            .clone()
            .flat_map(|page| page..page + structure)
            .filter(|at| *at < database.len())
        {
            let mut changed = database.to_vec();
            for value in [0, 1, 0xff, database[at] ^ 0x80] {
                changed[at] = value;
                let _ = headers(&changed);
            }
        }
        for length in pages.flat_map(|page| [page, page + 1, page + step - 1]) {
            let _ = headers(&database[..length.min(database.len())]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Noise behind each format's first bytes, and databases with bytes changed and cut off: what is read is never more than there is.
    #[test]
    fn hostile_databases(
        noise in proptest::collection::vec(prop_oneof![Just(0), 0..4_u8, any::<u8>()], 0..3000),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
        cut in any::<prop::sample::Index>(),
    ) {
        for database in [NDB, LITTLE, BIG] {
            let mut damaged = database.to_vec();
            for (at, byte) in &changes {
                let at = at.index(damaged.len());
                damaged[at] = *byte;
            }
            if cut.index(2) == 0 {
                damaged.truncate(cut.index(database.len()));
            }
            let noisy = [&database[..32], &noise].concat();
            for bytes in [damaged, noisy] {
                let mut taken = 0;
                let _ = read(&bytes, &mut |header| taken += header.len());
                prop_assert!(taken <= bytes.len());
                found("var/lib/rpm/Packages", &bytes);
            }
        }
    }
}
