//! A Packages index: what an archive offers, in the few fields that choosing and fetching need.
//!
//! A Debian release has 60,000 paragraphs in 50 MB. [`reduce`] drops two thirds of the bytes while they are decompressed;
//! [`Index`] is that text with a table of where each field lies, made in one pass and parsed no further until it is asked.

use std::io::{self, BufRead};

use wharf_oci::Digest;

/// The fields that are kept, as archives write them.
const KEPT: &[&[u8]] = &[
    b"Package",
    b"Version",
    b"Architecture",
    b"Multi-Arch",
    b"Essential",
    b"Important",
    b"Protected",
    b"Priority",
    b"Pre-Depends",
    b"Depends",
    b"Recommends",
    b"Conflicts",
    b"Breaks",
    b"Provides",
    b"Filename",
    b"Size",
    b"SHA256",
];

/// Longest line that is believed; the longest real ones (Provides of Rust crates) have 40 kB.
const LINE_LIMIT: usize = 1 << 20;

/// Copies the fields that [`Index`] knows and the empty lines between paragraphs.
pub fn reduce(mut packages: impl BufRead) -> io::Result<String> {
    let mut kept = Vec::new();
    let mut line = Vec::new();
    let mut keeping = false;
    loop {
        line.clear();
        let length = io::Read::take(&mut packages, LINE_LIMIT as u64).read_until(b'\n', &mut line)?;
        if length == 0 {
            break;
        }
        keeping = match line[0] {
            b'\n' => true,
            b' ' | b'\t' => keeping,
            _ => memchr::memchr(b':', &line).is_some_and(|colon| KEPT.contains(&&line[..colon])),
        };
        if keeping {
            kept.extend_from_slice(&line);
        }
    }
    String::from_utf8(kept).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// A range of the index's text.
#[derive(Debug, Clone, Copy, Default)]
struct Span {
    start: u32,
    end: u32,
}

/// Where the fields of one paragraph lie.
#[derive(Debug, Clone, Copy, Default)]
struct Record {
    name: Span,
    version: Span,
    architecture: Span,
    priority: Span,
    multi_arch: Span,
    pre_depends: Span,
    depends: Span,
    recommends: Span,
    conflicts: Span,
    breaks: Span,
    provides: Span,
    filename: Span,
    size: Span,
    sha256: Span,
    essential: bool,
    important: bool,
}

/// A reduced index with its table of contents.
#[derive(Debug, Clone, Default)]
pub struct Index {
    text: String,
    records: Vec<Record>,
}

/// An index that is too large to be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a package index of more than 4 GiB")]
pub struct IndexTooLarge;

/// One package version of an index.
#[derive(Debug, Clone, Copy)]
pub struct IndexEntry<'a> {
    text: &'a str,
    record: &'a Record,
}

/// How a package stands to packages of other architectures (Policy, "Multi-Arch").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MultiArch {
    /// Only its own architecture.
    No,
    /// May be installed for several architectures at once, in one version.
    Same,
    /// Serves packages of every architecture.
    Foreign,
    /// Serves those of other architectures that say `:any`.
    Allowed,
}

/// How important an archive holds a package; the more important is the lesser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Needed for anything to work.
    Required,
    /// Expected on any machine.
    Important,
    /// Of a usual text-mode system.
    Standard,
    /// Everything else.
    Optional,
    /// Obsolete: what conflicts with others.
    Extra,
}

impl Index {
    /// Reads a reduced index. Paragraphs without a name, version, architecture, file or hash are left out.
    pub fn parse(text: String) -> Result<Self, IndexTooLarge> {
        u32::try_from(text.len()).map_err(|_| IndexTooLarge)?;
        let mut records = Vec::new();
        let mut record = Record::default();
        let mut last: Option<fn(&mut Record) -> &mut Span> = None;
        let bytes = text.as_bytes();
        let mut start = 0;
        while start < bytes.len() {
            let end = memchr::memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |at| start + at);
            match bytes[start..end].first() {
                None => {
                    push(&mut records, record);
                    (record, last) = (Record::default(), None);
                }
                Some(b' ' | b'\t') => extend(&mut record, last, end),
                Some(_) => last = record.set(bytes, start, end),
            }
            start = end + 1;
        }
        push(&mut records, record);
        Ok(Self { text, records })
    }

    /// How many package versions there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The package version at a position.
    pub fn get(&self, position: usize) -> IndexEntry<'_> {
        IndexEntry {
            text: &self.text,
            record: &self.records[position],
        }
    }
}

fn push(records: &mut Vec<Record>, record: Record) {
    let needed = [
        record.name,
        record.version,
        record.architecture,
        record.filename,
        record.size,
        record.sha256,
    ];
    if needed.iter().all(|span| span.end > span.start) {
        records.push(record);
    }
}

fn extend(record: &mut Record, last: Option<fn(&mut Record) -> &mut Span>, end: usize) {
    if let Some(field) = last {
        field(record).end = end as u32;
    }
}

impl Record {
    /// Notes the field on the line from `start` to `end`; gives access to its span, for continuation lines.
    fn set(&mut self, bytes: &[u8], start: usize, end: usize) -> Option<fn(&mut Self) -> &mut Span> {
        let colon = start + memchr::memchr(b':', &bytes[start..end])?;
        let blanks = bytes[colon + 1..end]
            .iter()
            .take_while(|byte| **byte == b' ')
            .count();
        let span = Span {
            start: (colon + 1 + blanks) as u32,
            end: end as u32,
        };
        let says_yes = || &bytes[span.start as usize..end] == b"yes";
        let field: fn(&mut Self) -> &mut Span = match &bytes[start..colon] {
            b"Package" => |record| &mut record.name,
            b"Version" => |record| &mut record.version,
            b"Architecture" => |record| &mut record.architecture,
            b"Priority" => |record| &mut record.priority,
            b"Multi-Arch" => |record| &mut record.multi_arch,
            b"Pre-Depends" => |record| &mut record.pre_depends,
            b"Depends" => |record| &mut record.depends,
            b"Recommends" => |record| &mut record.recommends,
            b"Conflicts" => |record| &mut record.conflicts,
            b"Breaks" => |record| &mut record.breaks,
            b"Provides" => |record| &mut record.provides,
            b"Filename" => |record| &mut record.filename,
            b"Size" => |record| &mut record.size,
            b"SHA256" => |record| &mut record.sha256,
            b"Essential" => {
                self.essential = says_yes();
                return None;
            }
            b"Important" | b"Protected" => {
                self.important |= says_yes();
                return None;
            }
            _ => return None,
        };
        *field(self) = span;
        Some(field)
    }
}

macro_rules! text_fields {
    ($($(#[$doc:meta])* $field:ident)*) => {
        $($(#[$doc])* pub fn $field(self) -> &'a str { self.slice(self.record.$field) })*
    };
}

impl<'a> IndexEntry<'a> {
    text_fields! {
        /// Its name.
        name
        /// Its version.
        version
        /// Its architecture, or `all`.
        architecture
        /// What must be configured before it is unpacked; empty when nothing.
        pre_depends
        /// What it needs.
        depends
        /// What it wants.
        recommends
        /// What it cannot be installed with.
        conflicts
        /// What it cannot be configured with.
        breaks
        /// Names that it answers to as well.
        provides
        /// Where its file lies, relative to the archive's root.
        filename
    }

    /// Length of its file in bytes; 0 when that cannot be read.
    pub fn size(self) -> u64 {
        self.slice(self.record.size).parse().unwrap_or(0)
    }

    /// SHA-256 of its file.
    pub fn sha256(self) -> Option<Digest> {
        Digest::from_hex(self.slice(self.record.sha256)).ok()
    }

    /// Whether nothing works without it.
    pub const fn is_essential(self) -> bool {
        self.record.essential
    }

    /// Whether removing it needs force (`Important: yes`, `Protected: yes`).
    pub const fn is_important(self) -> bool {
        self.record.important
    }

    /// Its priority.
    pub fn priority(self) -> Priority {
        match self.slice(self.record.priority) {
            "required" => Priority::Required,
            "important" => Priority::Important,
            "standard" => Priority::Standard,
            "extra" => Priority::Extra,
            _ => Priority::Optional,
        }
    }

    /// How it stands to other architectures.
    pub fn multi_arch(self) -> MultiArch {
        match self.slice(self.record.multi_arch) {
            "same" => MultiArch::Same,
            "foreign" => MultiArch::Foreign,
            "allowed" => MultiArch::Allowed,
            _ => MultiArch::No,
        }
    }

    fn slice(self, span: Span) -> &'a str {
        &self.text[span.start as usize..span.end as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Package: a\nVersion: 1.0-1\nEssential: yes\nMaintainer: x\n  y\nArchitecture: amd64\nMulti-Arch: same\n\
        Depends: libc6 (>= 2.3),\n awk\nDescription: text\n more\nFilename: pool/a.deb\nSize: 12\nPriority: required\n\
        SHA256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n\n\
        Package: broken\nVersion: 2\n\n\
        Package: b\nVersion: 2\nArchitecture: all\nFilename: pool/b.deb\nSize: 0\nProtected: yes\n\
        SHA256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn index() -> Index {
        Index::parse(reduce(TEXT.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn reads_the_fields_that_count() {
        let index = index();
        assert_eq!(index.len(), 2);
        let a = index.get(0);
        assert_eq!(
            (a.name(), a.version(), a.architecture(), a.filename()),
            ("a", "1.0-1", "amd64", "pool/a.deb")
        );
        assert_eq!(a.depends(), "libc6 (>= 2.3),\n awk");
        assert_eq!(
            (a.size(), a.sha256(), a.priority()),
            (12, Some(Digest::of(b"")), Priority::Required)
        );
        assert!(a.is_essential() && !a.is_important() && a.multi_arch() == MultiArch::Same);
        assert!(index.get(1).is_important() && index.get(1).depends().is_empty());
    }

    #[test]
    fn reducing_keeps_nothing_else() {
        let reduced = reduce(TEXT.as_bytes()).unwrap();
        assert!(!reduced.contains("Maintainer") && !reduced.contains("more") && !reduced.contains("  y"));
        assert_eq!(reduce(reduced.as_bytes()).unwrap(), reduced);
    }

    #[test]
    fn odd_texts_hold_nothing() {
        for text in ["", "\n\n\n", ":", "x", " y\n z", "Package:\n"] {
            assert!(
                Index::parse(reduce(text.as_bytes()).unwrap()).unwrap().is_empty(),
                "{text:?}"
            );
        }
    }
}
