//! The files of a layout as one tar or as a directory.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use wharf_store::{BlobError, Store};
use wharf_tree::BlobRead as _;

use super::{
    content,
    layout::{Content, LayoutFile},
};

/// Writes the files of a layout.
#[derive(Debug, Clone, Copy)]
pub struct Archive<'a> {
    /// Where the blobs are.
    pub store: &'a Store,
    /// In the order in which they are written.
    pub files: &'a [LayoutFile],
}

/// A layout could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A blob cannot be had.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The archive's bytes cannot be written.
    #[error("cannot write the archive")]
    Write(#[source] io::Error),
    /// A file of the layout's directory cannot be written.
    #[error("cannot write {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Archive<'_> {
    /// Writes one tar. Equal images give equal bytes.
    pub fn write_tar(&self, out: &mut dyn Write) -> Result<(), ArchiveError> {
        let mut builder = tar::Builder::new(out);
        for folder in folders(self.files) {
            let mut header = header(tar::EntryType::Directory, 0o755, 0);
            builder
                .append_data(&mut header, format!("{folder}/"), io::empty())
                .map_err(ArchiveError::Write)?;
        }
        for file in self.files {
            let (mut content, size) = self.open(file)?;
            let mut header = header(tar::EntryType::Regular, 0o444, size);
            builder
                .append_data(&mut header, &file.name, &mut content)
                .map_err(|error| content::told(error, ArchiveError::Write))?;
        }
        builder
            .into_inner()
            .and_then(Write::flush)
            .map_err(ArchiveError::Write)
    }

    /// Writes a directory. Blobs that are there already stay; the index is replaced last, so that a reader never sees one that
    /// names what is not there.
    pub fn write_directory(&self, root: &Path) -> Result<(), ArchiveError> {
        let (index, others): (Vec<_>, Vec<_>) = self.files.iter().partition(|file| file.name == "index.json");
        for file in others.into_iter().chain(index) {
            let path = root.join(&file.name);
            let failed = |source| ArchiveError::File {
                path: path.clone(),
                source,
            };
            if file.name.starts_with("blobs/") && path.exists() {
                continue;
            }
            fs::create_dir_all(path.parent().expect("a file lies in a folder")).map_err(failed)?;
            let aside = path.with_extension(format!("{}.tmp", std::process::id()));
            let (mut content, _) = self.open(file)?;
            let mut out = File::create(&aside).map_err(failed)?;
            content::copy(&mut content, &mut out, failed)
                .and_then(|()| fs::rename(&aside, &path).map_err(failed))
                .inspect_err(|_| drop(fs::remove_file(&aside)))?;
        }
        Ok(())
    }

    fn open(&self, file: &LayoutFile) -> Result<(Box<dyn Read>, u64), ArchiveError> {
        Ok(match &file.content {
            Content::Bytes(bytes) => (Box::new(io::Cursor::new(bytes.clone())), bytes.len() as u64),
            Content::Blob { digest, size } => {
                let blob = self.store.open(digest);
                (
                    blob.map_err(|error| content::told(error, ArchiveError::Write))?,
                    *size,
                )
            }
        })
    }
}

fn folders(files: &[LayoutFile]) -> Vec<&str> {
    let has_blobs = files.iter().any(|file| file.name.starts_with("blobs/"));
    if has_blobs {
        vec!["blobs", "blobs/sha256"]
    } else {
        Vec::new()
    }
}

fn header(kind: tar::EntryType, mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(0);
    header
}
