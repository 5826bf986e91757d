//! What of a source directory is copied, with its new attributes.

use std::sync::Arc;

use super::CopyOptions;
use crate::{
    dir::{Dir, DirRole},
    entry::{Entry, Node},
    path::TreePath,
};

/// The entries of `dir` that are meant. A directory that is not, but holds something that is, is [`DirRole::Structural`]
/// and has its attributes nevertheless: they count where it has to be made.
pub(super) fn children(dir: &Arc<Dir>, options: &CopyOptions<'_>) -> Arc<Dir> {
    if options.keeps_all() {
        return Arc::clone(dir);
    }
    below(dir, options, &mut TreePath::root())
}

/// The entry with the owner and mode that were asked for.
pub(super) fn changed(entry: &Entry, options: &CopyOptions<'_>) -> Entry {
    let mut entry = entry.clone();
    if let Some((uid, gid)) = options.owner {
        (entry.attrs.uid, entry.attrs.gid) = (uid, gid);
    }
    if let Some(mode) = options
        .mode
        .as_ref()
        .filter(|_| !matches!(entry.node, Node::Symlink(_)))
    {
        entry.attrs.mode = mode.apply(entry.attrs.mode, entry.node.is_dir());
    }
    entry
}

impl CopyOptions<'_> {
    fn keeps_all(&self) -> bool {
        self.owner.is_none() && self.mode.is_none() && self.include.is_none() && self.exclude.is_none()
    }

    fn means(&self, path: &TreePath, is_dir: bool) -> bool {
        self.include.is_none_or(|include| include(path, is_dir))
            && !self.exclude.is_some_and(|exclude| exclude(path, is_dir))
    }
}

fn below(dir: &Dir, options: &CopyOptions<'_>, path: &mut TreePath) -> Arc<Dir> {
    let mut entries = std::collections::BTreeMap::new();
    for (name, entry) in dir.entries() {
        path.push(name);
        if let Some(entry) = selected(entry, options, path) {
            entries.insert(name.clone(), entry);
        }
        path.pop();
    }
    Arc::new(Dir::new(entries))
}

fn selected(entry: &Entry, options: &CopyOptions<'_>, path: &mut TreePath) -> Option<Entry> {
    let meant = options.means(path, entry.node.is_dir());
    let Node::Dir(dir, _) = &entry.node else {
        return meant.then(|| changed(entry, options));
    };
    let dir = below(dir, options, path);
    let role = if meant { DirRole::Full } else { DirRole::Structural };
    let needed = meant || !dir.entries().is_empty();
    needed.then(|| Entry {
        node: Node::Dir(dir, role),
        ..changed(entry, options)
    })
}
