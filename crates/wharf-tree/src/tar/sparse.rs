//! Sparse files of GNU tar: where their data lies, and reading them with the holes filled.

use std::{
    io::{self, Read},
    ops::Range,
};

use super::{
    header::{BLOCK, FormatError, Header, number},
    pax::{Records, decimal},
};

/// The parts of a file that hold data, and the file's length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SparseMap {
    /// Sorted, apart, within the file.
    data: Vec<Range<u64>>,
    pub(crate) size: u64,
}

impl SparseMap {
    /// From offsets and lengths by turns. `stored` is how many bytes of data the archive holds.
    pub(crate) fn new(numbers: &[u64], size: u64, stored: u64) -> Result<Self, FormatError> {
        let mut data = Vec::new();
        let (mut end, mut total) = (0, 0_u64);
        for pair in numbers.chunks(2) {
            let [offset, length] = *pair else {
                return Err(FormatError::Sparse);
            };
            let after = offset.checked_add(length).ok_or(FormatError::Sparse)?;
            if offset < end || after > size {
                return Err(FormatError::Sparse);
            }
            (end, total) = (after, total + length);
            if length > 0 {
                data.push(offset..after);
            }
        }
        if total == stored {
            Ok(Self { data, size })
        } else {
            Err(FormatError::Sparse)
        }
    }
}

/// Most pairs in a map that is read from the archive: a file of 64 GiB with a hole in each block of 64 KiB.
const MAX_PAIRS: u64 = 1 << 20;

const OLD_MAP: Range<usize> = 386..482;
const OLD_MORE: usize = 482;
const OLD_SIZE: Range<usize> = 483..495;
const MORE_MAP: Range<usize> = 0..504;
const MORE_MORE: usize = 504;

/// The map of an old GNU sparse file (type `S`), which begins in the header and goes on in the blocks after it.
pub(crate) fn old(header: &Header, archive: &mut impl Read) -> Result<(Vec<u64>, u64), OldError> {
    let size = number(header.raw(OLD_SIZE), "size").map_err(OldError::Format)?;
    let size = u64::try_from(size).map_err(|_| OldError::Format(FormatError::Sparse))?;
    let mut numbers = Vec::new();
    old_pairs(header.raw(OLD_MAP), &mut numbers).map_err(OldError::Format)?;
    let mut more = header.raw(OLD_MORE..OLD_MORE + 1)[0] != 0;
    while more {
        let mut block = [0; BLOCK];
        archive.read_exact(&mut block).map_err(OldError::Io)?;
        old_pairs(&block[MORE_MAP], &mut numbers).map_err(OldError::Format)?;
        more = block[MORE_MORE] != 0;
        if numbers.len() as u64 > 2 * MAX_PAIRS {
            return Err(OldError::Format(FormatError::Sparse));
        }
    }
    Ok((numbers, size))
}

/// Reading the blocks or understanding them failed.
pub(crate) enum OldError {
    Io(io::Error),
    Format(FormatError),
}

fn old_pairs(fields: &[u8], numbers: &mut Vec<u64>) -> Result<(), FormatError> {
    // Unused pairs are empty.
    for field in fields.chunks(12).take_while(|field| field[0] != 0) {
        let number = number(field, "map of a sparse file")?;
        numbers.push(number.try_into().map_err(|_| FormatError::Sparse)?);
    }
    Ok(())
}

/// The map that pax records hold (formats 0.0 and 0.1), and the file's length. `None` when they speak of no such file.
pub(crate) fn pax_0(records: &Records) -> Result<Option<(Vec<u64>, u64)>, FormatError> {
    let Some(size) = records.number("GNU.sparse.size")? else {
        return Ok(None);
    };
    let numbers = match records.get("GNU.sparse.map") {
        Some(map) => map
            .split(|byte| *byte == b',')
            .map(|text| decimal(text).ok_or(FormatError::Sparse))
            .collect::<Result<_, _>>()?,
        None => records.sparse_0_0.clone(),
    };
    Ok(Some((numbers, size)))
}

/// The file's length when its map stands before its data (format 1.0).
pub(crate) fn pax_1(records: &Records) -> Result<Option<u64>, FormatError> {
    if records.get("GNU.sparse.major") != Some(b"1") || records.get("GNU.sparse.minor") != Some(b"0") {
        return Ok(None);
    }
    records
        .number("GNU.sparse.realsize")?
        .map(Some)
        .ok_or(FormatError::Sparse)
}

/// Reads the map of format 1.0: decimal lines, filled up to a block. Gives its numbers and how many bytes it took.
pub(crate) fn read_pax_1_map(archive: &mut impl Read) -> Result<(Vec<u64>, u64), OldError> {
    let mut lines = Lines {
        archive,
        block: [0; BLOCK],
        at: BLOCK,
        read: 0,
    };
    let pairs = lines.number()?;
    if pairs > MAX_PAIRS {
        return Err(OldError::Format(FormatError::Sparse));
    }
    let numbers = (0..pairs * 2).map(|_| lines.number()).collect::<Result<_, _>>()?;
    Ok((numbers, lines.read))
}

struct Lines<'r, R> {
    archive: &'r mut R,
    block: [u8; BLOCK],
    at: usize,
    read: u64,
}

impl<R: Read> Lines<'_, R> {
    fn number(&mut self) -> Result<u64, OldError> {
        let mut digits = Vec::new();
        loop {
            if self.at == BLOCK {
                self.archive.read_exact(&mut self.block).map_err(OldError::Io)?;
                (self.at, self.read) = (0, self.read + BLOCK as u64);
            }
            let byte = self.block[self.at];
            self.at += 1;
            match byte {
                b'\n' => return decimal(&digits).ok_or(OldError::Format(FormatError::Sparse)),
                _ if digits.len() < 20 => digits.push(byte),
                _ => return Err(OldError::Format(FormatError::Sparse)),
            }
        }
    }
}

/// A sparse file as its reader sees it: data from `stored`, zeros between.
pub(crate) struct Filled<'m, R> {
    map: &'m SparseMap,
    stored: R,
    segment: usize,
    at: u64,
}

impl<'m, R: Read> Filled<'m, R> {
    pub(crate) const fn new(map: &'m SparseMap, stored: R) -> Self {
        Self {
            map,
            stored,
            segment: 0,
            at: 0,
        }
    }
}

impl<R: Read> Read for Filled<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self
            .map
            .data
            .get(self.segment)
            .is_some_and(|data| data.end <= self.at)
        {
            self.segment += 1;
        }
        let data = self.map.data.get(self.segment);
        let in_hole = data.is_none_or(|data| self.at < data.start);
        let end = data.map_or(self.map.size, |data| if in_hole { data.start } else { data.end });
        let length = buffer
            .len()
            .min(usize::try_from(end - self.at).unwrap_or(usize::MAX));
        let read = if in_hole {
            buffer[..length].fill(0);
            length
        } else {
            self.stored.read(&mut buffer[..length])?
        };
        if read == 0 && length > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_holes() {
        let map = SparseMap::new(&[2, 3, 5, 0, 8, 1], 10, 4).unwrap();
        let mut filled = Vec::new();
        Filled::new(&map, &b"abcd"[..]).read_to_end(&mut filled).unwrap();
        assert_eq!(filled, b"\0\0abc\0\0\0d\0");
    }

    #[test]
    fn refuses_maps_that_do_not_fit() {
        for (numbers, size, stored) in [
            (&[0, 5][..], 4, 5),
            (&[0, 5], 5, 4),
            (&[3, 1, 2, 1], 9, 2),
            (&[0, 2, 1, 1], 9, 3),
            (&[0], 9, 0),
            (&[u64::MAX, 2], 9, 2),
        ] {
            assert_eq!(
                SparseMap::new(numbers, size, stored),
                Err(FormatError::Sparse),
                "{numbers:?}"
            );
        }
    }

    #[test]
    fn a_short_archive_is_an_error() {
        let map = SparseMap::new(&[0, 4], 4, 4).unwrap();
        let read = Filled::new(&map, &b"abc"[..]).read_to_end(&mut Vec::new());
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
