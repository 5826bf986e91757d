//! The helper: a configured base of the essential packages that lends its programs to scripts of a base that lacks them.
//!
//! Of its own configuration only what programs need to run is shown (accounts, links of alternatives, the loader's cache):
//! scripts of packages that base and helper share must find their work undone, or they would leave it out of the base.

use std::{collections::BTreeSet, io, sync::Arc};

use wharf_tree::{BlobRead, BlobSink, Dir, DirRole, Entry, Layer, Name, Node, Tree, TreePath};

use super::{
    database::{ADMIN, Writer},
    finish::{constant, read_text},
    status,
};

/// Configuration that is shown besides the packages' own files.
const SHOWN: &[&str] = &["etc/ld.so.cache", "etc/alternatives"];

/// Accounts: shown unless the base makes its own.
const ACCOUNTS: &[&str] = &["etc/passwd", "etc/group", "etc/shadow", "etc/gshadow"];

/// The helper as it lies below a base. `unpacked` are its packages' files, `finished` all of it.
pub fn below(unpacked: &Tree, finished: &Tree, has_base_passwd: bool) -> Tree {
    let shown = |path: &TreePath, entry: &Entry| {
        let is = |list: &[&str]| list.iter().any(|one| path.starts_with(&constant(one)));
        is(SHOWN) || is_alternative(entry) || (is(ACCOUNTS) && !has_base_passwd) || is_database(path)
    };
    let root = select(&finished.root, Some(&unpacked.root), &TreePath::root(), &shown);
    let root = root.unwrap_or_else(|| Tree::empty().root);
    let tree = Tree {
        root,
        links: Arc::default(),
    };
    let links = finished.links.retain(|path| tree.get(path).is_some());
    Tree {
        links: Arc::new(links),
        ..tree
    }
}

fn is_alternative(entry: &Entry) -> bool {
    matches!(&entry.node, Node::Symlink(target) if target.starts_with(b"/etc/alternatives/"))
}

/// Not the alternatives that are registered, nor diversions: they would be extended instead of made.
fn is_database(path: &TreePath) -> bool {
    let Some(inside) = path.strip_prefix(&constant(ADMIN)) else {
        return false;
    };
    [&b"info"[..], b"status", b"arch", b"triggers", b"diversions"]
        .iter()
        .any(|name| inside.components().next() == Some(name))
}

fn select(
    entry: &Entry,
    unpacked: Option<&Entry>,
    path: &TreePath,
    shown: &dyn Fn(&TreePath, &Entry) -> bool,
) -> Option<Entry> {
    let keep = unpacked.is_some() || shown(path, entry);
    let Some(dir) = entry.node.as_dir() else {
        return keep.then(|| entry.clone());
    };
    let below = |name: &Name| unpacked?.node.as_dir()?.get(name.as_bytes());
    let children: std::collections::BTreeMap<_, _> = dir
        .entries()
        .iter()
        .filter_map(|(name, child)| {
            Some((name.clone(), select(child, below(name), &path.join(name), shown)?))
        })
        .collect();
    let node = Node::Dir(Arc::new(Dir::new(children)), DirRole::Full);
    let empty = node.as_dir().is_some_and(|dir| dir.entries().is_empty());
    (keep || !empty).then(|| Entry {
        node,
        ..entry.clone()
    })
}

/// The database for the configure step: the helper's packages as they are, but for those that the base has too, and the
/// base's own, still unpacked.
pub fn joint_database(
    helper: &Tree,
    base: &Tree,
    packages: &BTreeSet<(String, String)>,
    blobs: &dyn BlobRead,
    sink: &mut dyn BlobSink,
) -> io::Result<Layer> {
    let mut writer = Writer::new(sink);
    let status = |tree: &Tree| read_text(tree, &constant(&format!("{ADMIN}/status")), blobs);
    let foreign = status::filter(&status(helper)?.unwrap_or_default(), |name, architecture| {
        !packages.contains(&(name.to_owned(), architecture.to_owned()))
    });
    let own = status(base)?.unwrap_or_default();
    writer.file(&format!("{ADMIN}/status"), 0o644, &format!("{foreign}{own}"))?;
    let folder = constant(&format!("{ADMIN}/triggers"));
    for name in names(helper, &folder).union(&names(base, &folder)) {
        let path = folder.join(name);
        let text = |tree: &Tree| Ok::<_, io::Error>(read_text(tree, &path, blobs)?.unwrap_or_default());
        let joint = unique_lines(&format!("{}{}", text(helper)?, text(base)?));
        writer.file(&String::from_utf8_lossy(path.as_bytes()), 0o644, &joint)?;
    }
    Ok(writer.finish())
}

fn names(tree: &Tree, folder: &TreePath) -> BTreeSet<Name> {
    let dir = tree.get(folder).and_then(|entry| entry.node.as_dir());
    dir.map(|dir| dir.entries().keys().cloned().collect())
        .unwrap_or_default()
}

fn unique_lines(text: &str) -> String {
    let mut seen = BTreeSet::new();
    let lines = text.lines().filter(|line| seen.insert(*line));
    lines.flat_map(|line| [line, "\n"]).collect()
}
