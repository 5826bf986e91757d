//! Members out: ustar headers, with a pax header before those that do not fit.

use std::io::{self, Read, Write};

use super::{
    header::{BLOCK, NewHeader},
    pax::{self, XATTR},
};
use crate::entry::{Attrs, Device};

/// What is written of an entry, its content aside.
pub(crate) struct Out<'e> {
    pub(crate) kind: u8,
    /// With a slash at the end for a directory.
    pub(crate) path: &'e [u8],
    pub(crate) link: &'e [u8],
    pub(crate) attrs: &'e Attrs,
    /// Seconds since the epoch.
    pub(crate) mtime: i64,
    pub(crate) size: u64,
    pub(crate) device: Option<Device>,
}

/// A tar being written.
pub(crate) struct Writer<'w>(pub(crate) &'w mut dyn Write);

impl Writer<'_> {
    pub(crate) fn header(&mut self, member: &Out<'_>) -> io::Result<()> {
        let (header, records) = encode(member);
        if !records.is_empty() {
            self.0.write_all(&pax_header(member.path, records.len() as u64))?;
            self.0.write_all(&records)?;
            self.pad(records.len() as u64)?;
        }
        self.0.write_all(&header)
    }

    /// Copies `content`, which must have exactly `size` bytes: anything else is [`io::ErrorKind::InvalidData`].
    pub(crate) fn content(&mut self, content: &mut dyn Read, size: u64) -> io::Result<()> {
        // One byte more than there should be, to see that there is none.
        let copied = io::copy(&mut content.take(size), &mut self.0)?;
        if copied != size || content.read(&mut [0])? != 0 {
            let message = format!(
                "the content has {} than {size} bytes",
                if copied < size { "less" } else { "more" }
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        self.pad(size)
    }

    pub(crate) fn finish(self) -> io::Result<()> {
        self.0.write_all(&[0; 2 * BLOCK])
    }

    fn pad(&mut self, size: u64) -> io::Result<()> {
        let over = size as usize % BLOCK;
        if over == 0 {
            Ok(())
        } else {
            self.0.write_all(&[0; BLOCK][over..])
        }
    }
}

/// The header, and the pax records for what it cannot say, sorted by key.
fn encode(member: &Out<'_>) -> ([u8; BLOCK], Vec<u8>) {
    let (mut header, mut records) = (NewHeader::new(member.kind), Vec::new());
    let mut note = |fits: bool, key: &[u8], value: &[u8]| {
        if !fits {
            pax::put(&mut records, key, value);
        }
    };
    for (name, value) in member.attrs.xattrs.iter().flat_map(|xattrs| xattrs.iter()) {
        note(false, &[XATTR, name].concat(), value);
    }
    note(
        header.gid(member.attrs.gid),
        b"gid",
        member.attrs.gid.to_string().as_bytes(),
    );
    note(header.link(member.link), b"linkpath", member.link);
    note(
        header.mtime(member.mtime),
        b"mtime",
        member.mtime.to_string().as_bytes(),
    );
    note(header.path(member.path), b"path", member.path);
    note(
        header.size(member.size),
        b"size",
        member.size.to_string().as_bytes(),
    );
    note(
        header.uid(member.attrs.uid),
        b"uid",
        member.attrs.uid.to_string().as_bytes(),
    );
    header.mode(member.attrs.mode);
    if let Some(Device { major, minor }) = member.device {
        // Linux's numbers have 20 bits at most, the fields 21.
        let fits = header.device(major, minor);
        debug_assert!(fits, "device numbers are checked where they are made");
    }
    (header.finish(), records)
}

/// The header of the pax records, under a name that says whose they are where a reader does not know them.
fn pax_header(path: &[u8], size: u64) -> [u8; BLOCK] {
    let name = path.strip_suffix(b"/").unwrap_or(path);
    let name = name.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let directory = b"PaxHeaders.0/";
    let name = &name[..name.len().min(100 - directory.len())];
    let mut header = NewHeader::new(b'x');
    header.path(&[directory, name].concat());
    header.size(size);
    header.mode(0o644);
    header.finish()
}
