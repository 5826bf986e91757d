//! Finding an entry by path as the kernel would, with symbolic links resolved inside the root.

use crate::{
    entry::Entry,
    path::{PathError, TreePath},
    tree::Tree,
};

/// What to do when the last component is a symbolic link. A trailing `/` follows it in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FollowLast {
    /// Follow it (`stat`, `open`).
    Yes,
    /// Take the link itself (`lstat`, `unlink`).
    No,
}

/// An entry that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup<'t> {
    /// The entry.
    pub entry: &'t Entry,
    /// Where it is, without a link on the way.
    pub path: TreePath,
}

/// What a look-up passed, in order. Paths are resolved: no component above the last is a link.
#[derive(Debug)]
pub enum Visit<'v> {
    /// A name that is there.
    Found(&'v TreePath, &'v Entry),
    /// A symbolic link (told as found before) that is followed: its target is used.
    Followed(&'v TreePath, &'v [u8]),
    /// A name that is not there.
    Missing(&'v TreePath),
}

/// Why there is no entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// ENOENT.
    #[error("{path} does not exist")]
    Missing {
        /// The first name that is missing, resolved.
        path: TreePath,
    },
    /// ENOTDIR.
    #[error("{path} is not a directory")]
    NotADirectory {
        /// What should have been a directory, resolved.
        path: TreePath,
    },
    /// ELOOP: more than 40 links, as in Linux.
    #[error("too many symbolic links at {path}")]
    TooManyLinks {
        /// The link that was one too many.
        path: TreePath,
    },
    /// ENAMETOOLONG or a NUL.
    #[error(transparent)]
    Name(#[from] PathError),
}

/// Where a path leads when what is missing is taken to be made later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved<'t> {
    /// The path without links.
    pub path: TreePath,
    /// What is there.
    pub entry: Option<&'t Entry>,
}

impl Tree {
    /// Finds `path` (relative to the root; a leading `/` is ignored).
    pub fn lookup(&self, path: impl AsRef<[u8]>, last: FollowLast) -> Result<Lookup<'_>, LookupError> {
        self.lookup_visiting(path, last, &mut |_| {})
    }

    /// [`Tree::lookup`] that tells `visit` every component, hop and miss.
    pub fn lookup_visiting(
        &self,
        path: impl AsRef<[u8]>,
        last: FollowLast,
        visit: &mut dyn FnMut(Visit<'_>),
    ) -> Result<Lookup<'_>, LookupError> {
        let _ = (path.as_ref(), last, visit);
        unimplemented!()
    }

    /// Resolves the links of `path`, the last component's too, where missing components stand for themselves.
    pub fn resolve(&self, path: impl AsRef<[u8]>) -> Result<Resolved<'_>, LookupError> {
        let _ = path.as_ref();
        unimplemented!()
    }

    /// The entry at exactly this path; no link is followed.
    pub fn get(&self, path: &TreePath) -> Option<&Entry> {
        let _ = path;
        unimplemented!()
    }
}
