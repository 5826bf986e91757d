//! Sections of ELF programs, found without reading the rest.
//!
//! elf(5). Both word sizes and both byte orders.

use std::io::{self, SeekFrom};

use crate::reader::Content;

/// A program, opened.
pub(crate) struct Program<'a> {
    content: &'a mut dyn Content,
    length: u64,
    format: Format,
    sections: Vec<Section>,
    segments: Vec<Segment>,
}

#[derive(Clone, Copy)]
struct Format {
    wide: bool,
    big: bool,
}

/// A section: its name's offset in the table of names, and where its bytes are.
struct Section {
    name: u64,
    kind: u64,
    offset: u64,
    size: u64,
}

/// A part of the file as it is loaded.
struct Segment {
    offset: u64,
    address: u64,
    size: u64,
}

/// More sections than a linker makes; more segments than a kernel loads.
const TABLE_LIMIT: u64 = 65_536;
const NAMES_LIMIT: u64 = 8 << 20;
/// Of sections without bytes in the file.
const NO_BITS: u64 = 8;
const LOAD: u64 = 1;

impl<'a> Program<'a> {
    /// A program; `None` if the content is none, or broken.
    pub(crate) fn open(content: &'a mut dyn Content) -> io::Result<Option<Self>> {
        let length = content.seek(SeekFrom::End(0))?;
        let mut program = Program {
            content,
            length,
            format: Format {
                wide: true,
                big: false,
            },
            sections: Vec::new(),
            segments: Vec::new(),
        };
        let Some(header) = program.read(0, 64.min(length))? else {
            return Ok(None);
        };
        if !header.starts_with(b"\x7fELF") || header.len() < 52 {
            return Ok(None);
        }
        program.format = Format {
            wide: header[4] == 2,
            big: header[5] == 2,
        };
        program.read_tables(&header)?;
        Ok(Some(program))
    }

    fn read_tables(&mut self, header: &[u8]) -> io::Result<()> {
        let format = self.format;
        let (segments, sections, sizes) = if format.wide { (32, 40, 54) } else { (28, 32, 42) };
        let half = |index: usize| format.half(header, sizes + 2 * index).unwrap_or_default();
        let (segments, sections) = (format.word(header, segments), format.word(header, sections));
        for entry in self.table(segments, half(0), half(1))? {
            self.segments.extend(format.segment(&entry));
        }
        for entry in self.table(sections, half(2), half(3))? {
            self.sections.extend(format.section(&entry));
        }
        let names = usize::try_from(half(4)).unwrap_or_default();
        if names < self.sections.len() {
            // The names' section first, where `section` looks for it.
            self.sections.swap(0, names);
        }
        Ok(())
    }

    fn table(&mut self, at: Option<u64>, entry: u64, count: u64) -> io::Result<Vec<Vec<u8>>> {
        let Some(at) = at.filter(|_| entry > 0 && entry <= 256 && count <= TABLE_LIMIT) else {
            return Ok(Vec::new());
        };
        let bytes = self.read(at, entry * count)?.unwrap_or_default();
        Ok(bytes.chunks_exact(entry as usize).map(<[u8]>::to_vec).collect())
    }

    /// The bytes of a section, if there is one of this name with at most `limit` bytes.
    pub(crate) fn section(&mut self, name: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let Some(names) = self.sections.first() else {
            return Ok(None);
        };
        let (at, size) = (names.offset, names.size.min(NAMES_LIMIT));
        let Some(names) = self.read(at, size)? else {
            return Ok(None);
        };
        let wanted = [name.as_bytes(), b"\0"].concat();
        let is_it = |section: &&Section| {
            let start = usize::try_from(section.name).unwrap_or(usize::MAX);
            names.get(start..).is_some_and(|rest| rest.starts_with(&wanted))
        };
        let found = self.sections.iter().find(is_it);
        let Some(found) = found.filter(|found| found.size <= limit && found.kind != NO_BITS) else {
            return Ok(None);
        };
        self.read(found.offset, found.size)
    }

    /// `size` bytes at an address of the loaded program.
    pub(crate) fn loaded(&mut self, address: u64, size: u64) -> io::Result<Option<Vec<u8>>> {
        let holds = |segment: &&Segment| {
            let inside = address.checked_sub(segment.address);
            inside.is_some_and(|inside| inside.checked_add(size).is_some_and(|end| end <= segment.size))
        };
        let Some(segment) = self.segments.iter().find(holds) else {
            return Ok(None);
        };
        match segment.offset.checked_add(address - segment.address) {
            Some(at) => self.read(at, size),
            None => Ok(None),
        }
    }

    /// A pointer in these bytes.
    pub(crate) fn pointer(&self, bytes: &[u8], at: usize) -> Option<u64> {
        self.format.word(bytes, at)
    }

    /// Bytes of a pointer.
    pub(crate) const fn pointer_size(&self) -> usize {
        if self.format.wide { 8 } else { 4 }
    }

    /// `None` if the file ends before.
    fn read(&mut self, at: u64, size: u64) -> io::Result<Option<Vec<u8>>> {
        if at.checked_add(size).is_none_or(|end| end > self.length) {
            return Ok(None);
        }
        self.content.seek(SeekFrom::Start(at))?;
        let mut bytes = vec![0; size as usize];
        self.content.read_exact(&mut bytes)?;
        Ok(Some(bytes))
    }
}

impl Format {
    fn half(self, bytes: &[u8], at: usize) -> Option<u64> {
        self.number(bytes, at, 2)
    }

    /// Four bytes.
    fn int(self, bytes: &[u8], at: usize) -> Option<u64> {
        self.number(bytes, at, 4)
    }

    /// As wide as an address.
    fn word(self, bytes: &[u8], at: usize) -> Option<u64> {
        self.number(bytes, at, if self.wide { 8 } else { 4 })
    }

    fn number(self, bytes: &[u8], at: usize, size: usize) -> Option<u64> {
        let bytes = bytes.get(at..at.checked_add(size)?)?;
        let join = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        Some(if self.big {
            bytes.iter().fold(0, join)
        } else {
            bytes.iter().rev().fold(0, join)
        })
    }

    fn section(self, entry: &[u8]) -> Option<Section> {
        let (offset, size) = if self.wide { (24, 32) } else { (16, 20) };
        Some(Section {
            name: self.int(entry, 0)?,
            kind: self.int(entry, 4)?,
            offset: self.word(entry, offset)?,
            size: self.word(entry, size)?,
        })
    }

    fn segment(self, entry: &[u8]) -> Option<Segment> {
        let (offset, address, size) = if self.wide { (8, 16, 32) } else { (4, 8, 16) };
        if self.int(entry, 0)? != LOAD {
            return None;
        }
        Some(Segment {
            offset: self.word(entry, offset)?,
            address: self.word(entry, address)?,
            size: self.word(entry, size)?,
        })
    }
}
