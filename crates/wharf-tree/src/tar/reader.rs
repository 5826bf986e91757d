//! Members of a tar, one after the other, with extended headers and sparse maps applied.

use std::io::{self, Read};

use super::{
    header::{BLOCK, FormatError, Header},
    pax::Records,
    sparse::{self, Filled, OldError, SparseMap},
};
use crate::entry::{Mtime, Xattrs};

/// Longest extended header, in bytes: what Go's reader allows.
const MAX_EXTENDED: u64 = 1 << 20;

/// Reading failed, or what was read is no tar.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error(transparent)]
    Io(io::Error),
    #[error(transparent)]
    Format(#[from] FormatError),
}

/// A reader that ends too early is a tar that is cut off.
impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Format(FormatError::Truncated),
            _ => Self::Io(error),
        }
    }
}

impl From<OldError> for ReadError {
    fn from(error: OldError) -> Self {
        match error {
            OldError::Io(error) => error.into(),
            OldError::Format(error) => error.into(),
        }
    }
}

/// What a header says, its extended headers included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    /// POSIX `typeflag`; a regular file is always `0`, old or sparse ones too.
    pub(crate) kind: u8,
    pub(crate) path: Vec<u8>,
    pub(crate) link: Vec<u8>,
    pub(crate) mode: u16,
    pub(crate) uid: u64,
    pub(crate) gid: u64,
    pub(crate) mtime: Mtime,
    pub(crate) device: (u64, u64),
    pub(crate) xattrs: Xattrs,
    /// Length of the content, holes included; 0 for all but regular files.
    pub(crate) size: u64,
    sparse: Option<SparseMap>,
}

/// A tar being read.
pub(crate) struct Archive<R> {
    reader: R,
    /// Bytes of the current member that are still in `reader`, and the padding after them.
    left: u64,
    padding: u64,
}

/// Extended headers, as they precede a member.
#[derive(Default)]
struct Extended {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    records: Records,
}

impl<R: Read> Archive<R> {
    pub(crate) const fn new(reader: R) -> Self {
        Self {
            reader,
            left: 0,
            padding: 0,
        }
    }

    /// The next member; `None` at the end. Content of the last one that was not read is passed over.
    pub(crate) fn next(&mut self) -> Result<Option<Member>, ReadError> {
        let mut extended = Extended::default();
        while let Some(header) = self.header()? {
            match header.kind() {
                b'x' => extended.records = Records::parse(&self.extended(&header)?)?,
                b'L' => extended.path = Some(text(self.extended(&header)?)),
                b'K' => extended.link = Some(text(self.extended(&header)?)),
                // Global records hold comments in practice; runtimes pass over them.
                b'g' => drop(self.extended(&header)?),
                _ => return self.member(&header, extended).map(Some),
            }
        }
        Ok(None)
    }

    /// The content of the member that [`Archive::next`] gave last.
    pub(crate) fn content<'a>(&'a mut self, member: &'a Member) -> Box<dyn Read + 'a> {
        let stored = Stored(self);
        match &member.sparse {
            Some(map) => Box::new(Filled::new(map, stored)),
            None => Box::new(stored),
        }
    }

    /// Reads what follows the end of the archive, at most `limit` bytes; gives how many there were.
    pub(crate) fn drain(&mut self, limit: u64) -> Result<u64, ReadError> {
        Ok(io::copy(&mut (&mut self.reader).take(limit), &mut io::sink())?)
    }

    fn header(&mut self) -> Result<Option<Header>, ReadError> {
        self.skip(self.left + self.padding)?;
        (self.left, self.padding) = (0, 0);
        let Some(block) = self.block()? else {
            return Ok(None);
        };
        if let Some(header) = Header::parse(&block)? {
            return Ok(Some(header));
        }
        // Two zero blocks end an archive; one alone is taken for an end only where nothing follows.
        match self.block()? {
            None => Ok(None),
            Some(block) if block == [0; BLOCK] => Ok(None),
            Some(_) => Err(FormatError::Checksum.into()),
        }
    }

    /// A whole block; `None` at the end of the reader.
    fn block(&mut self) -> Result<Option<[u8; BLOCK]>, ReadError> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            match self.reader.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(FormatError::Truncated.into()),
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Some(block))
    }

    fn skip(&mut self, bytes: u64) -> Result<(), ReadError> {
        let skipped = io::copy(&mut (&mut self.reader).take(bytes), &mut io::sink())?;
        if skipped == bytes {
            Ok(())
        } else {
            Err(FormatError::Truncated.into())
        }
    }

    fn extended(&mut self, header: &Header) -> Result<Vec<u8>, ReadError> {
        let size = header.size()?;
        if size > MAX_EXTENDED {
            return Err(FormatError::HugeHeader(size).into());
        }
        let mut bytes = vec![0; size as usize];
        self.reader.read_exact(&mut bytes)?;
        self.padding = padding(size);
        Ok(bytes)
    }

    fn member(&mut self, header: &Header, extended: Extended) -> Result<Member, ReadError> {
        let records = &extended.records;
        let from_pax = |key| records.get(key).map(<[u8]>::to_vec);
        let path = from_pax("GNU.sparse.name")
            .or_else(|| from_pax("path"))
            .or(extended.path);
        let path = path.unwrap_or_else(|| header.path());
        let kind = kind(header.kind(), &path);
        let stored = match kind {
            b'0' => records.number("size")?.map_or_else(|| header.size(), Ok)?,
            // As in Go: only files have content, whatever their size field says.
            _ => 0,
        };
        (self.left, self.padding) = (stored, padding(stored));
        let sparse = if kind == b'0' {
            self.sparse(header, records)?
        } else {
            None
        };
        Ok(Member {
            kind,
            link: from_pax("linkpath")
                .or(extended.link)
                .unwrap_or_else(|| header.link().to_vec()),
            mode: header.mode()?,
            uid: records.number("uid")?.map_or_else(|| header.uid(), Ok)?,
            gid: records.number("gid")?.map_or_else(|| header.gid(), Ok)?,
            mtime: records.mtime()?.map_or_else(|| whole_seconds(header), Ok)?,
            device: if matches!(kind, b'3' | b'4') {
                header.device()?
            } else {
                (0, 0)
            },
            xattrs: records.xattrs(),
            size: sparse.as_ref().map_or(stored, |map| map.size),
            sparse,
            path,
        })
    }

    fn sparse(&mut self, header: &Header, records: &Records) -> Result<Option<SparseMap>, ReadError> {
        let (numbers, size) = if header.kind() == b'S' {
            sparse::old(header, &mut self.reader)?
        } else if let Some(found) = sparse::pax_0(records)? {
            found
        } else if let Some(size) = sparse::pax_1(records)? {
            let (numbers, read) = sparse::read_pax_1_map(&mut self.reader)?;
            self.left = self.left.checked_sub(read).ok_or(FormatError::Sparse)?;
            (numbers, size)
        } else {
            return Ok(None);
        };
        Ok(Some(SparseMap::new(&numbers, size, self.left)?))
    }
}

/// One of the seven kinds of POSIX, for what has another sign in old or GNU archives.
fn kind(kind: u8, path: &[u8]) -> u8 {
    match kind {
        b'0' | b'\0' if path.ends_with(b"/") => b'5',
        b'0' | b'\0' | b'7' | b'S' => b'0',
        kind => kind,
    }
}

fn whole_seconds(header: &Header) -> Result<Mtime, FormatError> {
    Ok(Mtime {
        secs: header.mtime()?,
        nanos: 0,
    })
}

fn text(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    bytes.truncate(end);
    bytes
}

/// What fills `size` bytes up to a block.
const fn padding(size: u64) -> u64 {
    (BLOCK as u64).wrapping_sub(size) % BLOCK as u64
}

/// The stored bytes of the current member.
struct Stored<'a, R>(&'a mut Archive<R>);

impl<R: Read> Read for Stored<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer
            .len()
            .min(usize::try_from(self.0.left).unwrap_or(usize::MAX));
        let read = self.0.reader.read(&mut buffer[..length])?;
        if read == 0 && length > 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                FormatError::Truncated,
            ));
        }
        self.0.left -= read as u64;
        Ok(read)
    }
}
