//! A small tree written as text, and its tar: what the steps of the table find below them.
//!
//! `path file TEXT`, `path large TEXT` (behind a megabyte), `path size N`, `path/ dir`, `path -> target`, `path = other name`, `path char 1:3`, `path fifo`; then, in any
//! number, `@mode`, `@mode:uid:gid`, `%xattr=value` (`%xattr=0xHEX`) and `~seconds`. An edit of a tree is such a line, which puts or replaces an
//! entry, or `-path`, which removes one and what is below it, or `?path`, which does so if it is there. Edits stand in one text with `;` between them.

use std::{collections::BTreeMap, fs, io::Write as _, path::Path};

/// Every file's time unless it has another.
const TIME: u64 = 1_000_000_000;

/// A megabyte.
const LARGE: usize = 1 << 20;

/// Entries by path.
#[derive(Debug, Clone, Default)]
pub(super) struct Parent(BTreeMap<String, Item>);

#[derive(Debug, Clone)]
struct Item {
    kind: Kind,
    mode: Option<u32>,
    owner: (u64, u64),
    xattrs: Vec<(String, Vec<u8>)>,
    time: u64,
}

#[derive(Debug, Clone)]
enum Kind {
    File(Vec<u8>),
    Dir,
    Symlink(String),
    Link(String),
    Char(u32, u32),
    Fifo,
}

impl Parent {
    /// Makes edits, in order.
    pub(super) fn edit(&mut self, edits: &str) {
        for edit in edits.split(';').map(str::trim).filter(|edit| !edit.is_empty()) {
            match (edit.strip_prefix('-'), edit.strip_prefix('?')) {
                (Some(path), _) => assert!(self.remove(path), "nothing to remove at {path}"),
                (_, Some(path)) => drop(self.remove(path)),
                _ => self.put(edit),
            }
        }
    }

    /// Whether there was something to remove.
    fn remove(&mut self, path: &str) -> bool {
        let below = format!("{path}/");
        let before = self.0.len();
        self.0.retain(|name, _| name != path && !name.starts_with(&below));
        self.0.len() < before
    }

    fn put(&mut self, line: &str) {
        let (path, rest) = line.split_once(' ').unwrap_or((line, "dir"));
        let (rest, item) = attributes(rest);
        let (word, value) = rest.split_once(' ').unwrap_or((rest, ""));
        let kind = match word {
            "file" => Kind::File(value.as_bytes().to_vec()),
            "large" => Kind::File([&vec![b'x'; LARGE], value.as_bytes()].concat()),
            "size" => Kind::File(vec![b'x'; value.parse().expect("a size")]),
            "dir" => Kind::Dir,
            "->" => Kind::Symlink(value.to_owned()),
            "=" => Kind::Link(value.to_owned()),
            "fifo" => Kind::Fifo,
            "char" => {
                let (major, minor) = value.split_once(':').expect("major:minor");
                Kind::Char(major.parse().expect("a number"), minor.parse().expect("a number"))
            }
            other => panic!("{other} in {line}"),
        };
        let path = path.trim_end_matches('/').to_owned();
        self.0.insert(path, Item { kind, ..item });
    }

    /// As plain files, for a context.
    pub(super) fn write_files(&self, directory: &Path) {
        let _ = fs::remove_dir_all(directory);
        fs::create_dir_all(directory).expect("a writable place");
        for (path, item) in &self.0 {
            let path = directory.join(path);
            let parent = path.parent().expect("it is below the directory");
            fs::create_dir_all(parent).expect("a writable place");
            match &item.kind {
                Kind::File(bytes) => fs::write(path, bytes).expect("a writable place"),
                Kind::Dir => fs::create_dir_all(path).expect("a writable place"),
                Kind::Symlink(target) => std::os::unix::fs::symlink(target, path).expect("a writable place"),
                other => panic!("{other:?} in a context"),
            }
        }
    }

    /// As a tar: links to files after the files.
    pub(super) fn write_tar(&self, file: &Path) {
        let mut tar = tar::Builder::new(fs::File::create(file).expect("a writable place"));
        let is_link = |item: &Item| matches!(item.kind, Kind::Link(_));
        for late in [false, true] {
            for (path, item) in self.0.iter().filter(|(_, item)| is_link(item) == late) {
                append(&mut tar, path, item);
            }
        }
        let mut file = tar.into_inner().expect("a whole tar");
        file.flush().expect("a writable place");
    }
}

/// Takes the attributes off the end of a line.
fn attributes(mut rest: &str) -> (&str, Item) {
    let mut item = Item {
        kind: Kind::Dir,
        mode: None,
        owner: (0, 0),
        xattrs: Vec::new(),
        time: TIME,
    };
    while let Some((before, last)) = rest.rsplit_once(' ') {
        if let Some(text) = last.strip_prefix('@') {
            let mut parts = text.split(':');
            let number = |part: Option<&str>| part.map_or(0, |part| part.parse().expect("a number"));
            item.mode = parts
                .next()
                .map(|mode| u32::from_str_radix(mode, 8).expect("octal"));
            item.owner = (number(parts.next()), number(parts.next()));
        } else if let Some(text) = last.strip_prefix('%') {
            let (name, value) = text.split_once('=').expect("name=value");
            item.xattrs.push((name.to_owned(), value_of(value)));
        } else if let Some(text) = last.strip_prefix('~') {
            item.time = text.parse().expect("seconds");
        } else {
            break;
        }
        rest = before;
    }
    (rest, item)
}

fn value_of(text: &str) -> Vec<u8> {
    let Some(hex) = text.strip_prefix("0x") else {
        return text.as_bytes().to_vec();
    };
    let digits = hex.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hex");
    digits.map(byte).collect()
}

fn append(tar: &mut tar::Builder<fs::File>, path: &str, item: &Item) {
    let names: Vec<_> = item
        .xattrs
        .iter()
        .map(|(name, value)| (format!("SCHILY.xattr.{name}"), value))
        .collect();
    let extensions = names.iter().map(|(name, value)| (&name[..], &value[..]));
    tar.append_pax_extensions(extensions).expect("a writable place");
    let mut header = tar::Header::new_ustar();
    let (entry_type, mode, bytes): (_, _, &[u8]) = match &item.kind {
        Kind::File(bytes) => (tar::EntryType::Regular, 0o644, bytes),
        Kind::Dir => (tar::EntryType::Directory, 0o755, b""),
        Kind::Symlink(_) => (tar::EntryType::Symlink, 0o777, b""),
        Kind::Link(_) => (tar::EntryType::Link, 0o644, b""),
        Kind::Char(..) => (tar::EntryType::Char, 0o644, b""),
        Kind::Fifo => (tar::EntryType::Fifo, 0o644, b""),
    };
    header.set_entry_type(entry_type);
    header.set_mode(item.mode.unwrap_or(mode));
    header.set_uid(item.owner.0);
    header.set_gid(item.owner.1);
    header.set_mtime(item.time);
    header.set_size(bytes.len() as u64);
    match &item.kind {
        Kind::Symlink(target) | Kind::Link(target) => header.set_link_name(target).expect("a short name"),
        Kind::Char(major, minor) => {
            header.set_device_major(*major).expect("ustar");
            header.set_device_minor(*minor).expect("ustar");
        }
        _ => {}
    }
    tar.append_data(&mut header, path, bytes)
        .expect("a writable place");
}
