//! The stat cache on disk: records of fixed length, read in one go (docs/formats.md, "Stat cache").

use wharf_oci::Digest;
use wharf_tree::Mtime;

use super::{FileStat, Known};

/// First bytes of a stat cache; the last is the version of the format.
const MAGIC: &[u8; 8] = b"whrfsta\x01";
/// Magic and the digest of all records.
const HEADER: usize = 8 + 32;
const RECORD: usize = 88;

/// How long a stat cache with so many entries is.
pub(super) const fn length(entries: u64) -> u64 {
    HEADER as u64 + entries * RECORD as u64
}

/// The bytes of a stat cache.
pub(super) fn encode(entries: &[Known]) -> Vec<u8> {
    let mut bytes = vec![0; HEADER];
    bytes.reserve(entries.len() * RECORD);
    for known in entries {
        put(&mut bytes, known);
    }
    let digest = Digest::of(&bytes[HEADER..]);
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..HEADER].copy_from_slice(digest.as_bytes());
    bytes
}

fn put(bytes: &mut Vec<u8>, Known { stat, digest, idle }: &Known) {
    for number in [
        stat.device,
        stat.inode,
        stat.size,
        stat.mtime.secs as u64,
        stat.ctime.secs as u64,
    ] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    for number in [stat.mtime.nanos, stat.ctime.nanos, stat.mode, (*idle).into()] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes.extend_from_slice(digest.as_bytes());
}

/// The entries; `None` for bytes that are no stat cache, or a damaged one: a wrong digest in it would fail every build of its
/// context, and hashing all of it costs little beside the walk of that context.
pub(super) fn decode(bytes: &[u8]) -> Option<impl Iterator<Item = Known>> {
    let (header, records) = bytes.split_at_checked(HEADER)?;
    let (magic, digest) = header.split_at(MAGIC.len());
    let sound = digest == Digest::of(records).as_bytes();
    let (records, rest) = records.as_chunks::<RECORD>();
    (magic == MAGIC && rest.is_empty() && sound).then(|| records.iter().map(take))
}

fn take(record: &[u8; RECORD]) -> Known {
    let (wide, rest) = record.split_at(5 * 8);
    let (narrow, digest) = rest.split_at(4 * 4);
    let wide = |at: usize| u64::from_le_bytes(wide.as_chunks().0[at]);
    let narrow = |at: usize| u32::from_le_bytes(narrow.as_chunks().0[at]);
    let stat = FileStat {
        device: wide(0),
        inode: wide(1),
        size: wide(2),
        mode: narrow(2),
        mtime: Mtime {
            secs: wide(3) as i64,
            nanos: narrow(0),
        },
        ctime: Mtime {
            secs: wide(4) as i64,
            nanos: narrow(1),
        },
    };
    Known {
        stat,
        digest: Digest::from_bytes(digest.as_chunks().0[0]),
        idle: narrow(3) as u8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        let time = |secs, nanos| Mtime { secs, nanos };
        let stat = FileStat {
            device: 1,
            inode: 2,
            size: 3,
            mode: 4,
            mtime: time(-5, 6),
            ctime: time(7, 8),
        };
        Known {
            stat,
            digest: Digest::of(b"x"),
            idle: 9,
        }
    }

    #[test]
    fn comes_back() {
        let bytes = encode(&[known(), known()]);
        assert_eq!(bytes.len(), HEADER + 2 * RECORD);
        assert!(decode(&bytes).unwrap().eq([known(), known()]));
    }

    #[test]
    fn golden() {
        let digest = Digest::of(&encode(&[known()])).hex();
        assert_eq!(
            digest,
            "754d832cc136c1ea239f5eaa895b8f6bf7c27dc701495c976717fefc926495c0"
        );
    }

    #[test]
    fn damage_is_noticed() {
        let bytes = encode(&[known()]);
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length]).is_none(), "{length}");
        }
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 16;
            assert!(decode(&flipped).is_none(), "{at}");
        }
    }
}
