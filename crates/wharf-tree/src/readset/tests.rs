//! Questions, answers and keys: golden bytes, round trips, damaged input.

use std::sync::Arc;

use proptest::prelude::*;
use wharf_oci::Digest;

use super::*;
use crate::{Attrs, Entry, Mtime, Node, TreeBuilder};

fn path(text: &str) -> TreePath {
    TreePath::new(text).unwrap()
}

fn place(text: &str) -> Place {
    Place {
        root: 0,
        path: path(text),
    }
}

fn entry(node: Node) -> Entry {
    Entry {
        attrs: Attrs::root(0o644),
        mtime: Mtime { secs: -5, nanos: 7 },
        node,
    }
}

fn file(text: &str) -> Entry {
    entry(Node::File {
        digest: Digest::of(text.as_bytes()),
        size: text.len() as u64,
    })
}

fn tree() -> Tree {
    let mut tree = TreeBuilder::new();
    let mut note = file("noted");
    note.attrs.xattrs = Some(Arc::new([(b"user.note".to_vec(), b"1".to_vec())].into()));
    for (at, entry) in [
        ("d/a", file("text")),
        ("d/empty", file("")),
        ("d/note", note),
        ("d-/x", file("sorts between d and d/")),
        ("link", entry(Node::Symlink(b"d/a"[..].into()))),
        (
            "null",
            entry(Node::CharDevice(crate::Device { major: 1, minor: 300 })),
        ),
    ] {
        tree.insert(&path(at), entry).unwrap();
    }
    tree.hard_link(&path("d/a"), &path("d/b")).unwrap();
    tree.finish()
}

/// One question of each kind that fits, and a few that do not.
fn questions() -> PathSet {
    let mut set = PathSet::default();
    for (at, kinds) in [
        ("", vec![Kind::Present, Kind::Xattrs]),
        ("d", vec![Kind::Present, Kind::Listing, Kind::Stat]),
        ("d/a", vec![Kind::Present, Kind::Stat, Kind::Content]),
        ("d/empty", vec![Kind::Present]),
        (
            "d/note",
            vec![
                Kind::Xattr(b"user.note".to_vec()),
                Kind::Xattr(b"user.b".to_vec()),
                Kind::Target,
            ],
        ),
        ("d-/x", vec![Kind::Present]),
        ("link", vec![Kind::Present, Kind::Target, Kind::Content]),
        ("link/a", vec![Kind::Absent]),
        ("none/deep", vec![Kind::Absent]),
        ("null", vec![Kind::Present]),
    ] {
        for kind in kinds {
            set.ask(place(at), kind);
        }
    }
    set
}

#[test]
fn answers() {
    let read = questions().answer(&[&tree()]);
    let about = |at: &str, kind: Kind| read.get(&place(at)).unwrap().get(&kind).cloned().unwrap();
    let links = vec![path("d/a"), path("d/b")];
    assert_eq!(about("d/a", Kind::Stat), Answer::Stat(Stat { size: 4, links }));
    assert_eq!(about("d/a", Kind::Content), Answer::Content(Digest::of(b"text")));
    assert_eq!(about("link", Kind::Target), Answer::Target(b"d/a"[..].into()));
    assert_eq!(about("link", Kind::Content), Answer::Unfit);
    assert_eq!(
        about("link/a", Kind::Absent),
        Answer::Absent,
        "no link is followed"
    );
    assert_eq!(about("none/deep", Kind::Absent), Answer::Absent);
    let note = |name: &[u8]| about("d/note", Kind::Xattr(name.to_vec()));
    assert_eq!(note(b"user.note"), Answer::Xattr(Some(b"1".to_vec())));
    assert_eq!(note(b"user.b"), Answer::Xattr(None));
    let Answer::Listing(names) = about("d", Kind::Listing) else {
        panic!("a listing");
    };
    assert_eq!(names.len(), 4);
    let Answer::Present(empty) = about("d/empty", Kind::Present) else {
        panic!("it is there");
    };
    assert!(empty.empty);
    let remembered = read.places().filter(|(_, told)| told.seen.is_some());
    let remembered: Vec<String> = remembered.map(|(place, _)| place.path.to_string()).collect();
    assert_eq!(remembered, ["/d/a"]);
}

#[test]
fn look_ups_ask_about_every_hop() {
    let mut set = PathSet::default();
    set.ask_lookup(0, &tree(), "/link", FollowLast::Yes);
    set.ask_lookup(0, &tree(), "/d/none/deep", FollowLast::Yes);
    let asked: Vec<String> = set
        .places()
        .map(|(place, asked)| format!("{} {:?}", place.path, asked.kinds().collect::<Vec<_>>()))
        .collect();
    assert_eq!(
        asked,
        [
            "/d [Present]",
            "/d/a [Present]",
            "/d/none [Absent]",
            "/link [Present, Target]"
        ]
    );
}

#[test]
fn all_attributes_include_each() {
    let mut asked = Asked::default();
    asked.add(Kind::Xattr(b"user.a".to_vec()));
    asked.add(Kind::Xattrs);
    asked.add(Kind::Xattr(b"user.b".to_vec()));
    assert_eq!(asked.kinds().collect::<Vec<_>>(), [Kind::Xattrs]);
    assert!(asked.has(&Kind::Xattr(b"user.c".to_vec())));
}

#[test]
fn roots_are_apart() {
    let (full, empty) = (tree(), Tree::empty());
    let mut set = PathSet::default();
    for root in 0..3 {
        let path = path("d/a");
        set.ask(Place { root, path }, Kind::Present);
    }
    let read = set.answer(&[&empty, &full]);
    let present: Vec<bool> = read
        .places()
        .map(|(_, told)| told.get(&Kind::Present) != Some(&Answer::Absent))
        .collect();
    assert_eq!(present, [false, true, false]);
}

#[test]
fn differences_say_where_and_what() {
    let old = tree();
    let mut new = TreeBuilder::from_tree(&old);
    new.remove(&path("d/empty"));
    let new = new.finish();
    let (was, is) = (questions().answer(&[&old]), questions().answer(&[&new]));
    let found: Vec<_> = was
        .differences(&is)
        .map(|difference| format!("{} {:?}", difference.place.path, difference.kind))
        .collect();
    assert_eq!(found, ["/d Listing", "/d/empty Present"]);
    assert_eq!(was.differences(&was).count(), 0);
}

/// A change here makes every recorded result unreachable: it needs a new magic.
#[test]
fn golden_digests() {
    let (set, tree) = (questions(), tree());
    let read = set.answer(&[&tree]);
    let family = Digest::of(b"family");
    insta::assert_snapshot!(set.digest(), @"sha256:a9298f7070553c24fa77aaba3d160b595e7193c4eb045cc18065d8b132f7646b");
    insta::assert_snapshot!(read.digest(), @"sha256:3720a58896c4d223b7c5b9b3f555152e1ecc56a96cf219075be6b955c4bd908d");
    let key = strong_key(&set.to_bytes(), &family, set.digest(), &[&tree]).unwrap();
    insta::assert_snapshot!(key, @"sha256:eb7ffc0cfabad365dc0dcd73d211741e1d3200bf0b5c30b50188405c7a50b05f");
    assert_eq!(read.strong_key(&family, set.digest()), key);
}

#[test]
fn times_are_in_no_key() {
    let tree = tree();
    let mut later = TreeBuilder::from_tree(&tree);
    later.remove(&path("d/a"));
    let mut newer = file("text");
    newer.mtime.secs = 9;
    later.insert(&path("d/a"), newer).unwrap();
    later.remove(&path("d/b"));
    later.hard_link(&path("d/a"), &path("d/b")).unwrap();
    let later = later.finish();
    let (old, new) = (questions().answer(&[&tree]), questions().answer(&[&later]));
    let family = Digest::of(b"family");
    assert_ne!(old, new);
    let set = questions().digest();
    assert_eq!(old.strong_key(&family, set), new.strong_key(&family, set));
}

fn at(text: &str, secs: i64) -> Tree {
    let mut tree = TreeBuilder::new();
    let mut entry = file(text);
    entry.mtime = Mtime { secs, nanos: 0 };
    tree.insert(&path("f"), entry).unwrap();
    tree.finish()
}

fn asked(kind: Kind) -> PathSet {
    let mut set = PathSet::default();
    set.ask(place("f"), kind);
    set
}

/// Text and time of a file, and whether it has another time than remembered, and is edited.
#[test]
fn an_edit_is_another_time_and_another_content() {
    let read = asked(Kind::Stat).answer(&[&at("old", 1)]);
    assert_eq!(ReadSet::from_bytes(&read.to_bytes()), Ok(read.clone()));
    for (text, secs, expected) in [
        ("old", 1, None),
        ("new", 1, None),
        ("old", 2, Some(false)),
        ("new", 2, Some(true)),
    ] {
        let tree = at(text, secs);
        let other = read.other_times(&[&tree]).next();
        let edited = other.map(|other| other.edited.is_some());
        assert_eq!(edited, expected, "{text} {secs}");
    }
    let content = asked(Kind::Content).answer(&[&at("old", 1)]);
    let tree = at("old", 2);
    let other = content.other_times(&[&tree]).next();
    assert!(other.is_some_and(|other| other.edited.is_none()));
}

/// The step of before saw "old" at 10 and began at 20 to make files, or made none.
#[test]
fn an_edited_file_becomes_as_old_as_what_was_made_of_it() {
    let before = asked(Kind::Stat).answer(&[&at("old", 10)]);
    for (text, secs, made, expected) in [
        ("old", 30, Some(20), 10),
        ("old", 30, None, 10),
        ("new", 30, Some(20), 20),
        ("new", 15, Some(20), 15),
        ("new", 30, None, 30),
    ] {
        let now = asked(Kind::Stat).answer(&[&at(text, secs)]);
        let made = made.map(|secs| Mtime { secs, nanos: 0 });
        let told = now.with_times_of(&before, made).get(&place("f")).unwrap();
        assert_eq!(told.seen.unwrap().mtime.secs, expected, "{text} {secs} {made:?}");
    }
}

/// Of three files the first was put there by an edit before, and the others are edited now, the last first.
#[test]
fn edited_files_keep_their_order() {
    let tree = |times: [(&str, i64, u32); 3]| {
        let mut tree = TreeBuilder::new();
        for (at, (text, secs, nanos)) in ["a", "b", "c"].into_iter().zip(times) {
            let mut entry = file(text);
            entry.mtime = Mtime { secs, nanos };
            tree.insert(&path(at), entry).unwrap();
        }
        tree.finish()
    };
    let mut set = PathSet::default();
    for at in ["a", "b", "c"] {
        set.ask(place(at), Kind::Stat);
    }
    let before = set.answer(&[&tree([("one", 20, 4), ("two", 10, 0), ("three", 10, 0)])]);
    let now = set.answer(&[&tree([("one", 40, 0), ("TWO", 31, 0), ("THREE", 30, 0)])]);
    let times = now.with_times_of(&before, Some(Mtime { secs: 20, nanos: 0 }));
    let times = times.places().map(|(_, told)| told.seen.unwrap().mtime);
    let at = |nanos| Mtime { secs: 20, nanos };
    assert_eq!(times.collect::<Vec<_>>(), [at(4), at(6), at(5)]);
}

#[test]
fn round_trips() {
    let set = questions();
    let read = set.answer(&[&tree()]);
    assert_eq!(PathSet::from_bytes(&set.to_bytes()), Ok(set.clone()));
    assert_eq!(ReadSet::from_bytes(&read.to_bytes()), Ok(read.clone()));
    assert_eq!(read.path_set(), set);
    assert_eq!(read.path_set_bytes(), set.to_bytes());
    assert_eq!(ReadSet::from_bytes(&set.to_bytes()), Err(ReadSetError::Magic));
}

#[test]
fn what_was_only_served_was_absent() {
    let mut set = PathSet::default();
    set.ask(place("mount"), Kind::Present);
    set.ask(place("mount"), Kind::Listing);
    set.ask(place("d"), Kind::Listing);
    let read = set.record(&[&tree()]);
    let kinds = |at: &str| read.get(&place(at)).unwrap().asked().kinds().collect::<Vec<_>>();
    assert_eq!(kinds("mount"), [Kind::Absent]);
    assert_eq!(kinds("d"), [Kind::Listing]);
}

#[test]
fn merges_to_the_union() {
    let all = questions();
    let tree = tree();
    let (mut one, mut other) = (PathSet::default(), PathSet::default());
    for (index, (place, asked)) in all.places().enumerate() {
        for kind in asked.kinds() {
            let half = if index % 3 == 0 { &mut one } else { &mut other };
            half.ask(place.clone(), kind);
        }
    }
    let mut read = one.answer(&[&tree]);
    read.merge(&other.answer(&[&tree]));
    assert_eq!(read, all.answer(&[&tree]));
}

#[test]
fn contradictions_are_refused() {
    let one = |asked: &[u8]| [&b"whpaths1"[..], &[1, 0, 0, 1, b'a'], asked].concat();
    for (asked, error) in [
        (&[0][..], ReadSetError::Malformed(14)),
        (&[8, 0], ReadSetError::Malformed(15)),
        (&[8, 1, 1, b'x', 0], ReadSetError::NotCanonical),
        (&[12, 1, 1, b'x'], ReadSetError::NotCanonical),
        (&[2, 2], ReadSetError::NotCanonical),
        (&[8, 2, 1, b'x'], ReadSetError::Truncated),
    ] {
        assert_eq!(PathSet::from_bytes(&one(asked)), Err(error), "{asked:?}");
    }
    assert!(PathSet::from_bytes(&one(&[2])).is_ok());
}

fn damaged(bytes: &[u8], at: usize, value: u8) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = at % bytes.len();
    bytes[at] = value;
    bytes
}

proptest! {
    /// Whatever is accepted is the one encoding of what it says.
    #[test]
    fn damage_is_refused_or_says_something_else(at in any::<usize>(), value in any::<u8>(), cut in any::<usize>()) {
        let set = questions();
        let (sets, reads) = (set.to_bytes(), set.answer(&[&tree()]).to_bytes());
        for bytes in [damaged(&sets, at, value), sets[..cut % sets.len()].to_vec()] {
            if let Ok(set) = PathSet::from_bytes(&bytes) {
                prop_assert_eq!(set.to_bytes(), bytes);
            }
        }
        for bytes in [damaged(&reads, at, value), reads[..cut % reads.len()].to_vec()] {
            if let Ok(read) = ReadSet::from_bytes(&bytes) {
                prop_assert_eq!(read.to_bytes(), bytes);
            }
        }
    }

    #[test]
    fn sets_of_any_places_round_trip(places in proptest::collection::btree_map("[a-c/]{0,8}", 0_u8..4, 0..20)) {
        let mut set = PathSet::default();
        for (text, number) in &places {
            let at = Place { root: u16::from(number % 2), path: path(text) };
            set.ask(at, if *number > 1 { Kind::Xattr(text.as_bytes().to_vec()) } else { Kind::Content });
        }
        prop_assert_eq!(PathSet::from_bytes(&set.to_bytes()), Ok(set));
    }
}
