//! Which of its databases rpm left, told by the file's first bytes, and the headers in it.

use std::io::{self, Read, SeekFrom};

use super::{berkeley_db, ndb, sqlite};
use crate::reader::Content;

/// Why a database was not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum DatabaseError {
    /// It is none, or its structure is broken.
    #[error("{0}")]
    Malformed(&'static str),
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] io::Error),
}

/// A database's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// The usual one since rpm 4.16.
    Sqlite,
    /// SUSE's.
    Ndb,
    /// All others before that.
    BerkeleyDb,
}

/// The files in a folder, in the order in which rpm itself looks for them.
pub(super) const FILES: [&str; 3] = ["rpmdb.sqlite", "Packages.db", "Packages"];

/// Larger headers are passed over: one has at most 256 MiB, and far less in fact.
pub(super) const HEADER_LIMIT: u64 = 64 << 20;

impl Format {
    /// The format of a file; `None` if it is none of these.
    pub(super) fn of(content: &mut dyn Content) -> io::Result<Option<Self>> {
        let mut start = Vec::new();
        content.seek(SeekFrom::Start(0))?;
        content.take(16).read_to_end(&mut start)?;
        Ok(if start.starts_with(sqlite::MAGIC) {
            Some(Self::Sqlite)
        } else if start.starts_with(ndb::MAGIC) {
            Some(Self::Ndb)
        } else if berkeley_db::ByteOrder::of(&start).is_some() {
            Some(Self::BerkeleyDb)
        } else {
            None
        })
    }

    /// Calls `take` with the bytes of every header, and perhaps with bytes that are none.
    pub(super) fn each_header(
        self,
        content: &mut dyn Content,
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<(), DatabaseError> {
        match self {
            Self::Sqlite => sqlite::each_row(content, "Packages", |row| {
                if let Some(header) = row.blob(1) {
                    take(header);
                }
            }),
            Self::Ndb => ndb::each_blob(content, take),
            Self::BerkeleyDb => berkeley_db::each_value(content, take),
        }
    }
}

/// `length` bytes at a place. The caller bounds the length.
pub(super) fn read_at(content: &mut dyn Content, at: u64, length: usize) -> Result<Vec<u8>, DatabaseError> {
    content.seek(SeekFrom::Start(at))?;
    let mut bytes = vec![0; length];
    match content.read_exact(&mut bytes) {
        Ok(()) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(DatabaseError::Malformed("it is cut off"))
        }
        Err(error) => Err(error.into()),
    }
}
