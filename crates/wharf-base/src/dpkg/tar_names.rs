//! The names in a tar, in order, noted while somebody else reads it.
//!
//! dpkg lists a package's files in the order of its archive; a tree has no such order. Only what package archives contain
//! is understood: ustar, GNU long names, PAX paths.

use std::io::{self, Read};

const BLOCK: usize = 512;

/// Names are at most as long as Linux's paths are; a longer one is an attack, and is cut.
const NAME_LIMIT: usize = 4096 * 2;

/// Passes a tar through and notes its names.
pub(super) struct TarNames<R> {
    inner: R,
    header: Vec<u8>,
    /// Bytes until the next header.
    skip: u64,
    /// A long name or PAX header that is being read: its kind, bytes so far, bytes that belong to it.
    special: Option<(u8, Vec<u8>, u64)>,
    next_name: Option<Vec<u8>>,
    names: Vec<Vec<u8>>,
}

impl<R: Read> TarNames<R> {
    pub(super) const fn new(inner: R) -> Self {
        Self {
            inner,
            header: Vec::new(),
            skip: 0,
            special: None,
            next_name: None,
            names: Vec::new(),
        }
    }

    /// The names so far, as the archive has them.
    pub(super) fn into_names(self) -> Vec<Vec<u8>> {
        self.names
    }

    fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let taken = if self.skip > 0 {
                self.feed_payload(bytes)
            } else {
                self.feed_header(bytes)
            };
            bytes = &bytes[taken..];
        }
    }

    fn feed_payload(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(usize::try_from(self.skip).unwrap_or(usize::MAX));
        if let Some((_, content, wanted)) = &mut self.special {
            let room = usize::try_from(*wanted)
                .unwrap_or(NAME_LIMIT)
                .min(NAME_LIMIT)
                .saturating_sub(content.len());
            content.extend_from_slice(&bytes[..taken.min(room)]);
        }
        self.skip -= taken as u64;
        if self.skip == 0 {
            self.end_special();
        }
        taken
    }

    fn feed_header(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(BLOCK - self.header.len());
        self.header.extend_from_slice(&bytes[..taken]);
        if self.header.len() == BLOCK {
            let header = std::mem::take(&mut self.header);
            self.read_header(&header);
        }
        taken
    }

    fn read_header(&mut self, header: &[u8]) {
        if header.iter().all(|byte| *byte == 0) {
            return;
        }
        let size = number(&header[124..136]);
        self.skip = size.div_ceil(BLOCK as u64).saturating_mul(BLOCK as u64);
        match header[156] {
            kind @ (b'L' | b'x') => self.special = Some((kind, Vec::new(), size)),
            b'K' | b'g' => {}
            _ => {
                let name = self.next_name.take().unwrap_or_else(|| header_name(header));
                self.names.push(name);
            }
        }
        if self.skip == 0 {
            self.end_special();
        }
    }

    fn end_special(&mut self) {
        match self.special.take() {
            Some((b'L', name, _)) => self.next_name = Some(until_nul(&name).to_vec()),
            Some((_, records, _)) => self.next_name = pax_path(&records).or_else(|| self.next_name.take()),
            None => {}
        }
    }
}

impl<R: Read> Read for TarNames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.feed(&buffer[..length]);
        Ok(length)
    }
}

fn header_name(header: &[u8]) -> Vec<u8> {
    let name = until_nul(&header[..100]);
    let prefix = until_nul(&header[345..500]);
    let is_ustar = &header[257..263] == b"ustar\0";
    if is_ustar && !prefix.is_empty() {
        [prefix, b"/", name].concat()
    } else {
        name.to_vec()
    }
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// Octal, or base 256 when the first bit is set.
fn number(field: &[u8]) -> u64 {
    if field[0] & 0x80 != 0 {
        return field[field.len() - 8..]
            .iter()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    }
    let digits = field.iter().filter(|byte| (b'0'..=b'7').contains(byte));
    digits.fold(0, |sum, digit| sum << 3 | u64::from(digit - b'0'))
}

/// The `path` of PAX records, each `<length> <key>=<value>\n`.
fn pax_path(mut records: &[u8]) -> Option<Vec<u8>> {
    let mut path = None;
    while let Some(space) = records.iter().position(|byte| *byte == b' ') {
        let length: usize = std::str::from_utf8(&records[..space]).ok()?.parse().ok()?;
        let record = records.get(space + 1..length.checked_sub(1)?)?;
        path = record.strip_prefix(b"path=").map(<[u8]>::to_vec).or(path);
        records = records.get(length..)?;
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(tar: &[u8], step: usize) -> Vec<String> {
        let mut reader = TarNames::new(tar);
        let mut buffer = vec![0; step];
        while reader.read(&mut buffer).unwrap() > 0 {}
        reader
            .into_names()
            .iter()
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect()
    }

    fn tar(paths: &[&str]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for path in paths {
            let mut header = tar::Header::new_gnu();
            header.set_size(3);
            header.set_mode(0o644);
            builder.append_data(&mut header, path, &b"abc"[..]).unwrap();
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn notes_short_and_long_names_whatever_is_read_at_once() {
        let long = format!("usr/{}/x", "a".repeat(200));
        let paths = ["a", &long, "b/c"];
        for step in [1, 7, 512, 4096] {
            assert_eq!(names(&tar(&paths), step), paths, "{step}");
        }
    }

    #[test]
    fn reads_pax_paths() {
        assert_eq!(pax_path(b"10 path=a\n12 mtime=15\n"), Some(b"a".to_vec()));
        assert_eq!(pax_path(b"11 path=a/\n"), Some(b"a/".to_vec()));
        assert_eq!(pax_path(b"99999999999999999999 x"), None);
    }

    #[test]
    fn any_bytes_end() {
        for bytes in [vec![0xff; 2000], vec![b'7'; 1500], vec![0; 512]] {
            names(&bytes, 100);
        }
    }
}
