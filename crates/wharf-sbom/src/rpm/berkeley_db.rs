//! Just enough of Berkeley DB's hash format to read all values of a file.
//!
//! Versions 8 to 10 of the format, those of Berkeley DB 4 to 6, as its `db_page.h` lays them out. Page 0 describes the file. Each bucket
//! is a chain of pages; keys and values take turns in a page, the first at its end. A value that is too large for its page lies in a chain
//! of pages of its own. Numbers are in the byte order of the machine that wrote the file. Pages are read as they are needed; a file that leads in
//! circles ends in an error.
//!
//! ```text
//! every page    0 log position, 8 number, 12 previous page, 16 next page, 20 items, 22 bytes used, 24 level, 25 type, 26 offsets of items
//! page 0        12 magic, 16 version, 20 page size, 24 encryption, 26 flags, 72 last bucket, 96 spares: 32 numbers
//! item          1 | bytes, or 3 | 4 first page, 8 length
//! ```

use std::io::SeekFrom;

use super::database::{DatabaseError, HEADER_LIMIT, read_at};
use crate::reader::Content;

/// The byte order of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ByteOrder {
    /// Lowest byte first.
    Little,
    /// Highest byte first.
    Big,
}

/// Calls `take` with every value, in no particular order.
pub(super) fn each_value(
    content: &mut dyn Content,
    take: &mut dyn FnMut(&[u8]),
) -> Result<(), DatabaseError> {
    let mut database = Database::open(content)?;
    for bucket in 0..=database.last_bucket {
        let mut next = Some(database.first_page(bucket)?);
        while let Some(number) = next {
            let page = database.page(number)?;
            next = match page.kind() {
                // Grown files have pages that were never written: Berkeley DB takes such a one for an empty bucket.
                UNWRITTEN => None,
                HASH_UNSORTED | HASH => {
                    database.values(&page, take)?;
                    page.next()
                }
                _ => return Err(BROKEN),
            };
        }
    }
    Ok(())
}

const MAGIC: u32 = 0x0006_1561;
/// Of page 0; smaller pages than this do not exist.
const DESCRIPTION: usize = 512;
const SPARES: usize = 32;
/// The flag of page 0 for files whose pages have checksums, and thus other offsets.
const CHECKSUMS: u8 = 1;

const UNWRITTEN: u8 = 0;
const HASH_UNSORTED: u8 = 2;
const OVERFLOW: u8 = 7;
const HASH: u8 = 13;

/// Bytes of a page before its offsets, or before its part of a large value.
const PAGE_HEADER: usize = 26;

const IN_PAGE: u8 = 1;
const IN_OVERFLOW: u8 = 3;

const BROKEN: DatabaseError = DatabaseError::Malformed("a page is broken");

struct Database<'a> {
    content: &'a mut dyn Content,
    order: ByteOrder,
    page_size: usize,
    pages: u64,
    /// Pages read: more than there are mean a circle, as each belongs to one bucket or one value.
    visited: u64,
    last_bucket: u32,
    /// By how much a bucket's page is further than its number, for each power of two of buckets.
    spares: Vec<u32>,
}

struct Page {
    bytes: Vec<u8>,
    order: ByteOrder,
}

impl<'a> Database<'a> {
    fn open(content: &'a mut dyn Content) -> Result<Self, DatabaseError> {
        let bytes = read_at(content, 0, DESCRIPTION)?;
        let order = ByteOrder::of(&bytes).ok_or(DatabaseError::Malformed("it is no hash of Berkeley DB"))?;
        let (int, byte) = (|at| order.int(&bytes, at).unwrap_or_default(), |at| bytes.get(at));
        if !(8..=10).contains(&int(16)) {
            return Err(DatabaseError::Malformed(
                "its version of Berkeley DB is not known",
            ));
        }
        if byte(24) != Some(&0) || byte(26).is_none_or(|flags| flags & CHECKSUMS != 0) {
            return Err(DatabaseError::Malformed(
                "it is encrypted or has checksums: rpm makes no such files",
            ));
        }
        let page_size = int(20) as usize;
        if !page_size.is_power_of_two() || !(512..=65536).contains(&page_size) {
            return Err(DatabaseError::Malformed("its page size is impossible"));
        }
        let (last_bucket, spares) = (int(72), (0..SPARES).map(|index| int(96 + 4 * index)).collect());
        Ok(Self {
            pages: content.seek(SeekFrom::End(0))? / page_size as u64,
            content,
            order,
            page_size,
            visited: 0,
            last_bucket,
            spares,
        })
    }

    /// A bucket's first page. The buckets from one power of two to the next lie side by side.
    fn first_page(&self, bucket: u32) -> Result<u32, DatabaseError> {
        let doublings = (u32::BITS - bucket.leading_zeros()) as usize;
        let spare = self.spares.get(doublings).ok_or(BROKEN)?;
        bucket.checked_add(*spare).ok_or(BROKEN)
    }

    fn page(&mut self, number: u32) -> Result<Page, DatabaseError> {
        self.visited += 1;
        if number == 0 || u64::from(number) >= self.pages {
            return Err(DatabaseError::Malformed("it names a page that it does not have"));
        }
        if self.visited > self.pages {
            return Err(DatabaseError::Malformed("its pages lead in a circle"));
        }
        let at = u64::from(number) * self.page_size as u64;
        let page = Page {
            bytes: read_at(self.content, at, self.page_size)?,
            order: self.order,
        };
        if page.kind() != UNWRITTEN && page.int(8) != Some(number) {
            return Err(BROKEN);
        }
        Ok(page)
    }

    fn values(&mut self, page: &Page, take: &mut dyn FnMut(&[u8])) -> Result<(), DatabaseError> {
        let mut end = self.page_size;
        for index in 0..page.short(20).ok_or(BROKEN)? {
            let start = page.short(PAGE_HEADER + 2 * index).ok_or(BROKEN)?;
            // Items follow on each other: none is told twice.
            let item = page.bytes.get(start..end).filter(|item| !item.is_empty());
            let item = item.ok_or(BROKEN)?;
            end = start;
            let is_value = index % 2 == 1;
            match item[0] {
                _ if !is_value => (),
                IN_PAGE => take(&item[1..]),
                IN_OVERFLOW => self.large_value(item)?.iter().for_each(|value| take(value)),
                _ => {
                    return Err(DatabaseError::Malformed(
                        "a value is of a kind that rpm does not write",
                    ));
                }
            }
        }
        Ok(())
    }

    /// A value outside of its page. `None` if it is too large.
    fn large_value(&mut self, item: &[u8]) -> Result<Option<Vec<u8>>, DatabaseError> {
        let (first, length) = (self.order.int(item, 4), self.order.int(item, 8));
        let (mut next, length) = (first, length.ok_or(BROKEN)?);
        if u64::from(length) > HEADER_LIMIT {
            return Ok(None);
        }
        let length = length as usize;
        let mut value = Vec::new();
        while value.len() < length {
            let page = self.page(next.ok_or(BROKEN)?)?;
            if page.kind() != OVERFLOW {
                return Err(BROKEN);
            }
            let used = page.short(22).ok_or(BROKEN)?;
            let part = page.bytes.get(PAGE_HEADER..PAGE_HEADER + used).ok_or(BROKEN)?;
            value.extend_from_slice(part);
            next = page.next();
        }
        if value.len() > length {
            return Err(BROKEN);
        }
        Ok(Some(value))
    }
}

impl Page {
    fn kind(&self) -> u8 {
        self.bytes[25]
    }

    fn next(&self) -> Option<u32> {
        self.int(16).filter(|number| *number != 0)
    }

    fn int(&self, at: usize) -> Option<u32> {
        self.order.int(&self.bytes, at)
    }

    fn short(&self, at: usize) -> Option<usize> {
        let bytes = self.bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(usize::from(match self.order {
            ByteOrder::Little => u16::from_le_bytes(bytes),
            ByteOrder::Big => u16::from_be_bytes(bytes),
        }))
    }
}

impl ByteOrder {
    /// That of a file with these first bytes; `None` if it is no hash of Berkeley DB.
    pub(super) fn of(start: &[u8]) -> Option<Self> {
        [Self::Little, Self::Big]
            .into_iter()
            .find(|order| order.int(start, 12) == Some(MAGIC))
    }

    fn int(self, bytes: &[u8], at: usize) -> Option<u32> {
        let bytes = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        })
    }
}
