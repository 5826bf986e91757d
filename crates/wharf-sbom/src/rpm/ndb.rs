//! rpm's own format ndb, as far as all blobs can be read from its file of packages.
//!
//! Numbers are of four bytes, little-endian. The file begins with pages of slots, 16 bytes each; the header stands in place of the first
//! two. A slot names the blocks of 16 bytes where the blob of one package lies, or is free. The indices are in another file.
//!
//! ```text
//! header  "RpmP" version generation slot-pages next-package 0 0 0
//! slot    "Slot" package first-block blocks
//! blob    "BlbS" package time length | bytes | zeros adler32 length "BlbE"
//! ```

use std::io::SeekFrom;

use super::database::{DatabaseError, HEADER_LIMIT, read_at};
use crate::reader::Content;

/// What a file of this format begins with.
pub(super) const MAGIC: &[u8] = b"RpmP";

const VERSION: u32 = 0;
const PAGE: usize = 4096;
const SLOT: usize = 16;
const BLOCK: u64 = 16;
/// Of a blob, before its bytes.
const HEAD: usize = 16;
/// Of a blob, after its bytes.
const TAIL: usize = 12;

/// Where a package's blob lies.
struct Slot {
    package: u32,
    first: u32,
    blocks: u32,
}

/// Calls `take` with every package's blob.
pub(super) fn each_blob(content: &mut dyn Content, take: &mut dyn FnMut(&[u8])) -> Result<(), DatabaseError> {
    let mut blocks_left = content.seek(SeekFrom::End(0))? / BLOCK;
    let header = read_at(content, 0, 2 * SLOT)?;
    if number(&header, 4) != Some(VERSION) {
        return Err(DatabaseError::Malformed("its version of ndb is not known"));
    }
    let pages = number(&header, 12).unwrap_or_default();
    for page in 0..pages {
        let slots = read_at(content, u64::from(page) * PAGE as u64, PAGE)?;
        let of_header = if page == 0 { 2 } else { 0 };
        for slot in slots.chunks_exact(SLOT).skip(of_header) {
            let slot = Slot::parse(slot).ok_or(DatabaseError::Malformed("a slot is broken"))?;
            if slot.first == 0 {
                continue;
            }
            // Blocks belong to one blob each; otherwise a small file could be read without end.
            blocks_left = blocks_left
                .checked_sub(u64::from(slot.blocks))
                .ok_or(DatabaseError::Malformed("its blobs overlap"))?;
            if let Some(blob) = slot.blob(content)? {
                take(&blob);
            }
        }
    }
    Ok(())
}

impl Slot {
    fn parse(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            package: bytes.starts_with(b"Slot").then(|| number(bytes, 4))??,
            first: number(bytes, 8)?,
            blocks: number(bytes, 12)?,
        })
    }

    /// `None` if it is too large.
    fn blob(&self, content: &mut dyn Content) -> Result<Option<Vec<u8>>, DatabaseError> {
        let at = u64::from(self.first) * BLOCK;
        let head = read_at(content, at, HEAD)?;
        let length = number(&head, 12).unwrap_or_default();
        let whole = u64::from(length) + (HEAD + TAIL) as u64;
        let is_it = head.starts_with(b"BlbS") && number(&head, 4) == Some(self.package);
        if !is_it || whole > u64::from(self.blocks) * BLOCK {
            return Err(DatabaseError::Malformed("a blob is broken"));
        }
        if u64::from(length) > HEADER_LIMIT {
            return Ok(None);
        }
        read_at(content, at + HEAD as u64, length as usize).map(Some)
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}
