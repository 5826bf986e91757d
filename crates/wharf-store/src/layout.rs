//! Where each kind of object lies, relative to the store's `v1` directory.

use wharf_oci::Digest;

/// The directory of this format. A format that this one cannot be read as gets the next.
pub(crate) const VERSION: &str = "v1";

/// Says which format and features a store has; written last when a store is made.
pub(crate) const FORMAT: &str = "format";
pub(crate) const BLOBS: &str = "blobs";
pub(crate) const TREES: &str = "trees";
pub(crate) const TIMES: &str = "times";
pub(crate) const PATHS: &str = "paths";
pub(crate) const SLOTS: &str = "slots";
pub(crate) const RESULTS: &str = "results";
pub(crate) const HEADS: &str = "heads";
pub(crate) const MEMO: &str = "memo";
pub(crate) const REFS: &str = "refs";
pub(crate) const PINS: &str = "pins";
pub(crate) const LEASES: &str = "leases";
pub(crate) const LOCKS: &str = "locks";
pub(crate) const HISTORY: &str = "history";
pub(crate) const STAT: &str = "stat";
pub(crate) const CACHES: &str = "caches";
pub(crate) const WORK: &str = "work";
/// Leases that nobody has.
pub(crate) const IDLE: &str = "idle";
pub(crate) const BOOTS: &str = "boots";
/// What garbage collection has taken away and not yet deleted. It is made with the store, because a full disk has no room for one.
pub(crate) const TRASH: &str = "trash";

/// Every directory of a new store.
pub(crate) const DIRECTORIES: [&str; 19] = [
    BLOBS, TREES, TIMES, PATHS, SLOTS, RESULTS, HEADS, MEMO, REFS, PINS, LEASES, IDLE, LOCKS, HISTORY, STAT,
    CACHES, WORK, BOOTS, TRASH,
];

/// A blob: spread over 256 directories, so that none grows beyond what directory scans are good at.
pub(crate) fn blob(digest: &Digest) -> String {
    let hex = digest.hex();
    format!("{BLOBS}/{}/{hex}", &hex[..2])
}

/// An object of a directory that holds one file a digest.
pub(crate) fn object(directory: &str, digest: &Digest) -> String {
    format!("{directory}/{}", digest.hex())
}

/// A file of a directory, by its name.
pub(crate) fn file(directory: &str, name: &str) -> String {
    format!("{directory}/{name}")
}

/// Where garbage collection puts an object aside.
pub(crate) fn trash(place: &str) -> String {
    format!("{TRASH}/{}", place.replace('/', "~"))
}

/// Where an object in the trash came from.
pub(crate) fn untrash(name: &str) -> String {
    name.replace('~', "/")
}

/// A file name for any text: readable where possible. Bytes other than letters, digits, `.`, `_`, `-` and `:` become `%xx`; text
/// that gets too long for that, or is empty, is named by `%` and its digest.
pub(crate) fn file_name(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b':');
    let mut name = String::with_capacity(text.len() + 16);
    for (at, byte) in text.bytes().enumerate() {
        if plain(byte) && (at, byte) != (0, b'.') {
            name.push(char::from(byte));
        } else {
            name.extend(['%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
    }
    match name.len() {
        1..=LONGEST_NAME => name,
        _ => format!("%{}", Digest::of(text.as_bytes()).hex()),
    }
}

const HEX: [char; 16] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
];

/// Leaves room below the 255 bytes of a file name for what the trash puts before it.
const LONGEST_NAME: usize = 180;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_readable_and_safe() {
        for (text, name) in [
            ("example.com/team/app:1.0", "example.com%2fteam%2fapp:1.0"),
            ("../etc", "%2e.%2fetc"),
            ("a~b", "a%7eb"),
            ("é", "%c3%a9"),
        ] {
            assert_eq!(file_name(text), name);
        }
        assert_eq!(file_name("").len(), 65);
        assert_eq!(file_name(&"x/".repeat(100)).len(), 65);
        assert_ne!(file_name(&"x/".repeat(100)), file_name(&"x/".repeat(101)));
    }

    #[test]
    fn trash_remembers_where_things_were() {
        let place = blob(&Digest::of(b""));
        let trashed = trash(&place);
        assert_eq!(untrash(trashed.strip_prefix("trash/").unwrap()), place);
    }
}
