//! A file tree as layers make it: everything about an entry, its times apart.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{self, Read},
};

use sha2::{Digest as _, Sha256};
use tar::{Archive, EntryType};

/// Prefix of a layer's entries that remove others (OCI image specification, "Whiteouts").
const WHITEOUT: &[u8] = b".wh.";

/// Removes what lower layers have in the directory.
const OPAQUE: &[u8] = b".wh..opq";

/// Prefix under which a tar's extended header keeps an extended attribute.
const XATTR: &str = "SCHILY.xattr.";

/// Everything that two builders must agree on for one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    kind: EntryType,
    mode: u32,
    uid: u64,
    gid: u64,
    size: u64,
    content: String,
    target: String,
    device: Option<(u32, u32)>,
    xattrs: BTreeMap<String, Vec<u8>>,
}

/// An entry, the layer that has it, and which names are one file.
struct Node {
    entry: Entry,
    /// Seconds.
    time: u64,
    layer: usize,
    file: usize,
}

/// Entries by path, without a leading or trailing slash.
#[derive(Default)]
pub(crate) struct Tree {
    nodes: BTreeMap<Vec<u8>, Node>,
    layers: usize,
    files: usize,
}

impl Tree {
    /// Puts the layer that `tar` holds upon what is there.
    pub(crate) fn apply(&mut self, tar: impl Read) -> io::Result<()> {
        self.layers += 1;
        for entry in Archive::new(tar).entries()? {
            let mut entry = entry?;
            let path = trimmed(&entry.path_bytes());
            let (parent, name) = split(&path);
            if let Some(hidden) = name.strip_prefix(WHITEOUT) {
                self.hide(parent, hidden);
            } else if entry.header().entry_type() == EntryType::Link {
                self.link(path, &trimmed(&entry.link_name_bytes().unwrap_or_default()));
            } else if !path.is_empty() {
                let time = entry.header().mtime()?;
                let read = read(&mut entry)?;
                self.put(path, read, time);
            }
        }
        Ok(())
    }

    /// All paths with what they are; a file's other names are told by the first of them.
    pub(crate) fn entries(&self) -> BTreeMap<String, (Entry, String)> {
        let mut first = BTreeMap::new();
        let shown = |path: &[u8]| String::from_utf8_lossy(path).into_owned();
        self.nodes
            .iter()
            .map(|(path, node)| {
                let twin = first.entry(node.file).or_insert(path);
                (shown(path), (node.entry.clone(), shown(twin)))
            })
            .collect()
    }

    /// When an entry was changed last, in seconds.
    pub(crate) fn time(&self, path: &str) -> Option<u64> {
        self.nodes.get(path.as_bytes()).map(|node| node.time)
    }

    /// Of all paths. Times later than `latest` are all equal.
    pub(crate) fn times(&self, latest: u64) -> BTreeMap<String, u64> {
        let shown = |path: &[u8]| String::from_utf8_lossy(path).into_owned();
        self.nodes
            .iter()
            .map(|(path, node)| (shown(path), node.time.min(latest)))
            .collect()
    }

    fn put(&mut self, path: Vec<u8>, entry: Entry, time: u64) {
        if entry.kind != EntryType::Directory {
            self.remove_below(&path);
        }
        self.files += 1;
        let node = Node {
            entry,
            time,
            layer: self.layers,
            file: self.files,
        };
        self.nodes.insert(path, node);
    }

    fn link(&mut self, path: Vec<u8>, target: &[u8]) {
        let Some(node) = self.nodes.get(target) else {
            return;
        };
        let node = Node {
            entry: node.entry.clone(),
            time: node.time,
            layer: self.layers,
            file: node.file,
        };
        self.nodes.insert(path, node);
    }

    fn hide(&mut self, parent: &[u8], hidden: &[u8]) {
        if hidden == OPAQUE {
            self.remove_below(parent);
        } else {
            let path = join(parent, hidden);
            self.remove_below(&path);
            let layer = self.layers;
            if self.nodes.get(&path).is_some_and(|node| node.layer < layer) {
                self.nodes.remove(&path);
            }
        }
    }

    /// Removes what lower layers have below `path`.
    fn remove_below(&mut self, path: &[u8]) {
        let prefix = join(path, b"");
        let layer = self.layers;
        self.nodes
            .retain(|path, node| node.layer == layer || !path.starts_with(&prefix));
    }
}

fn read<R: Read>(entry: &mut tar::Entry<'_, R>) -> io::Result<Entry> {
    let header = entry.header().clone();
    let kind = match header.entry_type() {
        EntryType::Continuous | EntryType::GNUSparse => EntryType::Regular,
        kind => kind,
    };
    let device = matches!(kind, EntryType::Char | EntryType::Block);
    let xattrs = xattrs(entry)?;
    let target = entry.link_name_bytes().unwrap_or_default().into_owned();
    let (size, content) = digest(entry)?;
    Ok(Entry {
        kind,
        mode: header.mode()? & 0o7777,
        uid: header.uid()?,
        gid: header.gid()?,
        size,
        content,
        target: String::from_utf8_lossy(&target).into_owned(),
        device: device
            .then(|| Some((header.device_major().ok()??, header.device_minor().ok()??)))
            .flatten(),
        xattrs,
    })
}

fn xattrs<R: Read>(entry: &mut tar::Entry<'_, R>) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut xattrs = BTreeMap::new();
    for extension in entry.pax_extensions()?.into_iter().flatten() {
        let extension = extension?;
        let name = extension.key().unwrap_or_default().strip_prefix(XATTR);
        if let Some(name) = name {
            xattrs.insert(name.to_owned(), extension.value_bytes().to_owned());
        }
    }
    Ok(xattrs)
}

fn digest(source: &mut impl Read) -> io::Result<(u64, String)> {
    let mut bytes = Vec::new();
    source.read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64, hex(&Sha256::digest(&bytes))))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn trimmed(path: &[u8]) -> Vec<u8> {
    let path = path.strip_prefix(b"./").unwrap_or(path);
    let path = path.strip_prefix(b"/").unwrap_or(path);
    let path = path.strip_suffix(b"/").unwrap_or(path);
    if path == b"." { Vec::new() } else { path.to_owned() }
}

fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    }
}

fn join(parent: &[u8], name: &[u8]) -> Vec<u8> {
    if parent.is_empty() {
        name.to_owned()
    } else {
        [parent, b"/", name].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A layer of files (`path`), directories (`path/`) and hard links (`path=target`).
    fn layer(entries: &[&str]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for entry in entries {
            let (path, target) = entry.split_once('=').unwrap_or((entry, ""));
            let mut header = tar::Header::new_gnu();
            header.set_size(0);
            header.set_mode(0o644);
            header.set_uid(0);
            header.set_gid(0);
            header.set_entry_type(match (path.ends_with('/'), target) {
                (true, _) => EntryType::Directory,
                (false, "") => EntryType::Regular,
                (false, _) => EntryType::Link,
            });
            if !target.is_empty() {
                header.set_link_name(target).expect("it fits");
            }
            builder
                .append_data(&mut header, path, &[][..])
                .expect("memory takes all");
        }
        builder.into_inner().expect("memory takes all")
    }

    fn check(layers: &[&[&str]], expected: &[&str]) {
        let mut tree = Tree::default();
        for entries in layers {
            tree.apply(&layer(entries)[..]).expect("a good tar");
        }
        let shown: Vec<_> = tree
            .entries()
            .into_iter()
            .map(|(path, (_, twin))| {
                if path == twin {
                    path
                } else {
                    format!("{path}={twin}")
                }
            })
            .collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn layers_lie_one_upon_the_other() {
        check(&[&["a", "d/", "d/b"], &["d/.wh.b", "d/c"]], &["a", "d", "d/c"]);
        check(&[&["d/", "d/b"], &["d/c", "d/.wh..wh..opq"]], &["d", "d/c"]);
        check(&[&["d/", "d/b"], &[".wh.d"]], &[]);
        check(&[&["d/", "d/b", "db"], &["d"]], &["d", "db"]);
        check(&[&["a", "b=a", "c=b"], &[".wh.a"]], &["b", "c=b"]);
    }
}
