//! Header blocks: 512 bytes of fields at fixed places.

use std::ops::Range;

/// Length of a header and unit of everything in a tar, in bytes.
pub(crate) const BLOCK: usize = 512;

const NAME: Range<usize> = 0..100;
const MODE: Range<usize> = 100..108;
const UID: Range<usize> = 108..116;
const GID: Range<usize> = 116..124;
const SIZE: Range<usize> = 124..136;
const MTIME: Range<usize> = 136..148;
const CHECKSUM: Range<usize> = 148..156;
const KIND: usize = 156;
const LINK: Range<usize> = 157..257;
const MAGIC: Range<usize> = 257..265;
const DEVICE_MAJOR: Range<usize> = 329..337;
const DEVICE_MINOR: Range<usize> = 337..345;
const PREFIX: Range<usize> = 345..500;
/// Where star's archives, marked at the end, have times after a shorter prefix.
const STAR_PREFIX: Range<usize> = 345..476;
const STAR_MARK: Range<usize> = 508..512;

const USTAR: &[u8; 8] = b"ustar\x0000";

/// What a tar says that no tar may say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// The archive ends in the middle of a header or content.
    #[error("the archive is cut off")]
    Truncated,
    /// A block that should be a header is none.
    #[error("no header where one should be (wrong checksum)")]
    Checksum,
    /// A header field that is no number, or a negative one, or too large.
    #[error("bad number in the {0}")]
    Number(&'static str),
    /// A pax header that cannot be read.
    #[error("bad pax header")]
    Pax,
    /// A pax header or long name of more than a mebibyte.
    #[error("extended header of {0} bytes")]
    HugeHeader(u64),
    /// A sparse file whose map is not sorted, or does not fit its size.
    #[error("bad map of a sparse file")]
    Sparse,
}

/// A block whose checksum is right.
#[derive(Clone)]
pub(crate) struct Header([u8; BLOCK]);

impl Header {
    /// Checks a block. `None` when it is all zero: the mark of the archive's end.
    pub(crate) fn parse(block: &[u8; BLOCK]) -> Result<Option<Self>, FormatError> {
        if *block == [0; BLOCK] {
            return Ok(None);
        }
        let header = Self(*block);
        let stored = octal(&block[CHECKSUM]).ok_or(FormatError::Checksum)?;
        // Some old programs summed signed bytes.
        if stored != header.checksum(u64::from) && stored != header.checksum(|byte| byte.cast_signed() as u64)
        {
            return Err(FormatError::Checksum);
        }
        Ok(Some(header))
    }

    pub(crate) fn kind(&self) -> u8 {
        self.0[KIND]
    }

    pub(crate) fn path(&self) -> Vec<u8> {
        let name = until_nul(&self.0[NAME]);
        let prefix = if self.0[MAGIC] != *USTAR {
            b""
        } else if self.0[STAR_MARK] == *b"tar\0" {
            until_nul(&self.0[STAR_PREFIX])
        } else {
            until_nul(&self.0[PREFIX])
        };
        match prefix {
            b"" => name.to_vec(),
            prefix => [prefix, b"/", name].concat(),
        }
    }

    pub(crate) fn link(&self) -> &[u8] {
        until_nul(&self.0[LINK])
    }

    /// Permissions with set-uid, set-gid and sticky; some writers put the type above them.
    pub(crate) fn mode(&self) -> Result<u16, FormatError> {
        Ok((number(&self.0[MODE], "mode")? & 0o7777) as u16)
    }

    pub(crate) fn uid(&self) -> Result<u64, FormatError> {
        positive(&self.0[UID], "owner")
    }

    pub(crate) fn gid(&self) -> Result<u64, FormatError> {
        positive(&self.0[GID], "group")
    }

    pub(crate) fn size(&self) -> Result<u64, FormatError> {
        positive(&self.0[SIZE], "size")
    }

    pub(crate) fn mtime(&self) -> Result<i64, FormatError> {
        number(&self.0[MTIME], "modification time")
    }

    pub(crate) fn device(&self) -> Result<(u64, u64), FormatError> {
        let major = positive(&self.0[DEVICE_MAJOR], "device number")?;
        Ok((major, positive(&self.0[DEVICE_MINOR], "device number")?))
    }

    /// Bytes at `range`, for what GNU keeps where POSIX has the prefix.
    pub(crate) fn raw(&self, range: Range<usize>) -> &[u8] {
        &self.0[range]
    }

    fn checksum(&self, value: impl Fn(u8) -> u64) -> u64 {
        let spaces = CHECKSUM.len() as u64 * u64::from(b' ');
        let sum = |range: Range<usize>| {
            self.0[range]
                .iter()
                .fold(0_u64, |sum, byte| sum.wrapping_add(value(*byte)))
        };
        sum(0..CHECKSUM.start)
            .wrapping_add(sum(CHECKSUM.end..BLOCK))
            .wrapping_add(spaces)
    }
}

/// A header being made: POSIX ustar, with empty user and group names.
pub(crate) struct NewHeader([u8; BLOCK]);

impl NewHeader {
    pub(crate) fn new(kind: u8) -> Self {
        let mut block = [0; BLOCK];
        block[KIND] = kind;
        block[MAGIC].copy_from_slice(USTAR);
        let mut header = Self(block);
        for field in [MODE, UID, GID, SIZE, MTIME, DEVICE_MAJOR, DEVICE_MINOR] {
            header.put_octal(field, 0);
        }
        header
    }

    /// Whether `path` fits, whole or parted at a slash; if not, as much as fits of its start is there.
    pub(crate) fn path(&mut self, path: &[u8]) -> bool {
        if path.len() <= NAME.len() {
            self.0[NAME][..path.len()].copy_from_slice(path);
            return true;
        }
        let Some(slash) = split(path) else {
            self.0[NAME].copy_from_slice(&path[..NAME.len()]);
            return false;
        };
        let (prefix, name) = (&path[..slash], &path[slash + 1..]);
        self.0[PREFIX][..prefix.len()].copy_from_slice(prefix);
        self.0[NAME][..name.len()].copy_from_slice(name);
        true
    }

    pub(crate) fn link(&mut self, link: &[u8]) -> bool {
        let fits = link.len() <= LINK.len();
        let length = link.len().min(LINK.len());
        self.0[LINK][..length].copy_from_slice(&link[..length]);
        fits
    }

    pub(crate) fn mode(&mut self, mode: u16) {
        self.put_octal(MODE, mode.into());
    }

    pub(crate) fn uid(&mut self, uid: u32) -> bool {
        self.put_octal(UID, uid.into())
    }

    pub(crate) fn gid(&mut self, gid: u32) -> bool {
        self.put_octal(GID, gid.into())
    }

    pub(crate) fn size(&mut self, size: u64) -> bool {
        self.put_octal(SIZE, size)
    }

    pub(crate) fn mtime(&mut self, secs: i64) -> bool {
        u64::try_from(secs).is_ok_and(|secs| self.put_octal(MTIME, secs))
    }

    pub(crate) fn device(&mut self, major: u32, minor: u32) -> bool {
        self.put_octal(DEVICE_MAJOR, major.into()) && self.put_octal(DEVICE_MINOR, minor.into())
    }

    pub(crate) fn finish(mut self) -> [u8; BLOCK] {
        let sum = Header(self.0).checksum(u64::from);
        self.0[CHECKSUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.0
    }

    /// Digits to the last byte but one, which is NUL. Leaves the field as it is when they are too many.
    fn put_octal(&mut self, field: Range<usize>, number: u64) -> bool {
        let digits = format!("{number:0width$o}\0", width = field.len() - 1);
        let fits = digits.len() == field.len();
        if fits {
            self.0[field].copy_from_slice(digits.as_bytes());
        }
        fits
    }
}

/// The last slash at which a path falls into a prefix and a name that both fit.
fn split(path: &[u8]) -> Option<usize> {
    let last = path.len().min(PREFIX.len() + 1);
    let slash = path[..last].iter().rposition(|byte| *byte == b'/')?;
    let name = path.len() - slash - 1;
    (slash > 0 && (1..=NAME.len()).contains(&name)).then_some(slash)
}

fn until_nul(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn positive(field: &[u8], what: &'static str) -> Result<u64, FormatError> {
    number(field, what)?
        .try_into()
        .map_err(|_| FormatError::Number(what))
}

/// A number in octal digits or, GNU's way, in base 256 when the first bit is set.
pub(crate) fn number(field: &[u8], what: &'static str) -> Result<i64, FormatError> {
    let found = if field[0] & 0x80 == 0 {
        octal(field).and_then(|number| i64::try_from(number).ok())
    } else {
        base_256(field)
    };
    found.ok_or(FormatError::Number(what))
}

/// Two's complement, big-endian, the first bit not counted.
fn base_256(field: &[u8]) -> Option<i64> {
    let negative = field[0] & 0x40 != 0;
    let first = if negative { field[0] } else { field[0] & 0x7f };
    let start = if negative { -1_i64 } else { 0 };
    field[1..]
        .iter()
        .try_fold(start.checked_mul(256)? | i64::from(first), |number, byte| {
            Some(number.checked_mul(256)? | i64::from(*byte))
        })
}

/// Octal digits between spaces and NULs; none at all are zero.
fn octal(field: &[u8]) -> Option<u64> {
    let digits = until_nul(field).trim_ascii();
    digits.iter().try_fold(0_u64, |number, digit| match digit {
        b'0'..=b'7' => Some(number.checked_mul(8)? | u64::from(digit - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (field, expected) in [
            (&b"0000644\0"[..], Some(0o644)),
            (b"   644 \0", Some(0o644)),
            (b"\0\0\0\0\0\0\0\0", Some(0)),
            (b"0000648\0", None),
            (b"\x80\0\0\0\0\0\x01\0", Some(256)),
            (b"\xff\xff\xff\xff\xff\xff\xff\xfe", Some(-2)),
            (b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", Some(i64::MAX)),
            (b"\x80\0\0\0\x80\0\0\0\0\0\0\0", None),
            (b"\xc0\0\0\0\0\0\0\0\0\0\0\0", None),
        ] {
            assert_eq!(number(field, "test").ok(), expected, "{field:?}");
        }
    }

    #[test]
    fn long_paths_are_parted_at_a_slash() {
        let path = [&[b'a'; 120][..], b"/", &[b'b'; 100]].concat();
        let mut header = NewHeader::new(b'0');
        assert!(header.path(&path));
        let read = Header::parse(&header.finish()).unwrap().unwrap();
        assert_eq!(read.path(), path);
        assert!(!NewHeader::new(b'0').path(&[b'a'; 101]));
        assert!(!NewHeader::new(b'0').path(&[&[b'a'; 156][..], b"/b"].concat()));
    }

    #[test]
    fn a_changed_byte_is_noticed() {
        let mut block = NewHeader::new(b'0').finish();
        block[0] ^= 1;
        assert_eq!(Header::parse(&block).err(), Some(FormatError::Checksum));
    }
}
