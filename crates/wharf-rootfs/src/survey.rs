//! One walk over a tree before it is served: what the server may spare the kernel, and whether it can be served at all.

use wharf_tree::{Dir, Glimpse, Name, Tree, TreePath};

use crate::{
    inodes::{Inodes, PathHash},
    large::Large,
    owners::Owners,
    session::ServeError,
};

/// What is known of a whole tree.
#[derive(Debug)]
pub(crate) struct Survey {
    /// Inode numbers and link counts.
    pub(crate) inodes: Inodes,
    /// Whether any entry has an extended attribute. If not, the kernel is told once never to ask.
    pub(crate) xattrs: bool,
    /// Whether any entry has an access control list, which the kernel must then enforce.
    pub(crate) acls: bool,
    /// Where large files are.
    pub(crate) large: Large,
}

impl Survey {
    /// Walks `tree`. Fails when somebody owns a file whom the step's user namespace does not know: such files cannot even
    /// be removed there (`EOVERFLOW`). Files of at least `least` bytes are large.
    pub(crate) fn new(tree: &Tree, owners: &Owners, least: u64) -> Result<Self, ServeError> {
        let summary = tree.dir().summary();
        let mut walk = Walk {
            owners,
            hashes: Vec::with_capacity(summary.entries as usize),
            least,
            large: Large::default(),
        };
        walk.owner(tree.root.attrs.uid, tree.root.attrs.gid, TreePath::root)?;
        walk.dir(tree.dir(), PathHash::ROOT, &TreePath::root())?;
        Ok(Self {
            large: walk.large,
            inodes: Inodes::new(tree, walk.hashes),
            xattrs: summary.xattrs || tree.root.attrs.xattrs.is_some(),
            acls: summary.acls || tree.root.attrs.has_acl(),
        })
    }
}

struct Walk<'a> {
    owners: &'a Owners,
    hashes: Vec<u64>,
    least: u64,
    large: Large,
}

impl Walk<'_> {
    /// Whether there is a large file below.
    fn dir(&mut self, dir: &Dir, hash: PathHash, path: &TreePath) -> Result<bool, ServeError> {
        let mut large = false;
        dir.glimpse(&mut |Glimpse {
                              name,
                              uid,
                              gid,
                              size,
                              dir,
                          }| {
            let below = hash.join(name);
            self.hashes.push(below.number());
            let path = || path.join(&Name::new(name).expect("an entry has a name"));
            self.owner(uid, gid, path)?;
            large |= match dir {
                Some(dir) => self.dir(dir, below, &path())?,
                None => size.is_some_and(|size| size >= self.least),
            };
            Ok::<_, ServeError>(())
        })?;
        if large {
            self.large.add(hash);
        }
        Ok(large)
    }

    fn owner(&self, uid: u32, gid: u32, path: impl FnOnce() -> TreePath) -> Result<(), ServeError> {
        if self.owners.knows(uid, gid) {
            return Ok(());
        }
        Err(ServeError::UnmappedOwner {
            path: path(),
            uid,
            gid,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use wharf_tree::{Attrs, Entry, Mtime};

    use super::*;
    use crate::owners::IdRange;

    fn tree(attrs: Attrs) -> Tree {
        let child = Entry::dir(attrs, Mtime::default(), Dir::default());
        let entries = BTreeMap::from([(Name::new(b"d").unwrap(), child)]);
        Tree {
            root: Entry::dir(Attrs::root(0o755), Mtime::default(), Dir::new(entries)),
            links: Arc::default(),
        }
    }

    fn with_xattr(name: &[u8]) -> Attrs {
        let xattrs = BTreeMap::from([(name.to_vec(), Vec::new())]);
        Attrs {
            xattrs: Some(Arc::new(xattrs)),
            ..Attrs::root(0o755)
        }
    }

    #[test]
    fn sees_attributes() {
        for (attrs, xattrs, acls) in [
            (Attrs::root(0o755), false, false),
            (with_xattr(b"user.x"), true, false),
            (with_xattr(b"system.posix_acl_default"), true, true),
        ] {
            let survey = Survey::new(&tree(attrs), &Owners::Same, 1).unwrap();
            assert_eq!((survey.xattrs, survey.acls), (xattrs, acls));
        }
    }

    #[test]
    fn refuses_owners_without_a_mapping() {
        let ranges = vec![IdRange {
            inside: 0,
            outside: 1000,
            count: 10,
        }];
        let owners = Owners::Mapped {
            uids: ranges.clone(),
            gids: ranges,
        };
        let attrs = |gid| Attrs {
            gid,
            ..Attrs::root(0o755)
        };
        assert!(Survey::new(&tree(attrs(9)), &owners, 1).is_ok());
        let error = Survey::new(&tree(attrs(10)), &owners, 1).unwrap_err();
        assert!(error.to_string().starts_with("/d belongs to 0:10,"), "{error}");
    }
}
