//! Layers of COPY, ADD and WORKDIR: parts of one tree put into another, as BuildKit's file operations and their library
//! `fsutil/copy` do it. Nothing is mounted and no content is read.

mod place;
mod select;
mod unpack;

use std::sync::Arc;

use crate::{
    build::BuildError,
    diff::diff,
    dir::{Dir, DirRole},
    edit::Editor,
    entry::{Attrs, Entry, Mtime, Node},
    links::HardLinks,
    lookup::{self, FollowLast, LookupError},
    mode::ModeChange,
    path::{PathError, TreePath},
    tree::{Layer, Tree},
};

/// Why something could not be copied or made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GraftError {
    /// The source cannot be found.
    #[error(transparent)]
    Source(LookupError),
    /// The destination leads nowhere: through a file, or round in links.
    #[error("the destination leads nowhere")]
    Destination(#[source] LookupError),
    /// A path with a name that no file can have.
    #[error(transparent)]
    Name(#[from] PathError),
    /// A directory would have to be where something else is.
    #[error("{path} is not a directory")]
    NotADirectory {
        /// What is in the way.
        path: TreePath,
    },
    /// A file would have to be where a directory is.
    #[error("{path} is a directory and cannot be replaced with a file")]
    IsADirectory {
        /// The directory.
        path: TreePath,
    },
    /// The destination is too long.
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// Whether a path below a copied directory is meant; told whether it is a directory. A pattern that names a directory must
/// say yes for all below it too.
pub type Filter<'f> = &'f dyn Fn(&TreePath, bool) -> bool;

/// How one source is copied.
#[derive(Clone, Default)]
pub struct CopyOptions<'a> {
    /// `--chown`, resolved: owner and group of all that is copied or made. `None` keeps the source's, and directories that
    /// have to be made are 0:0.
    pub owner: Option<(u32, u32)>,
    /// `--chmod`: for files and directories, not for links. Directories that have to be made get an octal one too.
    pub mode: Option<ModeChange>,
    /// Only these paths of a directory, and their parents (`--parents`). The directory itself is not asked about.
    pub include: Option<Filter<'a>>,
    /// Not these (`--exclude`), even when included. What lies below is asked about all the same.
    pub exclude: Option<Filter<'a>>,
}

/// A layer in the making on a parent tree, by one operation after another.
#[derive(Debug, Clone)]
pub struct Graft {
    parent: Tree,
    work: Editor,
    created: Mtime,
}

impl Graft {
    /// Starts on `parent`. Directories that have to be made get the time `created`.
    pub fn new(parent: &Tree, created: Mtime) -> Self {
        Self {
            parent: parent.clone(),
            work: Editor::new(&parent.root, &parent.links, DirRole::Full),
            created,
        }
    }

    /// Copies `source` of `from` to `dest`. Links on the way to either, and the last component if it is one, are resolved
    /// inside their tree; links below a copied directory are copied.
    ///
    /// A directory's *contents* go into `dest`. When that is missing it is made, with mode 0755 and not the source's; when
    /// it is there its attributes stay. Directories below take the source's attributes, existing ones too, which keep
    /// their other extended attributes. A file goes to `dest`, or into it when it is a directory or `dest` ends in `/` or
    /// `/.`. Hard links among what is copied stay.
    pub fn copy(
        &mut self,
        from: &Tree,
        source: &[u8],
        dest: &[u8],
        options: &CopyOptions<'_>,
    ) -> Result<(), GraftError> {
        let new = Made {
            mode: options.mode.as_ref(),
            owner: options.owner,
        };
        let dest_path = TreePath::new(dest)?;
        let into = dest.ends_with(b"/") || dest.ends_with(b"/.");
        let ensured = if into {
            Some(dest_path.clone())
        } else {
            dest_path.parent()
        };
        self.make_dirs(&ensured.unwrap_or_default(), new)?;

        let source_path = TreePath::new(source)?;
        let found = from
            .lookup(&source_path, FollowLast::Yes)
            .map_err(GraftError::Source)?;
        let target = self.resolve(&dest_path)?;
        match &found.entry.node {
            Node::Dir(dir, _) => {
                self.make_dirs(&target, new)?;
                self.copy_contents((found.entry, dir), &found.path, &from.links, &target, options)
            }
            _ => self.copy_file(found.entry, source_path.file_name(), target, options, new),
        }
    }

    /// Makes a directory, and its parents, where they are missing: mode 0755, `owner`. WORKDIR.
    pub fn mkdir(&mut self, path: &[u8], owner: (u32, u32)) -> Result<(), GraftError> {
        self.make_dirs(
            &TreePath::new(path)?,
            Made {
                owner: Some(owner),
                ..Made::default()
            },
        )
    }

    /// What has changed in the parent.
    pub fn finish(self) -> Layer {
        let work = Tree {
            links: self.work.links().into(),
            root: self.work.root,
        };
        diff(&self.parent, &work)
    }

    fn copy_contents(
        &mut self,
        (source_dir, dir): (&Entry, &Arc<Dir>),
        source: &TreePath,
        links: &HardLinks,
        target: &TreePath,
        options: &CopyOptions<'_>,
    ) -> Result<(), GraftError> {
        let copied = Entry::dir(Attrs::default(), Mtime::default(), select::children(dir, options));
        let existing = self
            .work
            .dir(target)
            .map_err(|_| GraftError::NotADirectory { path: target.clone() })?;
        existing.mtime = source_dir.mtime;
        place::contents(existing, &copied, &mut target.clone())?;
        self.work.detach_links(target, &copied);
        for group in &links.0 {
            let copied = group
                .iter()
                .filter_map(|path| below_if_file(&copied, &path.strip_prefix(source)?));
            let copied: Vec<_> = copied.map(|path| target.join_path(&path)).collect();
            copied
                .windows(2)
                .for_each(|pair| self.work.join_links(&pair[0], &pair[1]));
        }
        Ok(())
    }

    fn copy_file(
        &mut self,
        entry: &Entry,
        name: Option<&[u8]>,
        mut target: TreePath,
        options: &CopyOptions<'_>,
        new: Made<'_>,
    ) -> Result<(), GraftError> {
        if self.is_dir(&target) {
            target.push(&crate::Name::new(name.unwrap_or_default())?);
            if self.is_dir(&target) {
                return Err(GraftError::IsADirectory { path: target });
            }
        }
        self.make_dirs(&target.parent().unwrap_or_default(), new)?;
        Ok(self.work.insert(&target, select::changed(entry, options))?)
    }

    fn is_dir(&self, path: &TreePath) -> bool {
        self.work
            .root
            .below(path)
            .is_some_and(|entry| entry.node.is_dir())
    }

    fn resolve(&self, path: &TreePath) -> Result<TreePath, GraftError> {
        let resolved = lookup::resolve(&self.work.root, path.as_bytes()).map_err(GraftError::Destination)?;
        Ok(resolved.path)
    }

    /// Makes the directories that `path`, its links resolved, lacks.
    fn make_dirs(&mut self, path: &TreePath, new: Made<'_>) -> Result<(), GraftError> {
        let path = self.resolve(path)?;
        let mut made = TreePath::root();
        for name in path.components() {
            made.push(&crate::Name::new(name)?);
            match self.work.root.below(&made).map(|entry| entry.node.is_dir()) {
                Some(true) => {}
                Some(false) => return Err(GraftError::NotADirectory { path: made }),
                None => self.work.insert(&made, new.entry(self.created))?,
            }
        }
        Ok(())
    }
}

fn below_if_file(copied: &Entry, path: &TreePath) -> Option<TreePath> {
    let is_file = matches!(copied.below(path)?.node, Node::File { .. });
    is_file.then(|| path.clone())
}

/// How directories are made that a path lacks.
#[derive(Clone, Copy, Default)]
struct Made<'m> {
    mode: Option<&'m ModeChange>,
    owner: Option<(u32, u32)>,
}

impl Made<'_> {
    fn entry(&self, created: Mtime) -> Entry {
        // The reference makes them by mkdir(2), which takes no set-id or sticky bit from it.
        let mode = self
            .mode
            .and_then(ModeChange::octal)
            .map_or(0o755, |mode| mode & 0o777);
        let (uid, gid) = self.owner.unwrap_or_default();
        let attrs = Attrs {
            mode,
            uid,
            gid,
            xattrs: None,
        };
        Entry::dir(attrs, created, Dir::default())
    }
}

#[cfg(test)]
mod tests;
