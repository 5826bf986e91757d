//! From what the configure step wrote to the base's second layer.
//!
//! Without a helper that is everything but what a machine's first boot or apt's next run makes anew (mmdebstrap's
//! `run_cleanup`). With one, a path is the base's when its packages ship it or when a script made it where neither the
//! base nor the helper had anything; accounts are kept whoever's file they stand in, since files may belong to them.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::Arc,
};

use wharf_tree::{
    Attrs, BlobRead, BlobSink, Dir, DirRole, Entry, FollowLast, Layer, Mtime, Name, Node, Tree, TreeBuilder,
    TreePath, diff, merge,
};

use super::{database::ADMIN, status};
use crate::apt::stanza::{Stanza, stanzas};

/// What a configure step worked on and what it wrote.
#[derive(Debug, Clone, Copy)]
pub struct Configured<'a> {
    /// The packages' files.
    pub unpacked: &'a Tree,
    /// The packages' files and their database.
    pub base: &'a Tree,
    /// What lay below the base, if anything did.
    pub helper: Option<&'a Tree>,
    /// What the step ran on.
    pub root: &'a Tree,
    /// What it wrote.
    pub upper: &'a Layer,
    /// The base's packages: name and architecture.
    pub packages: &'a BTreeSet<(String, String)>,
}

/// Removed from every base: logs, caches and identities that are made anew.
const RESIDUE: &[&str] = &[
    "var/log/dpkg.log",
    "var/log/apt/history.log",
    "var/log/apt/term.log",
    "var/log/apt/eipp.log.xz",
    "var/log/alternatives.log",
    "var/log/bootstrap.log",
    "var/cache/ldconfig/aux-cache",
    "var/cache/apt/pkgcache.bin",
    "var/cache/apt/srcpkgcache.bin",
    "var/lib/dbus/machine-id",
];

/// Directories whose content is removed, but for what they must have.
const EMPTIED: &[(&str, &[&str])] = &[("run", &["lock"]), ("tmp", &[])];

/// Kept of a helper's files when scripts changed them.
const ACCOUNTS: &[&str] = &[
    "etc/passwd",
    "etc/group",
    "etc/shadow",
    "etc/gshadow",
    "etc/subuid",
    "etc/subgid",
];

/// The base's second layer: over its unpacked files.
pub fn finish(
    configured: &Configured<'_>,
    blobs: &dyn BlobRead,
    sink: &mut dyn BlobSink,
) -> io::Result<Layer> {
    let result = merge(configured.root, configured.upper);
    let kept = prune(configured, &result);
    let mut builder = TreeBuilder::from_tree(&kept);
    clean(&mut builder, &kept, sink)?;
    if configured.helper.is_some() {
        own_database(&mut builder, configured, &result, blobs, sink)?;
        add_alternatives(&mut builder, &kept, &result, blobs)?;
    }
    Ok(diff(configured.unpacked, &builder.finish()))
}

/// The same path in all trees.
#[derive(Clone, Copy)]
struct Place<'t> {
    result: &'t Entry,
    base: Option<&'t Entry>,
    helper: Option<&'t Entry>,
    upper: Option<&'t Entry>,
}

/// What of the result is the base's, decided path by path.
fn prune(configured: &Configured<'_>, result: &Tree) -> Tree {
    let Some(helper) = configured.helper else {
        return result.clone();
    };
    let place = Place {
        result: &result.root,
        base: Some(&configured.base.root),
        helper: Some(&helper.root),
        upper: Some(&configured.upper.root),
    };
    let root = prune_entry(place, &TreePath::root()).unwrap_or_else(|| Tree::empty().root);
    let kept = Tree {
        root,
        links: Arc::default(),
    };
    let links = result.links.retain(|path| kept.get(path).is_some());
    Tree {
        links: Arc::new(links),
        ..kept
    }
}

fn prune_entry(place: Place<'_>, path: &TreePath) -> Option<Entry> {
    let own = place.base.is_some() || (place.touched() && (place.helper.is_none() || is_account(path)));
    let Some(dir) = place.result.node.as_dir() else {
        return own.then(|| place.result.clone());
    };
    let child = |(name, entry): (&Name, &Entry)| {
        let below = prune_entry(place.child(name, entry), &path.join(name))?;
        Some((name.clone(), below))
    };
    let children: BTreeMap<Name, Entry> = dir.entries().iter().filter_map(child).collect();
    (own || !children.is_empty()).then(|| Entry {
        node: Node::Dir(Arc::new(Dir::new(children)), DirRole::Full),
        ..place.result.clone()
    })
}

impl<'t> Place<'t> {
    fn child(self, name: &Name, result: &'t Entry) -> Self {
        let below = |entry: Option<&'t Entry>| entry?.node.as_dir()?.get(name.as_bytes());
        Self {
            result,
            base: below(self.base),
            helper: below(self.helper),
            upper: below(self.upper),
        }
    }

    /// Whether the step made or changed it; a directory that it only passed through is not changed.
    fn touched(self) -> bool {
        self.upper
            .is_some_and(|entry| !matches!(entry.node, Node::Dir(_, DirRole::Structural)))
    }
}

fn is_account(path: &TreePath) -> bool {
    ACCOUNTS
        .iter()
        .any(|account| path.as_bytes() == account.as_bytes())
}

fn clean(builder: &mut TreeBuilder, tree: &Tree, sink: &mut dyn BlobSink) -> io::Result<()> {
    for path in RESIDUE {
        builder.remove(&constant(path));
    }
    for (folder, needed) in EMPTIED {
        let folder = constant(folder);
        let names = tree
            .get(&folder)
            .and_then(|entry| entry.node.as_dir())
            .map(|dir| dir.entries().keys());
        for name in names.into_iter().flatten() {
            if !needed.iter().any(|one| one.as_bytes() == name.as_bytes()) {
                builder.remove(&folder.join(name));
            }
        }
    }
    let machine_id = constant("etc/machine-id");
    if tree.get(&machine_id).is_some() {
        put(builder, &machine_id, 0o644, "", sink)?;
    }
    Ok(())
}

/// The database shows the base's packages alone.
fn own_database(
    builder: &mut TreeBuilder,
    configured: &Configured<'_>,
    result: &Tree,
    blobs: &dyn BlobRead,
    sink: &mut dyn BlobSink,
) -> io::Result<()> {
    let path = constant(&format!("{ADMIN}/status"));
    let all = read_text(result, &path, blobs)?.unwrap_or_default();
    let is_own = |name: &str, architecture: &str| {
        configured
            .packages
            .contains(&(name.to_owned(), architecture.to_owned()))
    };
    put(builder, &path, 0o644, &status::filter(&all, is_own), sink)?;
    builder.remove(&constant(&format!("{ADMIN}/status-old")));
    let triggers = constant(&format!("{ADMIN}/triggers"));
    builder.remove(&triggers);
    if let Some(entry) = configured.base.get(&triggers) {
        builder
            .insert(&triggers, entry.clone())
            .expect("the database's directory is a directory");
    }
    Ok(())
}

/// An alternative that a script registered has links that the helper may have had already: they belong to it.
fn add_alternatives(
    builder: &mut TreeBuilder,
    kept: &Tree,
    result: &Tree,
    blobs: &dyn BlobRead,
) -> io::Result<()> {
    let folder = constant(&format!("{ADMIN}/alternatives"));
    let Some(dir) = kept.get(&folder).and_then(|entry| entry.node.as_dir()) else {
        return Ok(());
    };
    for name in dir.entries().keys() {
        let text = read_text(kept, &folder.join(name), blobs)?.unwrap_or_default();
        for link in alternative_links(&name.to_string(), &text) {
            let Ok(path) = TreePath::new(&link) else { continue };
            let Ok(found) = result.lookup(path.parent().unwrap_or_default().as_bytes(), FollowLast::Yes)
            else {
                continue;
            };
            let real = path
                .file_name()
                .and_then(|last| Some(found.path.join(&Name::new(last).ok()?)));
            let Some(real) = real else { continue };
            if let Some(entry) = result
                .get(&real)
                .filter(|entry| matches!(entry.node, Node::Symlink(_)))
            {
                builder.insert(&real, entry.clone()).map_err(io::Error::other)?;
            }
        }
    }
    Ok(())
}

/// The links of one alternative: update-alternatives(1), "FILES". Status, master's link, then name and link of each slave
/// up to an empty line.
fn alternative_links(name: &str, text: &str) -> Vec<String> {
    let mut lines = text.lines().skip(1);
    let mut links = vec![format!("/etc/alternatives/{name}")];
    links.extend(lines.next().map(str::to_owned));
    while let (Some(slave), Some(link)) = (lines.next().filter(|line| !line.is_empty()), lines.next()) {
        links.push(format!("/etc/alternatives/{slave}"));
        links.push(link.to_owned());
    }
    links
}

fn put(
    builder: &mut TreeBuilder,
    path: &TreePath,
    mode: u16,
    content: &str,
    sink: &mut dyn BlobSink,
) -> io::Result<()> {
    let size = content.len() as u64;
    let digest = sink.put(&mut content.as_bytes(), size)?;
    let entry = Entry {
        attrs: Attrs::root(mode),
        mtime: Mtime::default(),
        node: Node::File { digest, size },
    };
    builder.insert(path, entry).map_err(io::Error::other)
}

/// The packages of a base's database: name and architecture.
pub(super) fn packages_of(base: &Tree, blobs: &dyn BlobRead) -> io::Result<BTreeSet<(String, String)>> {
    let text = read_text(base, &constant(&format!("{ADMIN}/status")), blobs)?.unwrap_or_default();
    let field = |stanza: Stanza<'_>, name| stanza.get(name).unwrap_or_default().to_owned();
    Ok(stanzas(&text)
        .map(|stanza| (field(stanza, "Package"), field(stanza, "Architecture")))
        .collect())
}

/// The text of a file of a tree; `None` when there is no such file.
pub(super) fn read_text(tree: &Tree, path: &TreePath, blobs: &dyn BlobRead) -> io::Result<Option<String>> {
    let Some(Node::File { digest, .. }) = tree.get(path).map(|entry| &entry.node) else {
        return Ok(None);
    };
    io::read_to_string(blobs.open(digest)?).map(Some)
}

pub(super) fn constant(path: &str) -> TreePath {
    TreePath::new(path).expect("a constant path is a proper path")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_alternatives() {
        let text = "auto\n/usr/bin/awk\nawk.1.gz\n/usr/share/man/man1/awk.1.gz\n\n/usr/bin/mawk\n5\n\n";
        assert_eq!(
            alternative_links("awk", text),
            [
                "/etc/alternatives/awk",
                "/usr/bin/awk",
                "/etc/alternatives/awk.1.gz",
                "/usr/share/man/man1/awk.1.gz",
            ]
        );
        assert_eq!(alternative_links("x", ""), ["/etc/alternatives/x"]);
    }
}
