//! Changing the directories below an entry in place: the part that both builders share.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    build::BuildError,
    dir::DirRole,
    entry::{Attrs, Entry, Mtime, Node},
    links::HardLinks,
    pack::MAX_HEIGHT,
    path::{Name, PATH_MAX, TreePath},
};

/// A root that is being changed, and its hard links.
#[derive(Debug, Clone)]
pub(crate) struct Editor {
    pub(crate) root: Entry,
    links: LinkTable,
    /// The role of directories that are made because something lies below them.
    implied: DirRole,
}

/// The entries of a directory, and the name of one of them.
type Place<'e, 'p> = (&'e mut BTreeMap<Name, Entry>, &'p [u8]);

impl Editor {
    pub(crate) fn new(root: &Entry, links: &HardLinks, implied: DirRole) -> Self {
        Self {
            root: root.clone(),
            links: LinkTable::new(links),
            implied,
        }
    }

    pub(crate) fn links(&self) -> HardLinks {
        self.links.groups()
    }

    /// Puts `entry` at `path`. A directory on a directory replaces its attributes and adds its children; on a whiteout
    /// it is opaque. Anything else replaces what was there.
    pub(crate) fn insert(&mut self, path: &TreePath, entry: Entry) -> Result<(), BuildError> {
        check_size(path, &entry)?;
        let linked = !self.links.is_empty();
        let detached = linked.then(|| entry.clone());
        match self.place(path)? {
            None if entry.node.is_dir() => put_on(&mut self.root, entry),
            None => return Err(BuildError::Root),
            Some((siblings, name)) => match siblings.get_mut(name) {
                Some(old) if merges(old, &entry) => put_on(old, entry),
                Some(old) => *old = entry,
                None => drop(siblings.insert(known(name), entry)),
            },
        }
        if let Some(entry) = detached {
            self.links.detach(path, &entry);
        }
        Ok(())
    }

    pub(crate) fn hard_link(&mut self, existing: &TreePath, new: &TreePath) -> Result<(), BuildError> {
        let target = self
            .root
            .below(existing)
            .filter(|entry| crate::links::linkable(entry));
        let entry = target.cloned().ok_or_else(|| BuildError::NotLinkable {
            path: existing.clone(),
        })?;
        if existing == new {
            return Ok(());
        }
        self.insert(new, entry)?;
        if self.root.below(existing).is_none() {
            return Err(BuildError::NotLinkable {
                path: existing.clone(),
            });
        }
        self.links.join(existing, new);
        Ok(())
    }

    /// Makes two files that are there names of one.
    pub(crate) fn join_links(&mut self, existing: &TreePath, new: &TreePath) {
        self.links.join(existing, new);
    }

    /// Takes the files that `entry`, which was put at `path` by other means, has replaced out of their groups.
    pub(crate) fn detach_links(&mut self, path: &TreePath, entry: &Entry) {
        self.links.detach(path, entry);
    }

    /// Takes out what is at `path` and below; `None` when nothing was.
    pub(crate) fn remove(&mut self, path: &TreePath) -> Option<Entry> {
        self.root.below(path)?;
        let (siblings, name) = self.place(path).ok()??;
        let removed = siblings.remove(name);
        self.links.detach(path, &Entry::whiteout());
        removed
    }

    /// The directory at `path` for changing; made, with its parents, when it is missing.
    pub(crate) fn dir(&mut self, path: &TreePath) -> Result<&mut Entry, BuildError> {
        let implied = self.implied;
        let mut entry = &mut self.root;
        for (depth, name) in path.components().enumerate() {
            let Node::Dir(dir, _) = &mut entry.node else {
                return Err(not_a_directory(path, depth));
            };
            let siblings = Arc::make_mut(dir).entries_mut();
            if !siblings.contains_key(name) {
                siblings.insert(known(name), implied_dir(implied));
            }
            entry = siblings.get_mut(name).expect("just made");
            if entry.node == Node::Whiteout {
                *entry = implied_dir(DirRole::Opaque);
            }
        }
        match entry.node {
            Node::Dir(..) => Ok(entry),
            _ => Err(not_a_directory(path, usize::MAX)),
        }
    }

    /// Where `path` is or will be: the entries of its parent, and its name. `None` for the root.
    fn place<'p>(&mut self, path: &'p TreePath) -> Result<Option<Place<'_, 'p>>, BuildError> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Ok(None);
        };
        match &mut self.dir(&parent)?.node {
            Node::Dir(dir, _) => Ok(Some((Arc::make_mut(dir).entries_mut(), name))),
            _ => Err(BuildError::NotADirectory { path: parent }),
        }
    }
}

fn implied_dir(role: DirRole) -> Entry {
    let attrs = match role {
        DirRole::Structural => Attrs::default(),
        DirRole::Full | DirRole::Opaque => Attrs::root(0o755),
    };
    Entry {
        attrs,
        mtime: Mtime::default(),
        node: Node::Dir(Arc::default(), role),
    }
}

/// Whether `new` adds to `old` and does not replace it.
fn merges(old: &Entry, new: &Entry) -> bool {
    new.node.is_dir() && (old.node.is_dir() || old.node == Node::Whiteout)
}

/// Puts the directory `new` on `old`, a directory or a whiteout.
fn put_on(old: &mut Entry, new: Entry) {
    let Node::Dir(new_dir, new_role) = new.node else {
        unreachable!("called for directories");
    };
    if old.node == Node::Whiteout {
        *old = implied_dir(DirRole::Opaque);
    }
    let Node::Dir(dir, role) = &mut old.node else {
        unreachable!("called on directories");
    };
    if new_role != DirRole::Structural {
        (old.attrs, old.mtime) = (new.attrs, new.mtime);
        *role = if *role == DirRole::Opaque { *role } else { new_role };
    }
    if dir.entries().is_empty() {
        *dir = new_dir;
        return;
    }
    let children = Arc::make_mut(dir).entries_mut();
    for (name, child) in new_dir.entries() {
        match children.get_mut(name) {
            Some(old) if merges(old, child) => put_on(old, child.clone()),
            _ => drop(children.insert(name.clone(), child.clone())),
        }
    }
}

fn check_size(path: &TreePath, entry: &Entry) -> Result<(), BuildError> {
    let length = path.as_bytes().len();
    let below = entry.node.as_dir().map_or(0, |dir| dir.summary().height);
    if length > PATH_MAX || path.components().count() as u32 + below > MAX_HEIGHT - 1 {
        return Err(BuildError::TooLong { length });
    }
    Ok(())
}

fn known(name: &[u8]) -> Name {
    Name::new(name).expect("a component of a path is a name")
}

fn not_a_directory(path: &TreePath, depth: usize) -> BuildError {
    let components: Vec<_> = path.components().take(depth).collect();
    let path = TreePath::new(components.join(&b'/')).expect("a part of a path is one");
    BuildError::NotADirectory { path }
}

/// Whether a file at `path` below the place of `entry` is no longer there once `entry` is.
fn replaces(entry: &Entry, path: &TreePath) -> bool {
    let mut entry = entry;
    for name in path.components() {
        match entry.node.as_dir().map(|dir| dir.get(name)) {
            Some(Some(next)) => entry = next,
            Some(None) => return false,
            None => return true,
        }
    }
    true
}

/// Paths by group; a path that is replaced leaves its group.
#[derive(Debug, Clone, Default)]
struct LinkTable {
    groups: BTreeMap<TreePath, usize>,
    next: usize,
}

impl LinkTable {
    fn new(links: &HardLinks) -> Self {
        let groups = links.index().into_iter();
        Self {
            groups: groups.map(|(path, group)| (path.clone(), group)).collect(),
            next: links.0.len(),
        }
    }

    fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    fn join(&mut self, existing: &TreePath, new: &TreePath) {
        let group = *self.groups.entry(existing.clone()).or_insert(self.next);
        self.next = self.next.max(group + 1);
        self.groups.insert(new.clone(), group);
    }

    /// Forgets the paths at and below `path` that `entry`, put there, replaces.
    fn detach(&mut self, path: &TreePath, entry: &Entry) {
        let replaced = |linked: &TreePath| {
            linked
                .strip_prefix(path)
                .is_some_and(|rest| replaces(entry, &rest))
        };
        self.groups.retain(|linked, _| !replaced(linked));
    }

    fn groups(&self) -> HardLinks {
        let mut groups = BTreeMap::<_, Vec<_>>::new();
        for (path, group) in &self.groups {
            groups.entry(group).or_default().push(path.clone());
        }
        HardLinks::new(groups.into_values())
    }
}
