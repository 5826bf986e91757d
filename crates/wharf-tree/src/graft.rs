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
mod tests {
    use super::*;
    use crate::testing::{layer, show_all, tree};

    fn base() -> Tree {
        tree(&[
            "etc/ dir @700:5",
            "etc/conf file old",
            "lib -> usr/lib",
            "usr/lib/keep file x",
            "run -> /var/run",
            "file file f",
            "one file linked",
            "two = one",
        ])
    }

    fn source() -> Tree {
        tree(&[
            "app/ dir @750:7",
            "app/main.c file main @600:7",
            "app/sub/ dir @711:7",
            "app/sub/deep.txt file deep @644:7",
            "app/sub/link -> deep.txt",
            "app/hard file hard @755:7",
            "app/sub/hard = app/hard",
            "to-app -> app",
            "to-main -> app/main.c",
            "dangling -> nowhere",
        ])
    }

    fn grafted(change: impl FnOnce(&mut Graft) -> Result<(), GraftError>) -> String {
        let mut graft = Graft::new(&base(), Mtime { secs: 9, nanos: 0 });
        match change(&mut graft) {
            Ok(()) => {
                let layer = graft.finish();
                show_all(&layer.root, &layer.links)
            }
            Err(error) => format!("error: {error}"),
        }
    }

    fn copied(sources: &[&str], dest: &str, options: &CopyOptions<'_>) -> String {
        grafted(|graft| {
            let from = source();
            sources
                .iter()
                .try_for_each(|path| graft.copy(&from, path.as_bytes(), dest.as_bytes(), options))
        })
    }

    fn plainly(sources: &[&str], dest: &str) -> String {
        copied(sources, dest, &CopyOptions::default())
    }

    #[test]
    fn contents_of_a_directory_go_into_one_that_is_made() {
        insta::assert_snapshot!(plainly(&["app"], "new/place"), @"
        / structural
        /new dir 755
        /new/place dir 755
        /new/place/hard file 755 7:7 4 ed54
        /new/place/main.c file 600 7:7 4 0d6e
        /new/place/sub dir 711 7:7
        /new/place/sub/deep.txt file 644 7:7 4 7461
        /new/place/sub/hard file 755 7:7 4 ed54
        /new/place/sub/link -> deep.txt
        linked /new/place/hard /new/place/sub/hard
        ");
        assert_eq!(plainly(&["app/"], "/new/place/"), plainly(&["app"], "new/place"));
        assert_eq!(
            plainly(&["/to-app"], "new/./x/../place"),
            plainly(&["app"], "new/place")
        );
    }

    #[test]
    fn a_directory_that_is_there_keeps_its_attributes() {
        insta::assert_snapshot!(plainly(&["app/sub"], "etc"), @"
        / structural
        /etc structural
        /etc/deep.txt file 644 7:7 4 7461
        /etc/hard file 755 7:7 4 ed54
        /etc/link -> deep.txt
        ");
    }

    #[test]
    fn files_go_to_a_name_or_into_a_directory() {
        insta::assert_snapshot!(plainly(&["app/main.c"], "etc/conf"), @"
        / structural
        /etc structural
        /etc/conf file 600 7:7 4 0d6e
        ");
        insta::assert_snapshot!(plainly(&["app/main.c"], "etc"), @"
        / structural
        /etc structural
        /etc/main.c file 600 7:7 4 0d6e
        ");
        insta::assert_snapshot!(plainly(&["to-main"], "a/b/"), @"
        / structural
        /a dir 755
        /a/b dir 755
        /a/b/to-main file 600 7:7 4 0d6e
        ");
        assert_eq!(plainly(&["to-main"], "a/b/."), plainly(&["to-main"], "a/b/"));
        insta::assert_snapshot!(plainly(&["app/main.c", "app/hard"], "a/b"), @"
        / structural
        /a dir 755
        /a/b file 755 7:7 4 ed54
        ");
    }

    #[test]
    fn destinations_are_resolved_inside_the_root() {
        insta::assert_snapshot!(plainly(&["app/main.c"], "lib/x"), @"
        / structural
        /usr structural
        /usr/lib structural
        /usr/lib/x file 600 7:7 4 0d6e
        ");
        insta::assert_snapshot!(plainly(&["app/main.c"], "run/x/"), @"
        / structural
        /var dir 755
        /var/run dir 755
        /var/run/x dir 755
        /var/run/x/main.c file 600 7:7 4 0d6e
        ");
        insta::assert_snapshot!(plainly(&["app/main.c"], "../../etc/x"), @"
        / structural
        /etc structural
        /etc/x file 600 7:7 4 0d6e
        ");
    }

    #[test]
    fn a_replaced_file_leaves_its_hard_links() {
        insta::assert_snapshot!(plainly(&["app/main.c"], "two"), @"
        / structural
        /two file 600 7:7 4 0d6e
        ");
    }

    #[test]
    fn what_cannot_be_is_an_error() {
        for (source, dest, error) in [
            ("app", "file", "/file is not a directory"),
            ("app", "file/x", "/file is not a directory"),
            ("app", "file/x/y", "the destination leads nowhere"),
            ("app/main.c", "file/", "/file is not a directory"),
            ("nothing", "x", "/nothing does not exist"),
            ("dangling", "x", "/nowhere does not exist"),
        ] {
            assert_eq!(
                plainly(&[source], dest),
                format!("error: {error}"),
                "{source} to {dest}"
            );
        }
        let clash = tree(&[
            "src/etc file not-a-directory",
            "dirs/file/ dir",
            "conf/ dir",
            "dirs/lib/ dir",
        ]);
        let copy = |source: &str, dest: &str| {
            grafted(|graft| {
                graft.copy(
                    &clash,
                    source.as_bytes(),
                    dest.as_bytes(),
                    &CopyOptions::default(),
                )
            })
        };
        assert_eq!(
            copy("src", "/"),
            "error: /etc is a directory and cannot be replaced with a file"
        );
        assert_eq!(
            copy("src/etc", "/"),
            "error: /etc is a directory and cannot be replaced with a file"
        );
        assert_eq!(copy("dirs", "/"), "error: /file is not a directory");
    }

    #[test]
    fn owner_and_mode_are_overridden() {
        let octal = CopyOptions {
            owner: Some((3, 4)),
            mode: "4711".parse().ok(),
            ..CopyOptions::default()
        };
        insta::assert_snapshot!(copied(&["app"], "new/place", &octal), @"
        / structural
        /new dir 711 3:4
        /new/place dir 711 3:4
        /new/place/hard file 4711 3:4 4 ed54
        /new/place/main.c file 4711 3:4 4 0d6e
        /new/place/sub dir 4711 3:4
        /new/place/sub/deep.txt file 4711 3:4 4 7461
        /new/place/sub/hard file 4711 3:4 4 ed54
        /new/place/sub/link -> deep.txt 3:4
        linked /new/place/hard /new/place/sub/hard
        ");
        let symbolic = CopyOptions {
            mode: "go-rwx,u+X".parse().ok(),
            ..CopyOptions::default()
        };
        insta::assert_snapshot!(copied(&["app"], "etc", &symbolic), @"
        / structural
        /etc structural
        /etc/hard file 700 7:7 4 ed54
        /etc/main.c file 600 7:7 4 0d6e
        /etc/sub dir 700 7:7
        /etc/sub/deep.txt file 600 7:7 4 7461
        /etc/sub/hard file 700 7:7 4 ed54
        /etc/sub/link -> deep.txt
        linked /etc/hard /etc/sub/hard
        ");
    }

    #[test]
    fn excluded_directories_are_made_for_what_is_not() {
        let only = |path: &TreePath, _: bool| path.as_bytes() == b"sub/deep.txt";
        let options = CopyOptions {
            include: Some(&only),
            ..CopyOptions::default()
        };
        insta::assert_snapshot!(copied(&["app"], "new", &options), @"
        / structural
        /new dir 755
        /new/sub dir 711 7:7
        /new/sub/deep.txt file 644 7:7 4 7461
        ");
        let text =
            |path: &TreePath, _: bool| path.as_bytes().ends_with(b".txt") || path.as_bytes() == b"hard";
        let options = CopyOptions {
            exclude: Some(&text),
            ..CopyOptions::default()
        };
        insta::assert_snapshot!(copied(&["app"], "new", &options), @"
        / structural
        /new dir 755
        /new/main.c file 600 7:7 4 0d6e
        /new/sub dir 711 7:7
        /new/sub/hard file 755 7:7 4 ed54
        /new/sub/link -> deep.txt
        ");
        // A directory that is there and was not meant itself gets the source's mode, not its owner.
        let parents = tree(&["etc/ dir @711:9", "etc/new file n"]);
        let only = |path: &TreePath, _: bool| path.as_bytes() == b"etc/new";
        let options = CopyOptions {
            include: Some(&only),
            ..CopyOptions::default()
        };
        insta::assert_snapshot!(grafted(|graft| graft.copy(&parents, b"/", b"/", &options)), @"
        / structural
        /etc dir 711 5:5
        /etc/new file 644 1 1b16
        ");
    }

    #[test]
    fn directories_are_made() {
        insta::assert_snapshot!(grafted(|graft| graft.mkdir(b"/lib/work/dir", (8, 9))), @"
        / structural
        /usr structural
        /usr/lib structural
        /usr/lib/work dir 755 8:9
        /usr/lib/work/dir dir 755 8:9
        ");
        assert_eq!(grafted(|graft| graft.mkdir(b"etc", (8, 9))), "/ structural\n");
        assert_eq!(
            grafted(|graft| graft.mkdir(b"file", (8, 9))),
            "error: /file is not a directory"
        );
    }

    #[test]
    fn archives_are_unpacked_over_what_is_there() {
        let archive = layer(&[
            "lib/implied file 1",
            "etc/ dir @755:1",
            "etc/conf/ dir @700:1",
            "file/ dir",
            "usr file replaced",
            "deep/er/x file 2",
            "deep/y = lib/implied",
        ]);
        insta::assert_snapshot!(grafted(|graft| graft.unpack(&archive, b"/", None)), @"
        / structural
        /deep dir 755
        /deep/er dir 755
        /deep/er/x file 644 1 d473
        /deep/y file 644 1 6b86
        /etc dir 755 1:1
        /etc/conf dir 700 1:1
        /file dir 755
        /usr file 644 8 6c1a
        ");
        insta::assert_snapshot!(grafted(|graft| graft.unpack(&archive, b"new/dir", Some((7, 7)))), @"
        / structural
        /new dir 755 7:7
        /new/dir dir 755 7:7
        /new/dir/deep dir 755
        /new/dir/deep/er dir 755
        /new/dir/deep/er/x file 644 7:7 1 d473
        /new/dir/deep/y file 644 7:7 1 6b86
        /new/dir/etc dir 755 7:7
        /new/dir/etc/conf dir 700 7:7
        /new/dir/file dir 755 7:7
        /new/dir/lib dir 755
        /new/dir/lib/implied file 644 7:7 1 6b86
        /new/dir/usr file 644 7:7 8 6c1a
        linked /new/dir/deep/y /new/dir/lib/implied
        ");
    }

    #[test]
    fn copying_what_is_there_already_changes_nothing() {
        let mut graft = Graft::new(&source(), Mtime::default());
        graft
            .copy(&source(), b"/app", b"/app", &CopyOptions::default())
            .unwrap();
        assert_eq!(graft.finish(), Layer::empty());
    }

    /// The source's directories are taken as they are: no copy of a large context is made.
    #[test]
    fn whole_directories_are_shared() {
        let from = source();
        let mut graft = Graft::new(&Tree::empty(), Mtime::default());
        graft
            .copy(&from, b"/", b"/work", &CopyOptions::default())
            .unwrap();
        let layer = graft.finish();
        let dir = |entry: &Entry, path: &str| {
            Arc::clone(
                entry
                    .below(&TreePath::new(path).unwrap())
                    .unwrap()
                    .node
                    .as_dir()
                    .unwrap(),
            )
        };
        assert!(Arc::ptr_eq(
            &dir(&from.root, "app/sub"),
            &dir(&layer.root, "work/app/sub")
        ));
    }
}
