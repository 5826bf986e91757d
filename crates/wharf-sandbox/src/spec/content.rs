//! The bytes of files in memory. Certificates are some hundred thousand for every process: they are shared here, and on their way lie beside
//! the order, from where the kernel copies them.

use std::{
    fs::File,
    io::{self, Seek, Write},
    os::fd::AsFd,
    sync::Arc,
};

use rustix::fs::sendfile;
use serde::{Deserialize, Serialize};

use crate::channel::retry;

/// Bytes that many may have.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content(Place);

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Place {
    Here(Arc<[u8]>),
    /// In the file that an order came in.
    Beside {
        offset: u64,
        length: u64,
    },
}

/// From how many bytes on a content lies beside the order.
const BESIDE: usize = 4 << 10;

impl<T: Into<Arc<[u8]>>> From<T> for Content {
    fn from(bytes: T) -> Self {
        Self(Place::Here(bytes.into()))
    }
}

impl Content {
    /// How many bytes.
    pub fn len(&self) -> u64 {
        match &self.0 {
            Place::Here(bytes) => bytes.len() as u64,
            Place::Beside { length, .. } => *length,
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts large bytes at the end of `beside`, which is the beginning of an order's file.
    pub(crate) fn lay_beside(&mut self, beside: &mut File) -> io::Result<()> {
        let Place::Here(bytes) = &self.0 else {
            return Ok(());
        };
        if bytes.len() < BESIDE {
            return Ok(());
        }
        let offset = beside.stream_position()?;
        beside.write_all(bytes)?;
        self.0 = Place::Beside {
            offset,
            length: bytes.len() as u64,
        };
        Ok(())
    }

    /// Writes the bytes to a file; `order` is the file that they came in.
    pub(crate) fn write_to(&self, file: &mut File, order: &File) -> io::Result<()> {
        let (mut offset, length) = match &self.0 {
            Place::Here(bytes) => return file.write_all(bytes),
            Place::Beside { offset, length } => (*offset, *length),
        };
        let end = offset + length;
        while offset < end {
            let left = usize::try_from(end - offset).unwrap_or(usize::MAX);
            if retry(|| sendfile(file.as_fd(), order.as_fd(), Some(&mut offset), left))? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use rustix::fs::{MemfdFlags, memfd_create};

    use super::*;

    fn file() -> File {
        memfd_create("test", MemfdFlags::CLOEXEC).unwrap().into()
    }

    #[test]
    fn bytes_arrive_here_and_beside() {
        let mut order = file();
        let large = [vec![7; BESIDE], b"end".to_vec()].concat();
        let all = [
            b"".to_vec(),
            b"small".to_vec(),
            large.clone(),
            large[1..].to_vec(),
        ];
        let sent = all.clone().map(|bytes| {
            let mut content = Content::from(bytes);
            content.lay_beside(&mut order).unwrap();
            postcard::to_stdvec(&content).unwrap()
        });
        assert_eq!(order.stream_position().unwrap(), 2 * large.len() as u64 - 1);
        assert!(sent.iter().all(|text| text.len() < 16));
        for (text, bytes) in sent.iter().zip(all) {
            let content: Content = postcard::from_bytes(text).unwrap();
            assert_eq!(content.len(), bytes.len() as u64);
            let mut copy = file();
            content.write_to(&mut copy, &order).unwrap();
            copy.rewind().unwrap();
            let mut found = Vec::new();
            copy.read_to_end(&mut found).unwrap();
            assert_eq!(found, bytes);
        }
    }

    #[test]
    fn what_is_missing_is_an_error() {
        let beside = Content(Place::Beside { offset: 1, length: 1 });
        assert!(beside.write_to(&mut file(), &file()).is_err());
    }
}
