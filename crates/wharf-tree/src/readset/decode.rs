//! Bytes as path sets and read sets. Anything but the one encoding of a set is refused.

use std::{collections::BTreeSet, sync::Arc};

use wharf_oci::Digest;

use super::{
    Answer, Asked, FileType, Kind, PathSet, Place, Presence, ReadSet, Stat, Told,
    encode::{FILE_TYPES, PATH_SET_MAGIC, READ_SET_MAGIC, tag},
};
use crate::{Device, Mtime, Name, TreePath, Xattrs};

/// Bytes that are no path set or read set of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadSetError {
    /// They do not begin as one.
    #[error("not a path set or read set of this version")]
    Magic,
    /// They end too early.
    #[error("cut off")]
    Truncated,
    /// At this byte there is something that cannot be there.
    #[error("malformed at byte {0}")]
    Malformed(usize),
    /// They say something valid in another way than the encoder does.
    #[error("not in canonical form")]
    NotCanonical,
}

impl PathSet {
    /// Reads what [`PathSet::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ReadSetError> {
        let mut reader = Reader::new(bytes, PATH_SET_MAGIC)?;
        let mut set = Self::default();
        let mut before = None;
        for _ in 0..reader.number()? {
            let place = reader.place(before.as_ref())?;
            set.places.insert(place.clone(), reader.asked()?);
            before = Some(place);
        }
        canonical(bytes, &set.to_bytes()).map(|()| set)
    }
}

impl ReadSet {
    /// Reads what [`ReadSet::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ReadSetError> {
        let mut reader = Reader::new(bytes, READ_SET_MAGIC)?;
        let mut set = Self::default();
        let mut before = None;
        for _ in 0..reader.number()? {
            let place = reader.place(before.as_ref())?;
            set.places.insert(place.clone(), reader.told()?);
            before = Some(place);
        }
        canonical(bytes, &set.to_bytes()).map(|()| set)
    }
}

/// Order, duplicates, long-winded numbers and trailing bytes all end here.
fn canonical(read: &[u8], written: &[u8]) -> Result<(), ReadSetError> {
    (read == written).then_some(()).ok_or(ReadSetError::NotCanonical)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8], magic: [u8; 8]) -> Result<Self, ReadSetError> {
        if !bytes.starts_with(&magic) {
            return Err(ReadSetError::Magic);
        }
        Ok(Self {
            bytes,
            at: magic.len(),
        })
    }

    fn malformed<T>(&self) -> Result<T, ReadSetError> {
        Err(ReadSetError::Malformed(self.at))
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], ReadSetError> {
        let rest = &self.bytes[self.at..];
        let taken = rest.get(..count).ok_or(ReadSetError::Truncated)?;
        self.at += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ReadSetError> {
        self.take(N)?.try_into().or(Err(ReadSetError::Truncated))
    }

    fn byte(&mut self) -> Result<u8, ReadSetError> {
        Ok(self.take(1)?[0])
    }

    fn number(&mut self) -> Result<u64, ReadSetError> {
        let mut number = 0;
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        self.malformed()
    }

    fn number_as<T: TryFrom<u64>>(&mut self) -> Result<T, ReadSetError> {
        let number = self.number()?;
        T::try_from(number).or(Err(ReadSetError::Malformed(self.at)))
    }

    fn string(&mut self) -> Result<&'a [u8], ReadSetError> {
        let length = self.number_as()?;
        self.take(length)
    }

    fn path(&self, bytes: &[u8]) -> Result<TreePath, ReadSetError> {
        match TreePath::new(bytes) {
            Ok(path) if path.as_bytes() == bytes => Ok(path),
            _ => self.malformed(),
        }
    }

    fn place(&mut self, before: Option<&Place>) -> Result<Place, ReadSetError> {
        let root = self.number_as()?;
        let shared: usize = self.number_as()?;
        let before = before.map(|place| place.path.as_bytes()).unwrap_or_default();
        let Some(prefix) = before.get(..shared) else {
            return self.malformed();
        };
        let bytes = [prefix, self.string()?].concat();
        let path = self.path(&bytes)?;
        Ok(Place { root, path })
    }

    fn asked(&mut self) -> Result<Asked, ReadSetError> {
        let bits = self.byte()?;
        let mut names = BTreeSet::new();
        if bits & Kind::Xattr(Vec::new()).bit() != 0 {
            for _ in 0..self.number()? {
                names.insert(self.string()?.to_vec());
            }
        }
        // Asked one by one, so that what contradicts itself is not said again in the same way.
        let asked: Asked = Asked::from_parts(bits, names).kinds().collect();
        if asked == Asked::default() {
            return self.malformed();
        }
        Ok(asked)
    }

    fn told(&mut self) -> Result<Told, ReadSetError> {
        let asked = self.asked()?;
        let answers = asked.kinds().map(|kind| Ok((kind, self.answer()?)));
        Ok(Told {
            answers: answers.collect::<Result<_, _>>()?,
            mtime: match self.byte()? {
                0 => None,
                _ => Some(self.time()?),
            },
        })
    }

    fn answer(&mut self) -> Result<Answer, ReadSetError> {
        Ok(match self.byte()? {
            tag::ABSENT => Answer::Absent,
            tag::UNFIT => Answer::Unfit,
            tag::PRESENT => Answer::Present(self.presence()?),
            tag::XATTRS => Answer::Xattrs(self.xattrs()?),
            tag::NO_XATTR => Answer::Xattr(None),
            tag::XATTR => Answer::Xattr(Some(self.string()?.to_vec())),
            tag::STAT => Answer::Stat(self.stat()?),
            tag::TARGET => Answer::Target(self.string()?.into()),
            tag::LISTING => Answer::Listing(self.many(Self::listed)?),
            tag::CONTENT => Answer::Content(Digest::from_bytes(self.array()?)),
            _ => return self.malformed(),
        })
    }

    fn many<T>(
        &mut self,
        mut one: impl FnMut(&mut Self) -> Result<T, ReadSetError>,
    ) -> Result<Vec<T>, ReadSetError> {
        // Not reserved ahead: the count is not to be believed before the items are there.
        let mut items = Vec::new();
        for _ in 0..self.number()? {
            items.push(one(self)?);
        }
        Ok(items)
    }

    fn presence(&mut self) -> Result<Presence, ReadSetError> {
        let file_type = self.file_type()?;
        let empty = self.byte()? == 1;
        let (mode, uid, gid) = (self.number_as()?, self.number_as()?, self.number_as()?);
        let device = match file_type {
            FileType::CharDevice | FileType::BlockDevice => Some(Device {
                major: self.number_as()?,
                minor: self.number_as()?,
            }),
            _ => None,
        };
        Ok(Presence {
            file_type,
            mode,
            uid,
            gid,
            device,
            empty,
        })
    }

    fn xattrs(&mut self) -> Result<Option<Arc<Xattrs>>, ReadSetError> {
        let pairs = self.many(|reader| Ok((reader.string()?.to_vec(), reader.string()?.to_vec())))?;
        Ok((!pairs.is_empty()).then(|| Arc::new(pairs.into_iter().collect())))
    }

    fn stat(&mut self) -> Result<Stat, ReadSetError> {
        let size = self.number()?;
        let links = self.many(|reader| {
            let path = reader.string()?;
            reader.path(path)
        })?;
        Ok(Stat { size, links })
    }

    fn listed(&mut self) -> Result<(Name, FileType), ReadSetError> {
        let file_type = self.file_type()?;
        let name = Name::new(self.string()?).or(Err(ReadSetError::Malformed(self.at)))?;
        Ok((name, file_type))
    }

    fn file_type(&mut self) -> Result<FileType, ReadSetError> {
        let tag = self.byte()?;
        let file_type = FILE_TYPES.get(usize::from(tag));
        file_type.copied().ok_or(ReadSetError::Malformed(self.at))
    }

    fn time(&mut self) -> Result<Mtime, ReadSetError> {
        let secs = i64::from_le_bytes(self.array()?);
        let nanos = u32::from_le_bytes(self.array()?);
        Ok(Mtime { secs, nanos })
    }
}
