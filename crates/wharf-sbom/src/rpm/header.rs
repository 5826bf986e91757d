//! An rpm header: an index of tags and a store of their values.
//!
//! "Package File Format V4", "Header structure", as the database keeps it: without magic number.

/// Name of the package.
pub(super) const NAME: u32 = 1000;
/// Version.
pub(super) const VERSION: u32 = 1001;
/// Release.
pub(super) const RELEASE: u32 = 1002;
/// Epoch.
pub(super) const EPOCH: u32 = 1003;
/// Vendor.
pub(super) const VENDOR: u32 = 1011;
/// Licence.
pub(super) const LICENSE: u32 = 1014;
/// Web page.
pub(super) const URL: u32 = 1020;
/// Architecture.
pub(super) const ARCH: u32 = 1022;
/// The source package's file.
pub(super) const SOURCE_RPM: u32 = 1044;
/// SHA-1 of the package's header.
pub(super) const SHA1_HEADER: u32 = 269;
/// SHA-256 of the package's header.
pub(super) const SHA256_HEADER: u32 = 273;

const INT32: u32 = 4;
const STRING: u32 = 6;
const STRING_ARRAY: u32 = 8;
const I18N_STRING: u32 = 9;

/// Bytes of an entry of the index: tag, type, offset, count.
const ENTRY: usize = 16;

/// A header.
pub(super) struct Header<'a> {
    index: &'a [u8],
    store: &'a [u8],
}

impl<'a> Header<'a> {
    /// A header of these bytes; `None` if they are none.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let entries = usize::try_from(number(bytes, 0)?).ok()?;
        let length = usize::try_from(number(bytes, 4)?).ok()?;
        let index_end = entries.checked_mul(ENTRY)?.checked_add(8)?;
        let store_end = index_end.checked_add(length)?;
        Some(Self {
            index: bytes.get(8..index_end)?,
            store: bytes.get(index_end..store_end)?,
        })
    }

    /// The first string of a tag.
    pub(super) fn text(&self, tag: u32) -> Option<String> {
        let (kind, value) = self.value(tag)?;
        if !matches!(kind, STRING | STRING_ARRAY | I18N_STRING) {
            return None;
        }
        let text = value.split(|byte| *byte == 0).next()?;
        Some(String::from_utf8_lossy(text).into_owned())
    }

    /// The first number of a tag.
    pub(super) fn number(&self, tag: u32) -> Option<u32> {
        let (kind, value) = self.value(tag)?;
        (kind == INT32).then(|| number(value, 0))?
    }

    /// Type and bytes of a tag, up to the end of the store.
    fn value(&self, tag: u32) -> Option<(u32, &'a [u8])> {
        let entry = self
            .index
            .chunks_exact(ENTRY)
            .find(|entry| number(entry, 0) == Some(tag))?;
        let offset = usize::try_from(number(entry, 8)?).ok()?;
        Some((number(entry, 4)?, self.store.get(offset..)?))
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}
