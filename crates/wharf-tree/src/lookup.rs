//! Finding an entry by path as the kernel would, with symbolic links resolved inside the root.

use crate::{
    entry::{Entry, Node},
    path::{Name, PathError, TreePath},
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
        let mut walk = Walk::new(&self.root, path.as_ref(), LINUX_HOPS);
        while let Some(step) = walk.next(last, visit)? {
            if step == Step::Missing {
                return Err(LookupError::Missing { path: walk.path });
            }
        }
        let entry = walk.here().expect("a missing entry has ended the walk");
        Ok(Lookup {
            entry,
            path: walk.path,
        })
    }

    /// Resolves the links of `path`, the last component's too. What is missing stands for itself, so that this says where
    /// something can be made (containerd's `fs.RootPath`, by which BuildKit finds destinations).
    pub fn resolve(&self, path: impl AsRef<[u8]>) -> Result<Resolved<'_>, LookupError> {
        resolve(&self.root, path.as_ref())
    }

    /// The entry at exactly this path; no link is followed.
    pub fn get(&self, path: &TreePath) -> Option<&Entry> {
        self.root.below(path)
    }
}

/// [`Tree::resolve`] below any directory.
pub(crate) fn resolve<'t>(root: &'t Entry, path: &[u8]) -> Result<Resolved<'t>, LookupError> {
    let mut walk = Walk::new(root, path, ROOT_PATH_HOPS);
    while walk.next(FollowLast::Yes, &mut |_| {})?.is_some() {}
    Ok(Resolved {
        entry: walk.here(),
        path: walk.path,
    })
}

/// `MAXSYMLINKS` of Linux.
const LINUX_HOPS: usize = 40;
/// What `fs.RootPath` allows.
const ROOT_PATH_HOPS: usize = 255;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Taken,
    Missing,
}

/// A walk down a path: where it is, and what is left.
struct Walk<'t> {
    root: &'t Entry,
    /// Entries of the directories on the way, the root's first; `None` for what is missing and below.
    entries: Vec<Option<&'t Entry>>,
    path: TreePath,
    rest: Vec<u8>,
    hops: usize,
}

impl<'t> Walk<'t> {
    fn new(root: &'t Entry, path: &[u8], hops: usize) -> Self {
        Self {
            root,
            entries: vec![Some(root)],
            path: TreePath::root(),
            rest: path.to_vec(),
            hops,
        }
    }

    fn here(&self) -> Option<&'t Entry> {
        self.entries.last().copied().flatten()
    }

    /// Takes the next component; `None` at the end.
    fn next(
        &mut self,
        last: FollowLast,
        visit: &mut dyn FnMut(Visit<'_>),
    ) -> Result<Option<Step>, LookupError> {
        self.must_be_directory()?;
        let rest = std::mem::take(&mut self.rest);
        let Some(start) = rest.iter().position(|byte| *byte != b'/') else {
            return Ok(None);
        };
        let end = rest[start..]
            .iter()
            .position(|byte| *byte == b'/')
            .map_or(rest.len(), |at| start + at);
        let (component, more) = (&rest[start..end], &rest[end..]);
        match component {
            b"." => {}
            b".." => self.leave(),
            name => return self.enter(&Name::new(name)?, more, last, visit).map(Some),
        }
        self.rest = more.to_vec();
        Ok(Some(Step::Taken))
    }

    /// A rest, be it only a slash, asks for a directory.
    fn must_be_directory(&self) -> Result<(), LookupError> {
        match self.here() {
            Some(entry) if !entry.node.is_dir() && !self.rest.is_empty() => Err(LookupError::NotADirectory {
                path: self.path.clone(),
            }),
            _ => Ok(()),
        }
    }

    fn leave(&mut self) {
        if self.path.pop().is_some() {
            self.entries.pop();
        }
    }

    fn enter(
        &mut self,
        name: &Name,
        more: &[u8],
        last: FollowLast,
        visit: &mut dyn FnMut(Visit<'_>),
    ) -> Result<Step, LookupError> {
        let parent = self.here().and_then(|entry| entry.node.as_dir());
        let entry = parent.and_then(|dir| dir.get(name.as_bytes()));
        self.path.push(name);
        self.entries.push(entry);
        self.rest = more.to_vec();
        let Some(entry) = entry else {
            visit(Visit::Missing(&self.path));
            return Ok(Step::Missing);
        };
        visit(Visit::Found(&self.path, entry));
        if let Node::Symlink(target) = &entry.node
            && (last == FollowLast::Yes || !more.is_empty())
        {
            self.hop(target, visit)?;
        }
        Ok(Step::Taken)
    }

    fn hop(&mut self, target: &[u8], visit: &mut dyn FnMut(Visit<'_>)) -> Result<(), LookupError> {
        self.hops = self
            .hops
            .checked_sub(1)
            .ok_or_else(|| LookupError::TooManyLinks {
                path: self.path.clone(),
            })?;
        visit(Visit::Followed(&self.path, target));
        if target.starts_with(b"/") {
            self.path = TreePath::root();
            self.entries = vec![Some(self.root)];
        } else {
            self.leave();
        }
        self.rest = [target, &self.rest[..]].concat();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tree;

    fn check(path: &str, last: FollowLast, expected: &str) {
        let tree = tree(&[
            "usr/lib/x/ dir",
            "usr/bin/tool file",
            "lib -> usr/lib",
            "abs -> /usr/bin/tool",
            "up -> ../../usr",
            "loop -> loop2",
            "loop2 -> loop",
            "dangling -> usr/nothing/here",
            "chain -> lib/x/../..",
        ]);
        let found = tree.lookup(path, last);
        let text = found.map_or_else(|error| error.to_string(), |lookup| lookup.path.to_string());
        assert_eq!(text, expected, "{path}");
    }

    #[test]
    fn resolves_inside_the_root() {
        for (path, expected) in [
            ("/", "/"),
            ("", "/"),
            ("..", "/"),
            ("/usr/./bin//tool", "/usr/bin/tool"),
            ("lib/x", "/usr/lib/x"),
            ("lib/x/..", "/usr/lib"),
            ("abs", "/usr/bin/tool"),
            ("up/lib", "/usr/lib"),
            ("chain/bin", "/usr/bin"),
            ("abs/", "/usr/bin/tool is not a directory"),
            ("usr/bin/tool/", "/usr/bin/tool is not a directory"),
            ("usr/bin/tool/x", "/usr/bin/tool is not a directory"),
            ("usr/bin/tool/..", "/usr/bin/tool is not a directory"),
            ("lib/nope/x", "/usr/lib/nope does not exist"),
            ("dangling", "/usr/nothing does not exist"),
            ("loop", "too many symbolic links at /loop"),
        ] {
            check(path, FollowLast::Yes, expected);
        }
    }

    #[test]
    fn takes_the_last_link_itself_unless_a_slash_follows() {
        check("lib", FollowLast::No, "/lib");
        check("lib/", FollowLast::No, "/usr/lib");
        check("lib/.", FollowLast::No, "/usr/lib");
        check("abs/", FollowLast::No, "/usr/bin/tool is not a directory");
    }

    #[test]
    fn refuses_names_that_cannot_be() {
        check(
            &"x".repeat(256),
            FollowLast::Yes,
            &format!("`{}` is not a file name", "x".repeat(256)),
        );
    }

    #[test]
    fn tells_what_it_passed() {
        let tree = tree(&["a/f file", "l -> a"]);
        let mut seen = Vec::new();
        let missing = tree.lookup_visiting("l/f/../g", FollowLast::Yes, &mut |visit| {
            seen.push(format!("{visit:?}"));
        });
        assert!(matches!(missing, Err(LookupError::NotADirectory { .. })));
        seen.clear();
        let _ = tree.lookup_visiting("l/g", FollowLast::Yes, &mut |visit| {
            seen.push(match visit {
                Visit::Found(path, _) => format!("found {path}"),
                Visit::Followed(path, target) => {
                    format!("followed {path} {}", String::from_utf8_lossy(target))
                }
                Visit::Missing(path) => format!("missing {path}"),
            });
        });
        assert_eq!(seen, ["found /l", "followed /l a", "found /a", "missing /a/g"]);
    }

    #[test]
    fn resolves_what_is_to_be_made() {
        let tree = tree(&[
            "usr/lib/ dir",
            "lib -> usr/lib",
            "var/run -> /run",
            "dangling -> /new/x",
            "f file",
        ]);
        for (path, expected) in [
            ("lib/a/b", "/usr/lib/a/b"),
            ("lib/a/../../c", "/usr/c"),
            ("/var/run/x/", "/run/x"),
            ("dangling/y", "/new/x/y"),
            ("f/x", "/f is not a directory"),
        ] {
            let found = tree.resolve(path);
            let text = found.map_or_else(|error| error.to_string(), |resolved| resolved.path.to_string());
            assert_eq!(text, expected, "{path}");
        }
    }
}
