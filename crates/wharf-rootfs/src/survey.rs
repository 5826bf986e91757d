//! One walk over a tree before it is served: what the server may spare the kernel, and whether it can be served at all.

use std::{
    collections::HashMap,
    convert::Infallible,
    mem,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use wharf_oci::Digest;
use wharf_tree::{Dir, Glimpse, Tree, TreePath};

use crate::{
    inodes::{Inodes, PathHash, ROOT},
    large::Large,
    owners::Owners,
    session::ServeError,
};

/// What is known of a whole tree.
#[derive(Debug, PartialEq, Eq)]
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
    /// Walks what `known` does not know of `tree`. Fails when somebody owns a file whom the step's user namespace does not know: such files
    /// cannot even be removed there (`EOVERFLOW`). Files of at least `least` bytes are large.
    pub(crate) fn new(tree: &Tree, owners: &Owners, least: u64, known: &Surveys) -> Result<Self, ServeError> {
        let root = known.part(tree.dir(), least);
        let attrs = &tree.root.attrs;
        let mut all = root.owners();
        all.push((attrs.uid, attrs.gid));
        if all.into_iter().any(|(uid, gid)| !owners.knows(uid, gid)) {
            foreign(owners, attrs.uid, attrs.gid, &TreePath::root())?;
            find_foreign(owners, tree.dir(), &TreePath::root())?;
        }
        let mut large = Large::default();
        root.for_each(&mut |part| part.large.iter().for_each(|dir| large.add(*dir)));
        let summary = tree.dir().summary();
        Ok(Self {
            large,
            inodes: Inodes::new(tree, root.are_distinct()),
            xattrs: summary.xattrs || attrs.xattrs.is_some(),
            acls: summary.acls || attrs.has_acl(),
        })
    }
}

/// What walks over trees have found, kept for the next ones: trees of one build have most of their directories in common.
#[derive(Debug, Default)]
pub struct Surveys(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    parts: HashMap<Key, (Arc<Part>, u64)>,
    /// How many walks there were.
    walks: u64,
}

impl Surveys {
    /// A directory with fewer entries below is walked again.
    const LEAST_ENTRIES: u64 = 256;

    /// For so many walks a part is kept that none of them came across.
    const KEPT_FOR: u64 = 4;

    /// The whole tree below its root.
    fn part(&self, root: &Dir, least: u64) -> Arc<Part> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let parts = mem::take(&mut known.parts);
        known.walks += 1;
        let number = known.walks;
        drop(known);
        let mut walk = Walk {
            parts,
            number,
            least,
            part: Part::default(),
        };
        let part = walk.part(walk.key(root, PathHash::ROOT), root);
        walk.parts.retain(|_, (_, last)| *last + Self::KEPT_FOR > number);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.parts.extend(walk.parts);
        part
    }
}

/// A directory at a path, and from how many bytes on files in it are large.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    dir: Digest,
    path: PathHash,
    least: u64,
}

/// What is in a directory, but for what is in the parts below.
#[derive(Debug, Default)]
struct Part {
    /// The numbers of the paths, in order.
    numbers: Vec<u64>,
    /// The directories below which a large file is.
    large: Vec<PathHash>,
    /// Users and groups who own something.
    owners: Vec<(u32, u32)>,
    below: Vec<(Key, Arc<Part>)>,
    /// Whether all numbers are different, and none the root's.
    distinct: OnceLock<bool>,
}

impl Part {
    fn for_each<'p>(&'p self, visit: &mut dyn FnMut(&'p Self)) {
        visit(self);
        self.below.iter().for_each(|(_, part)| part.for_each(visit));
    }

    fn owners(&self) -> Vec<(u32, u32)> {
        let mut all = Vec::new();
        self.for_each(&mut |part| all.extend(&part.owners));
        all
    }

    fn are_distinct(&self) -> bool {
        *self.distinct.get_or_init(|| {
            let mut all: Vec<u64> = Vec::new();
            self.for_each(&mut |part| all.extend(&part.numbers));
            #[allow(
                clippy::stable_sort_primitive,
                reason = "it finds the runs that are in order already"
            )]
            all.sort();
            all.windows(2).all(|pair| pair[0] != pair[1]) && all.first().is_none_or(|lowest| *lowest > ROOT)
        })
    }
}

struct Walk {
    parts: HashMap<Key, (Arc<Part>, u64)>,
    number: u64,
    least: u64,
    /// The one that is being made.
    part: Part,
}

impl Walk {
    fn key(&self, dir: &Dir, path: PathHash) -> Key {
        Key {
            dir: dir.digest(),
            path,
            least: self.least,
        }
    }

    /// A directory that is a part of its own.
    fn part(&mut self, key: Key, dir: &Dir) -> Arc<Part> {
        let known = self.parts.get(&key).map(|(part, _)| part.clone());
        let part = known.unwrap_or_else(|| {
            let around = mem::take(&mut self.part);
            self.dir(dir, key.path);
            let mut part = mem::replace(&mut self.part, around);
            part.numbers.sort_unstable();
            part.owners.sort_unstable();
            part.owners.dedup();
            Arc::new(part)
        });
        self.keep(key, &part);
        part
    }

    /// Keeps a part and those below for a while.
    fn keep(&mut self, key: Key, part: &Arc<Part>) {
        self.parts.insert(key, (part.clone(), self.number));
        for (key, part) in &part.below {
            self.keep(*key, part);
        }
    }

    /// Whether there is a large file below.
    fn dir(&mut self, dir: &Dir, path: PathHash) -> bool {
        let mut large = false;
        let Ok(()) = dir.glimpse(&mut |Glimpse {
                                           name,
                                           uid,
                                           gid,
                                           size,
                                           dir,
                                       }| {
            let below = path.join(name);
            self.part.numbers.push(below.number());
            if self.part.owners.last() != Some(&(uid, gid)) {
                self.part.owners.push((uid, gid));
            }
            large |= match dir {
                Some(dir) if dir.summary().entries >= Surveys::LEAST_ENTRIES => self.below(dir, below),
                Some(dir) => self.dir(dir, below),
                None => size.is_some_and(|size| size >= self.least),
            };
            Ok::<_, Infallible>(())
        });
        if large {
            self.part.large.push(path);
        }
        large
    }

    /// Whether there is a large file in a part of its own.
    fn below(&mut self, dir: &Dir, path: PathHash) -> bool {
        let key = self.key(dir, path);
        let part = self.part(key, dir);
        let large = !part.large.is_empty();
        self.part.below.push((key, part));
        large
    }
}

/// Finds the first path whose owner is not known.
fn find_foreign(owners: &Owners, dir: &Dir, path: &TreePath) -> Result<(), ServeError> {
    dir.entries().iter().try_for_each(|(name, entry)| {
        let path = path.join(name);
        foreign(owners, entry.attrs.uid, entry.attrs.gid, &path)?;
        match entry.node.as_dir() {
            Some(dir) => find_foreign(owners, dir, &path),
            None => Ok(()),
        }
    })
}

fn foreign(owners: &Owners, uid: u32, gid: u32, path: &TreePath) -> Result<(), ServeError> {
    if owners.knows(uid, gid) {
        return Ok(());
    }
    Err(ServeError::UnmappedOwner {
        path: path.clone(),
        uid,
        gid,
    })
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use wharf_tree::{Attrs, Entry, Mtime, Name, Node};

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
            let survey = Survey::new(&tree(attrs), &Owners::Same, 1, &Surveys::default()).unwrap();
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
        let survey = |gid| Survey::new(&tree(attrs(gid)), &owners, 1, &Surveys::default());
        assert!(survey(9).is_ok());
        let error = survey(10).unwrap_err();
        assert!(error.to_string().starts_with("/d belongs to 0:10,"), "{error}");
    }

    fn file(size: u64, uid: u32) -> Entry {
        Entry {
            attrs: Attrs {
                uid,
                ..Attrs::root(0o644)
            },
            mtime: Mtime::default(),
            node: Node::File {
                digest: Digest::of(b""),
                size,
            },
        }
    }

    fn dir(entries: impl IntoIterator<Item = (String, Entry)>) -> Entry {
        let entries = entries
            .into_iter()
            .map(|(name, entry)| (Name::new(name.as_bytes()).unwrap(), entry));
        Entry::dir(Attrs::root(0o755), Mtime::default(), Dir::new(entries.collect()))
    }

    /// `count` files of which the last has so many bytes.
    fn files(count: u64, size: u64) -> Entry {
        let file = |number| {
            (
                format!("f{number}"),
                file(if number + 1 == count { size } else { 0 }, 0),
            )
        };
        dir((0..count).map(file))
    }

    fn root(entries: impl IntoIterator<Item = (&'static str, Entry)>) -> Tree {
        let entries = entries.into_iter().map(|(name, entry)| (name.to_owned(), entry));
        Tree {
            root: dir(entries),
            links: Arc::default(),
        }
    }

    #[test]
    fn what_is_known_changes_nothing() {
        let many = Surveys::LEAST_ENTRIES;
        let of =
            |tree: &Tree, least, known: &Surveys| Survey::new(tree, &Owners::Same, least, known).unwrap();
        let known = Surveys::default();
        let deep = |size| {
            dir([
                ("large".to_owned(), files(many, size)),
                ("few".to_owned(), files(3, 9)),
            ])
        };
        let trees = [
            root([("a", files(many, 5)), ("b", files(many, 5)), ("c", files(2, 5))]),
            // The same directories elsewhere, one changed, one gone.
            root([
                ("b", files(many, 5)),
                ("d", files(many, 5)),
                ("a", files(many, 0)),
            ]),
            root([("a", deep(7)), ("b", deep(7)), ("c", deep(0))]),
            root([("a", deep(7)), ("b", deep(0)), ("d", deep(7))]),
            root([]),
        ];
        for _ in 0..3 {
            for (tree, least) in trees.iter().zip([1, 4, 8, 4, 6]).chain(trees.iter().zip([4; 5])) {
                assert_eq!(of(tree, least, &known), of(tree, least, &Surveys::default()));
            }
        }
        let survey = of(&trees[3], 4, &known);
        let below = |path: &str| survey.large.has(PathHash::of(&TreePath::new(path).unwrap()));
        let found = ["a", "a/large", "a/few", "b", "b/large", "d/large", "c"].map(below);
        assert_eq!(found, [true, true, true, true, false, true, false]);
    }

    #[test]
    fn equal_numbers_are_found_across_parts() {
        let part = |numbers: &[u64], below: Vec<Part>| {
            let key = Key {
                dir: Digest::of(b""),
                path: PathHash::ROOT,
                least: 1,
            };
            Part {
                numbers: numbers.to_vec(),
                below: below.into_iter().map(|part| (key, Arc::new(part))).collect(),
                ..Part::default()
            }
        };
        for (numbers, below, distinct) in [
            (&[5, 9][..], &[6, 7][..], true),
            (&[5, 9], &[6, 9], false),
            (&[5, 5], &[6], false),
            (&[5], &[ROOT], false),
            (&[0], &[], false),
            (&[], &[], true),
        ] {
            let whole = part(numbers, vec![part(below, vec![]), part(&[8], vec![])]);
            assert_eq!(whole.are_distinct(), distinct, "{numbers:?} {below:?}");
        }
    }

    #[test]
    fn parts_that_no_tree_has_any_more_are_forgotten() {
        let many = Surveys::LEAST_ENTRIES;
        let known = Surveys::default();
        let kept = |tree: &Tree| {
            known.part(tree.dir(), 1);
            known.0.lock().unwrap().parts.len()
        };
        let trees = [
            root([("a", files(many, 1))]),
            root([("b", files(many, 1)), ("c", files(many, 2))]),
        ];
        assert_eq!((kept(&trees[0]), kept(&trees[1])), (2, 5), "roots are parts too");
        let again: Vec<usize> = (0..Surveys::KEPT_FOR).map(|_| kept(&trees[0])).collect();
        assert_eq!(again.last(), Some(&2));
    }
}
