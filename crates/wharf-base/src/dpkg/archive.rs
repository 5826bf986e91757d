//! A package file: `debian-binary`, `control.tar.*`, `data.tar.*` in an ar archive (deb(5)).

use std::{
    collections::BTreeMap,
    io::{self, Read},
};

use wharf_tree::{
    BlobSink, Entry, Layer, Node,
    tar::{ImportError, ImportOptions, Limits, import_archive},
};

use super::{
    control::{Control, ControlFile, interpreter},
    tar_names::TarNames,
};

/// The largest control part that is believed; real ones (symbols files) have up to 2 MB.
const CONTROL_LIMIT: u64 = 64 << 20;

/// A package file's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpacked {
    /// Its files. Directories that the archive only implies are structural.
    pub files: Layer,
    /// Its control part. MD5 sums of configuration files are not filled in yet.
    pub control: Control,
    /// The paths of its files as dpkg lists them, in the archive's order: `/.`, `/usr`, `/usr/bin`.
    pub list: Vec<String>,
}

/// Why a package file was refused.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It cannot be read, or is cut off.
    #[error("cannot read the package file")]
    Io(#[from] io::Error),
    /// A part is missing.
    #[error("the package file has no {0}")]
    Missing(&'static str),
    /// Its format is newer than this program.
    #[error("the package file has format version {0}, not 2.x")]
    Version(String),
    /// A part is compressed with something unknown.
    #[error("the package file's {0} is compressed in a way that is not known")]
    Compression(String),
    /// A part is no proper archive.
    #[error("the package file's {part} cannot be unpacked")]
    Import {
        /// Which.
        part: &'static str,
        /// Why.
        source: ImportError,
    },
    /// A control file is larger than any real one.
    #[error("the package file's control part is larger than {CONTROL_LIMIT} bytes")]
    TooLarge,
}

/// Reads a package file from its start. File contents, those of the control part too, go to `blobs`.
pub fn unpack(file: impl Read, blobs: &mut dyn BlobSink) -> Result<Unpacked, ArchiveError> {
    let mut archive = ar::Archive::new(file);
    let mut control = None;
    let mut data = None;
    while let Some(member) = archive.next_entry() {
        let member = member?;
        let name = String::from_utf8_lossy(member.header().identifier())
            .trim_end_matches('/')
            .to_owned();
        match name.split('.').next().unwrap_or_default() {
            "debian-binary" => check_version(member)?,
            "control" => control = Some(read_control(decompress(member, &name)?, blobs)?),
            "data" => data = Some(read_data(decompress(member, &name)?, blobs)?),
            _ => {}
        }
    }
    let (files, list) = data.ok_or(ArchiveError::Missing("data.tar"))?;
    let control = control.ok_or(ArchiveError::Missing("control.tar"))?;
    Ok(Unpacked { files, control, list })
}

fn check_version(mut member: impl Read) -> Result<(), ArchiveError> {
    let mut version = String::new();
    member.by_ref().take(64).read_to_string(&mut version)?;
    version
        .starts_with("2.")
        .then_some(())
        .ok_or_else(|| ArchiveError::Version(version.trim().to_owned()))
}

fn decompress<'r>(member: impl Read + 'r, name: &str) -> Result<Box<dyn Read + 'r>, ArchiveError> {
    match name.split_once(".tar").map(|(_, suffix)| suffix) {
        Some("") => Ok(Box::new(member)),
        Some(".gz") => Ok(Box::new(flate2::read::GzDecoder::new(member))),
        Some(".xz") => Ok(Box::new(liblzma::read::XzDecoder::new(member))),
        Some(".zst") => Ok(Box::new(zstd::stream::read::Decoder::new(member)?)),
        _ => Err(ArchiveError::Compression(name.to_owned())),
    }
}

fn read_data(tar: impl Read, blobs: &mut dyn BlobSink) -> Result<(Layer, Vec<String>), ArchiveError> {
    let mut names = TarNames::new(tar);
    let source = |source| ArchiveError::Import {
        part: "data.tar",
        source,
    };
    let files = import_archive(&mut names, blobs, &ImportOptions::default()).map_err(source)?;
    Ok((
        files,
        names.into_names().iter().map(|name| listed(name)).collect(),
    ))
}

/// `./usr/bin/` → `/usr/bin`, `./` → `/.`, as in dpkg's lists.
fn listed(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    let path = name.trim_start_matches("./").trim_matches('/');
    if path.is_empty() {
        "/.".to_owned()
    } else {
        format!("/{path}")
    }
}

fn read_control(tar: impl Read, blobs: &mut dyn BlobSink) -> Result<Control, ArchiveError> {
    let limits = Limits {
        entries: 1 << 10,
        bytes: CONTROL_LIMIT,
    };
    let options = ImportOptions {
        limits,
        ..ImportOptions::default()
    };
    let source = |source| ArchiveError::Import {
        part: "control.tar",
        source,
    };
    let mut keep = KeepTexts {
        blobs,
        texts: BTreeMap::new(),
    };
    let tree = import_archive(tar, &mut keep, &options).map_err(source)?;
    let texts = keep.texts;
    let text = |name: &str| {
        let entry = tree.dir().get(name.as_bytes())?;
        control_file(entry)
            .and_then(|file| texts.get(&file.digest))
            .map(|bytes| String::from_utf8_lossy(bytes))
    };
    let fields = text("control")
        .ok_or(ArchiveError::Missing("control file"))?
        .into_owned();
    let files = tree
        .dir()
        .entries()
        .iter()
        .filter_map(|(name, entry)| Some((name.to_string(), control_file(entry)?)));
    let mut files: BTreeMap<_, _> = files.collect();
    files.remove("control");
    let mut interpreters: Vec<_> = files
        .values()
        .filter_map(|file| interpreter(texts.get(&file.digest)?))
        .collect();
    interpreters.sort();
    interpreters.dedup();
    Ok(Control {
        conffiles: text("conffiles").map(|text| conffiles(&text)).unwrap_or_default(),
        triggers: text("triggers").unwrap_or_default().into_owned(),
        fields,
        files,
        interpreters,
    })
}

fn control_file(entry: &Entry) -> Option<ControlFile> {
    match entry.node {
        Node::File { digest, size } => Some(ControlFile {
            digest,
            size,
            mode: entry.attrs.mode,
        }),
        _ => None,
    }
}

/// One path a line. Lines with a flag before the path name files that the package no longer ships.
fn conffiles(text: &str) -> Vec<(String, String)> {
    let paths = text.lines().map(str::trim).filter(|line| line.starts_with('/'));
    paths.map(|path| (path.to_owned(), String::new())).collect()
}

/// Keeps the contents of a control part in memory, beside passing them on.
struct KeepTexts<'s> {
    blobs: &'s mut dyn BlobSink,
    texts: BTreeMap<wharf_oci::Digest, Vec<u8>>,
}

impl BlobSink for KeepTexts<'_> {
    fn put(&mut self, content: &mut dyn Read, size: u64) -> io::Result<wharf_oci::Digest> {
        let mut bytes = Vec::new();
        content.take(CONTROL_LIMIT).read_to_end(&mut bytes)?;
        let digest = self.blobs.put(&mut bytes.as_slice(), size)?;
        self.texts.insert(digest, bytes);
        Ok(digest)
    }
}
