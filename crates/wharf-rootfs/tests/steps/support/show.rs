//! Layers and read sets as text, a line per entry.

use wharf_tree::{
    DirRole, Entry, Layer, Node, TreePath,
    readset::{Kind, ReadSet},
};

use super::trees::PROGRAMS;

/// A layer: type, path, and what else there is to say. Hard links at the end.
pub fn layer(layer: &Layer) -> String {
    let mut lines = Vec::new();
    entry(&layer.root, &TreePath::root(), &mut lines);
    for group in &layer.links.0 {
        let names: Vec<_> = group.iter().map(ToString::to_string).collect();
        lines.push(format!("= {}", names.join(" ")));
    }
    lines.join("\n")
}

fn entry(entry: &Entry, path: &TreePath, lines: &mut Vec<String>) {
    let attrs = format!("{:o} {}:{}", entry.attrs.mode, entry.attrs.uid, entry.attrs.gid);
    let names = entry.attrs.xattrs.iter().flat_map(|xattrs| xattrs.keys());
    let names: Vec<_> = names.map(|name| String::from_utf8_lossy(name)).collect();
    let xattrs = names.iter().map(|name| [" +", name].concat()).collect::<String>();
    let line = match &entry.node {
        Node::Dir(_, DirRole::Structural) => format!(". {path}"),
        Node::Dir(_, DirRole::Full) => format!("d {path} {attrs}{xattrs}"),
        Node::Dir(_, DirRole::Opaque) => format!("o {path} {attrs}{xattrs}"),
        Node::File { size, .. } => format!("f {path} {attrs} {size}{xattrs}"),
        Node::Symlink(target) => format!("l {path} {}", String::from_utf8_lossy(target)),
        Node::CharDevice(device) => format!("c {path} {attrs} {}:{}", device.major, device.minor),
        Node::BlockDevice(device) => format!("b {path} {attrs} {}:{}", device.major, device.minor),
        Node::Fifo => format!("p {path} {attrs}"),
        Node::Socket => format!("s {path} {attrs}"),
        Node::Whiteout => format!("- {path}"),
    };
    lines.push(line);
    for (name, below) in entry.node.as_dir().into_iter().flat_map(|dir| dir.entries()) {
        self::entry(below, &path.join(name), lines);
    }
}

/// A read set: path and kinds, without what every script needs. `xattrs` stands only where it says something: these trees
/// have none unless a test gives them some, and then every look-up implies it.
pub fn reads(set: &ReadSet) -> String {
    let lines = set.places().filter_map(|(place, told)| {
        let path = &place.path;
        let kinds: Vec<String> = told.answers.iter().filter_map(|(asked, _)| kind(asked)).collect();
        (!is_noise(path)).then(|| format!("{path} {}", kinds.join(" ")))
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn kind(kind: &Kind) -> Option<String> {
    Some(match kind {
        Kind::Absent => "absent".into(),
        Kind::Present => "present".into(),
        Kind::Xattrs => return None,
        Kind::Xattr(name) => String::from_utf8_lossy(name).into_owned(),
        Kind::Stat => "stat".into(),
        Kind::Target => "target".into(),
        Kind::Listing => "listing".into(),
        Kind::Content => "content".into(),
    })
}

/// The root directory, busybox's own files, and where its shell looks for programs.
fn is_noise(path: &TreePath) -> bool {
    let name = path.file_name().unwrap_or_default();
    let program = PROGRAMS.iter().any(|program| program.as_bytes() == name);
    path.is_root()
        || program
        || ["bin", "proc"]
            .iter()
            .any(|dir| path.starts_with(&super::path(dir)))
}
