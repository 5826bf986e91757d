//! Putting copied directories on existing ones.

use std::sync::Arc;

use super::GraftError;
use crate::{
    dir::{Dir, DirRole},
    entry::{Attrs, Entry, Node, Xattrs},
    path::TreePath,
};

/// Puts the contents of the directory `copied` into the directory `existing`, which is at `path` and keeps its
/// attributes.
pub(super) fn contents(existing: &mut Entry, copied: &Entry, path: &mut TreePath) -> Result<(), GraftError> {
    let (Node::Dir(existing, _), Node::Dir(copied, _)) = (&mut existing.node, &copied.node) else {
        return Err(GraftError::NotADirectory { path: path.clone() });
    };
    if existing.entries().is_empty() {
        *existing = whole(copied);
        return Ok(());
    }
    if Arc::ptr_eq(existing, copied) {
        return Ok(());
    }
    let entries = Arc::make_mut(existing).entries_mut();
    for (name, new) in copied.entries() {
        path.push(name);
        match entries.get_mut(name) {
            Some(old) => entry(old, new, path)?,
            None => drop(entries.insert(name.clone(), complete(new))),
        }
        path.pop();
    }
    Ok(())
}

fn entry(old: &mut Entry, new: &Entry, path: &mut TreePath) -> Result<(), GraftError> {
    match (&new.node, old.node.is_dir()) {
        (Node::Dir(_, role), true) => {
            // A directory that was not meant itself gives no more than its mode to one that is there.
            if *role == DirRole::Structural {
                old.attrs.mode = new.attrs.mode;
            } else {
                (old.attrs, old.mtime) = (over(&old.attrs, &new.attrs), new.mtime);
            }
            contents(old, new, path)
        }
        (Node::Dir(..), false) => Err(GraftError::NotADirectory { path: path.clone() }),
        (_, true) => Err(GraftError::IsADirectory { path: path.clone() }),
        (_, false) => {
            *old = new.clone();
            Ok(())
        }
    }
}

/// The new attributes; extended ones that only the old had stay.
fn over(old: &Attrs, new: &Attrs) -> Attrs {
    let xattrs = match (&old.xattrs, &new.xattrs) {
        (Some(old), Some(new)) => {
            let both = old
                .iter()
                .chain(new.iter())
                .map(|(name, value)| (name.clone(), value.clone()));
            Some(Arc::new(both.collect::<Xattrs>()))
        }
        (old, new) => new.clone().or_else(|| old.clone()),
    };
    Attrs {
        xattrs,
        ..new.clone()
    }
}

/// What is selected, where nothing is yet.
fn complete(entry: &Entry) -> Entry {
    match &entry.node {
        Node::Dir(dir, _) => Entry {
            node: Node::Dir(whole(dir), DirRole::Full),
            ..entry.clone()
        },
        _ => entry.clone(),
    }
}

fn whole(dir: &Arc<Dir>) -> Arc<Dir> {
    if !dir.summary().partial {
        return Arc::clone(dir);
    }
    let entries = dir
        .entries()
        .iter()
        .map(|(name, entry)| (name.clone(), complete(entry)));
    Arc::new(Dir::new(entries.collect()))
}
