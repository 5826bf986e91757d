//! Just enough of SQLite's file format to read all rows of a table.
//!
//! "Database File Format" of SQLite, sections 1.3 (header), 1.6 (b-tree pages), 2.1 (records), 2.6 (schema). Pages are read as they are
//! needed; a file that leads in circles ends in an error.

use std::io::{Read, Seek, SeekFrom};

use super::database::{DatabaseError, HEADER_LIMIT};

/// What a file of this format begins with.
pub(super) const MAGIC: &[u8] = b"SQLite format 3\0";

/// One row: its record's bytes.
pub(super) struct Row(Vec<u8>);

/// A tree of this height has more pages than a file can have.
const HEIGHT_LIMIT: u32 = 20;

/// Calls `take` with every row of the table.
pub(super) fn each_row(
    content: &mut (impl Read + Seek + ?Sized),
    table: &str,
    mut take: impl FnMut(&Row),
) -> Result<(), DatabaseError> {
    let mut database = Database::open(content)?;
    let mut root = None;
    database.walk(1, 0, &mut |row| {
        let named = |column, text: &str| row.blob(column) == Some(text.as_bytes());
        if named(0, "table") && named(1, table) {
            root = row.number(3).and_then(|page| u32::try_from(page).ok());
        }
    })?;
    let root = root.ok_or(DatabaseError::Malformed("it has no table of packages"))?;
    database.visited = 0;
    database.walk(root, 0, &mut take)
}

struct Database<'a, C: ?Sized> {
    content: &'a mut C,
    page_size: usize,
    /// Page size without the reserved bytes at its end.
    usable: usize,
    pages: u64,
    /// Pages read: more than there are means a circle.
    visited: u64,
}

impl<'a, C: Read + Seek + ?Sized> Database<'a, C> {
    fn open(content: &'a mut C) -> Result<Self, DatabaseError> {
        let mut header = [0; 100];
        content.seek(SeekFrom::Start(0))?;
        content
            .read_exact(&mut header)
            .map_err(|_| DatabaseError::Malformed("it is too short"))?;
        if !header.starts_with(MAGIC) {
            return Err(DatabaseError::Malformed("it is not an SQLite database"));
        }
        let page_size = match u16::from_be_bytes([header[16], header[17]]) {
            1 => 65536,
            size if size.is_power_of_two() && size >= 512 => usize::from(size),
            _ => return Err(DatabaseError::Malformed("its page size is impossible")),
        };
        let usable = page_size - usize::from(header[20]);
        if usable < 480 {
            return Err(DatabaseError::Malformed("its page size is impossible"));
        }
        let length = content.seek(SeekFrom::End(0))?;
        Ok(Self {
            content,
            page_size,
            usable,
            pages: length / page_size as u64,
            visited: 0,
        })
    }

    fn page(&mut self, number: u32) -> Result<Vec<u8>, DatabaseError> {
        self.visited += 1;
        if number == 0 || u64::from(number) > self.pages {
            return Err(DatabaseError::Malformed("it names a page that it does not have"));
        }
        // Overflow pages and pages of the tree: each belongs to one row or node.
        if self.visited > self.pages {
            return Err(DatabaseError::Malformed("its pages lead in a circle"));
        }
        let at = u64::from(number - 1) * self.page_size as u64;
        self.content.seek(SeekFrom::Start(at))?;
        let mut page = vec![0; self.page_size];
        self.content.read_exact(&mut page)?;
        Ok(page)
    }

    fn walk(&mut self, number: u32, height: u32, take: &mut dyn FnMut(&Row)) -> Result<(), DatabaseError> {
        if height > HEIGHT_LIMIT {
            return Err(DatabaseError::Malformed("its tree is too high"));
        }
        let page = self.page(number)?;
        // The first page begins with the file's header.
        let start = if number == 1 { 100 } else { 0 };
        let broken = DatabaseError::Malformed("a page is broken");
        let (kind, cells) = (page[start], be16(&page, start + 3).ok_or(broken)?);
        let array = match kind {
            INTERIOR => start + 12,
            LEAF => start + 8,
            _ => return Err(DatabaseError::Malformed("a page is not of a table")),
        };
        for cell in 0..cells {
            let at = be16(&page, array + 2 * cell);
            let cell = at.and_then(|at| page.get(at..)).unwrap_or_default();
            if kind == INTERIOR {
                let child = be32(cell, 0).ok_or(DatabaseError::Malformed("a page is broken"))?;
                self.walk(child, height + 1, take)?;
            } else if let Some(row) = self.row(cell)? {
                take(&row);
            }
        }
        if kind == INTERIOR {
            let last = be32(&page, start + 8).ok_or(DatabaseError::Malformed("a page is broken"))?;
            self.walk(last, height + 1, take)?;
        }
        Ok(())
    }

    /// The record of a leaf's cell, put together from its overflow pages. `None` if it is too large.
    fn row(&mut self, cell: &[u8]) -> Result<Option<Row>, DatabaseError> {
        let broken = || DatabaseError::Malformed("a row is broken");
        let (length, used) = varint(cell).ok_or_else(broken)?;
        let (_, more) = varint(&cell[used..]).ok_or_else(broken)?;
        let body = &cell[used + more..];
        if length > HEADER_LIMIT {
            return Ok(None);
        }
        let local = self.local(length);
        let mut bytes = body.get(..local).ok_or_else(broken)?.to_vec();
        let mut next = if (local as u64) < length {
            be32(body, local).ok_or_else(broken)?
        } else {
            0
        };
        while (bytes.len() as u64) < length {
            let page = self.page(next)?;
            next = be32(&page, 0).ok_or_else(broken)?;
            let wanted = (length - bytes.len() as u64).min(self.usable as u64 - 4) as usize;
            bytes.extend_from_slice(page.get(4..4 + wanted).ok_or_else(broken)?);
        }
        Ok(Some(Row(bytes)))
    }

    /// How much of a record of this length is in the cell itself (section 1.6).
    fn local(&self, length: u64) -> usize {
        let usable = self.usable as u64;
        let most = usable - 35;
        if length <= most {
            return length as usize;
        }
        let least = (usable - 12) * 32 / 255 - 23;
        let spilled = least + (length - least) % (usable - 4);
        (if spilled <= most { spilled } else { least }) as usize
    }
}

const INTERIOR: u8 = 0x05;
const LEAF: u8 = 0x0d;

impl Row {
    /// The text or blob of a column.
    pub(super) fn blob(&self, column: usize) -> Option<&[u8]> {
        let (kind, at) = self.column(column)?;
        let length = usize::try_from(kind.checked_sub(12)? / 2).ok()?;
        self.0.get(at..at.checked_add(length)?)
    }

    /// The number of a column.
    pub(super) fn number(&self, column: usize) -> Option<i64> {
        let (kind, at) = self.column(column)?;
        match kind {
            1..=6 => {
                let bytes = self.0.get(at..at.checked_add(size(kind)?)?)?;
                Some(
                    bytes
                        .iter()
                        .fold(0, |number: i64, byte| number << 8 | i64::from(*byte)),
                )
            }
            8 => Some(0),
            9 => Some(1),
            _ => None,
        }
    }

    /// Serial type and place of a column.
    fn column(&self, wanted: usize) -> Option<(u64, usize)> {
        let (header, mut types) = varint(&self.0)?;
        let header = usize::try_from(header).ok()?;
        let mut at = header;
        for column in 0.. {
            if types >= header {
                return None;
            }
            let (kind, used) = varint(self.0.get(types..)?)?;
            if column == wanted {
                return Some((kind, at));
            }
            types += used;
            at = at.checked_add(size(kind)?)?;
        }
        None
    }
}

/// Bytes of a value of this serial type.
fn size(kind: u64) -> Option<usize> {
    Some(match kind {
        0 | 8 | 9 => 0,
        1..=4 => kind as usize,
        5 => 6,
        6 | 7 => 8,
        10 | 11 => return None,
        _ => usize::try_from((kind - 12) / 2).ok()?,
    })
}

/// A variable-length integer and its length.
fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value: u64 = 0;
    for (index, byte) in bytes.iter().take(9).enumerate() {
        if index == 8 {
            return Some((value << 8 | u64::from(*byte), 9));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value, index + 1));
        }
    }
    None
}

fn be16(bytes: &[u8], at: usize) -> Option<usize> {
    Some(usize::from(u16::from_be_bytes(
        bytes.get(at..at.checked_add(2)?)?.try_into().ok()?,
    )))
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(
        bytes.get(at..at.checked_add(4)?)?.try_into().ok()?,
    ))
}
