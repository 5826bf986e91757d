//! Bytes as path sets and read sets. Anything but the one encoding of a set is refused.

use std::{collections::BTreeSet, sync::Arc};

use wharf_oci::Digest;

use super::{
    Answer, Asked, FileType, Kind, PathSet, Place, Presence, ReadSet, Seen, Stat, Told,
    encode::{
        FILE_TYPES, NOT_SEEN, PATH_SET_MAGIC, READ_SET_MAGIC, SEEN, SEEN_UNREAD, Writer, tag, with_head,
    },
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
        let mut places = Vec::new();
        path_set_items(bytes, &mut |place, asked| {
            places.push((place.clone(), asked.clone()));
        })?;
        Ok(Self {
            places: places.into_iter().collect(),
        })
    }
}

impl ReadSet {
    /// Reads what [`ReadSet::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ReadSetError> {
        let mut writer = Writer::default();
        let (mut reader, count) = Reader::new(bytes, READ_SET_MAGIC)?;
        reader.items(count, Reader::told, &mut |place, told| {
            writer.told(place, told);
        })?;
        let set = Self::written(writer);
        canonical(bytes, &set.to_bytes()).map(|()| set)
    }
}

/// Tells `visit` the items of a path set. Those before an error are told.
pub(super) fn path_set_items(
    bytes: &[u8],
    visit: &mut dyn FnMut(&Place, &Asked),
) -> Result<(), ReadSetError> {
    let mut writer = Writer::default();
    let (mut reader, count) = Reader::new(bytes, PATH_SET_MAGIC)?;
    reader.items(count, Reader::asked, &mut |place, asked| {
        writer.questions(place, asked);
        visit(place, asked);
    })?;
    canonical(bytes, &with_head(PATH_SET_MAGIC, writer))
}

/// The same of bytes that were checked when they were kept: sorted, but perhaps not in the shortest form.
pub(super) fn path_set_items_as_they_are(
    bytes: &[u8],
    visit: &mut dyn FnMut(&Place, &Asked),
) -> Result<(), ReadSetError> {
    let (mut reader, count) = Reader::new(bytes, PATH_SET_MAGIC)?;
    reader.items(count, Reader::asked, visit)
}

/// Long-winded numbers, trailing bytes and the like all end here.
fn canonical(read: &[u8], written: &[u8]) -> Result<(), ReadSetError> {
    (read == written).then_some(()).ok_or(ReadSetError::NotCanonical)
}

pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Behind the head of a set; and how many items follow.
    fn new(bytes: &'a [u8], magic: [u8; 8]) -> Result<(Self, u64), ReadSetError> {
        if !bytes.starts_with(&magic) {
            return Err(ReadSetError::Magic);
        }
        let mut reader = Self {
            bytes,
            at: magic.len(),
        };
        let count = reader.number()?;
        Ok((reader, count))
    }

    /// Of items alone.
    pub(super) const fn of(items: &'a [u8]) -> Self {
        Self { bytes: items, at: 0 }
    }

    /// Tells `visit` each item, which `read` reads behind its place. They must be sorted.
    fn items<T>(
        &mut self,
        count: u64,
        read: impl Fn(&mut Self) -> Result<T, ReadSetError> + Copy,
        visit: &mut dyn FnMut(&Place, &T),
    ) -> Result<(), ReadSetError> {
        let mut place = Place::default();
        let (mut root, mut path) = (0, Vec::new());
        for index in 0..count {
            let item = self.item(&mut place, read)?;
            if index > 0 && (place.root, place.path.as_bytes()) <= (root, &path[..]) {
                return Err(ReadSetError::NotCanonical);
            }
            visit(&place, &item);
            root = place.root;
            path.clear();
            path.extend_from_slice(place.path.as_bytes());
        }
        Ok(())
    }

    /// The next item. `place` is that of the one before, and then that of this one.
    pub(super) fn item<T>(
        &mut self,
        place: &mut Place,
        read: impl Fn(&mut Self) -> Result<T, ReadSetError>,
    ) -> Result<T, ReadSetError> {
        place.root = self.number_as()?;
        let shared: usize = self.number_as()?;
        if shared > place.path.as_bytes().len() {
            return self.malformed();
        }
        let end = self.string()?;
        let path = place.path.replace_end(shared, end);
        path.or(Err(ReadSetError::Malformed(self.at)))?;
        read(self)
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

    pub(super) fn told(&mut self) -> Result<Told, ReadSetError> {
        let asked = self.asked()?;
        let answers = asked.kinds().map(|kind| Ok((kind, self.answer()?)));
        Ok(Told {
            answers: answers.collect::<Result<_, _>>()?,
            seen: self.seen(&asked)?,
        })
    }

    fn seen(&mut self, asked: &Asked) -> Result<Option<Seen>, ReadSetError> {
        let kind = self.byte()?;
        if kind == NOT_SEEN {
            return Ok(None);
        }
        let mtime = self.time()?;
        let unread = match kind {
            SEEN => None,
            SEEN_UNREAD if !asked.has(&Kind::Content) => Some(Digest::from_bytes(self.array()?)),
            _ => return self.malformed(),
        };
        Ok(Some(Seen { mtime, unread }))
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
