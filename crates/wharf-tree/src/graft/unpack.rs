//! ADD of an archive: unpacked as Docker's archive library does it.

use std::collections::BTreeMap;

use super::{Graft, GraftError, Made};
use crate::{
    dir::DirRole,
    entry::{Attrs, Entry, Node},
    lookup,
    path::TreePath,
    tree::Layer,
};

impl Graft {
    /// Unpacks `archive` (from [`crate::tar::import_archive`]) into the directory `dest`, which is made when missing, all
    /// of it owned by `owner` if that is given.
    ///
    /// Directories that the archive lists take its attributes; those that it only implies stay as they are, a link to one
    /// inside `dest` too, or are made 0:0 with mode 0755. All else replaces what is there, a file a whole directory.
    /// The attributes of the archive's own root are ignored.
    pub fn unpack(
        &mut self,
        archive: &Layer,
        dest: &[u8],
        owner: Option<(u32, u32)>,
    ) -> Result<(), GraftError> {
        let dest = TreePath::new(dest)?;
        self.make_dirs(
            &dest,
            Made {
                owner,
                ..Made::default()
            },
        )?;
        let mut unpacking = Unpacking {
            dest: self.resolve(&dest)?,
            owner,
            linked: archive
                .links
                .0
                .iter()
                .flatten()
                .map(|path| (path, None))
                .collect(),
            graft: self,
        };
        unpacking.entries(&archive.root, &mut TreePath::root(), &TreePath::root())?;
        for group in &archive.links.0 {
            unpacking.relink(archive, group);
        }
        Ok(())
    }
}

struct Unpacking<'g, 'a> {
    graft: &'g mut Graft,
    dest: TreePath,
    owner: Option<(u32, u32)>,
    /// Where hard-linked members of the archive have come to be.
    linked: BTreeMap<&'a TreePath, Option<TreePath>>,
}

impl Unpacking<'_, '_> {
    /// Unpacks what `dir` holds. `path` is its path in the archive, `place` where it is below `dest`.
    fn entries(&mut self, dir: &Entry, path: &mut TreePath, place: &TreePath) -> Result<(), GraftError> {
        for (name, entry) in dir.node.as_dir().into_iter().flat_map(|dir| dir.entries()) {
            path.push(name);
            self.entry(entry, path, &place.join(name))?;
            path.pop();
        }
        Ok(())
    }

    fn entry(&mut self, entry: &Entry, path: &mut TreePath, place: &TreePath) -> Result<(), GraftError> {
        let whole = self.dest.join_path(place);
        match &entry.node {
            Node::Dir(_, DirRole::Structural) => {
                let place = self.implied(place)?;
                self.entries(entry, path, &place)
            }
            Node::Dir(_, role) => {
                if !self.graft.is_dir(&whole) {
                    self.graft.work.remove(&whole);
                }
                let listed = Entry {
                    node: Node::Dir(std::sync::Arc::default(), *role),
                    ..self.owned(entry)
                };
                self.graft.work.insert(&whole, listed)?;
                self.entries(entry, path, place)
            }
            _ => {
                self.graft.work.insert(&whole, self.owned(entry))?;
                if let Some(placed) = self.linked.get_mut(path) {
                    *placed = Some(whole);
                }
                Ok(())
            }
        }
    }

    /// Where an implied directory is, with links inside `dest` resolved; made when it is missing.
    fn implied(&mut self, place: &TreePath) -> Result<TreePath, GraftError> {
        let dest = self.graft.work.root.below(&self.dest);
        let dest = dest.ok_or_else(|| GraftError::NotADirectory {
            path: self.dest.clone(),
        })?;
        let resolved = lookup::resolve(dest, place.as_bytes())
            .map_err(GraftError::Destination)?
            .path;
        let whole = self.dest.join_path(&resolved);
        match self
            .graft
            .work
            .root
            .below(&whole)
            .map(|entry| entry.node.is_dir())
        {
            Some(true) => {}
            Some(false) => return Err(GraftError::NotADirectory { path: whole }),
            None => {
                let made = Entry::dir(Attrs::root(0o755), self.graft.created, crate::Dir::default());
                self.graft.work.insert(&whole, made)?;
            }
        }
        Ok(resolved)
    }

    /// Makes a group of the archive one file again, without members that others, come to the same place through a link,
    /// have replaced.
    fn relink(&mut self, archive: &Layer, group: &[TreePath]) {
        let whole = archive.root.below(&group[0]).map(|entry| self.owned(entry));
        let work = &mut self.graft.work;
        let placed = group.iter().filter_map(|path| self.linked.get(path)?.as_ref());
        let placed: Vec<_> = placed
            .filter(|path| work.root.below(path) == whole.as_ref())
            .collect();
        placed
            .windows(2)
            .for_each(|pair| work.join_links(pair[0], pair[1]));
    }

    fn owned(&self, entry: &Entry) -> Entry {
        let mut entry = entry.clone();
        if let Some((uid, gid)) = self.owner {
            (entry.attrs.uid, entry.attrs.gid) = (uid, gid);
        }
        entry
    }
}
