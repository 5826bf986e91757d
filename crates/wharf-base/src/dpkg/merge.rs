//! Many packages' files as one tree, as if dpkg had unpacked them one after another.
//!
//! Policy 7.6 and dpkg's archives.c: a directory that is there already keeps its attributes; a link to a directory is
//! followed, not replaced; a file that two packages ship belongs to the one that declares Replaces, and leaves the other's
//! list. Root directories that are merged into `/usr` are links before the first package comes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use wharf_tree::{Attrs, Dir, Entry, HardLinks, Layer, Mtime, Name, Node, Tree, TreePath};

use super::{
    control::Control,
    folder::{Folder, Item, component},
};

/// A package whose files are to be merged.
#[derive(Debug, Clone)]
pub struct Part<'a> {
    /// Its control part.
    pub control: &'a Control,
    /// Its files.
    pub files: Arc<Layer>,
}

/// The packages' files together.
#[derive(Debug, Clone)]
pub struct Merged {
    /// All files.
    pub tree: Tree,
    /// By the package's position: paths in its list that belong to another package now.
    pub lost: BTreeMap<usize, BTreeSet<String>>,
}

/// Packages that cannot be unpacked side by side.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// Two packages ship one path, and neither may replace the other's.
    #[error("{first} and {second} both ship {path}, and neither replaces the other")]
    Conflict {
        /// The path.
        path: TreePath,
        /// The package that was unpacked first.
        first: String,
        /// The other one.
        second: String,
    },
    /// A package's path goes through a link that leads nowhere.
    #[error("{package} ships {path}, which lies behind a link that leads nowhere")]
    Dangling {
        /// The path.
        path: TreePath,
        /// The package.
        package: String,
    },
}

/// Root directories that a merged `/usr` replaces by links, where packages ship them.
const MERGED: &[&str] = &["bin", "sbin", "lib", "lib32", "lib64", "libo32", "libx32"];

/// The kernel's limit of links on a path.
const LINK_LIMIT: usize = 40;

/// Merges `parts` in their order. With `merged_usr`, `/bin` and its like become links into `/usr`.
pub fn merge(parts: &[Part<'_>], merged_usr: bool) -> Result<Merged, MergeError> {
    let mut merger = Merger {
        parts,
        root: Folder::default(),
        lost: BTreeMap::new(),
        links: Vec::new(),
    };
    if merged_usr {
        merger.link_into_usr();
    }
    for (owner, part) in parts.iter().enumerate() {
        merger.add(owner, &part.files)?;
    }
    Ok(merger.finish())
}

struct Merger<'p> {
    parts: &'p [Part<'p>],
    root: Folder,
    lost: BTreeMap<usize, BTreeSet<String>>,
    links: Vec<(usize, Vec<TreePath>)>,
}

/// A directory of a package, where it lies in the package, and where it goes.
struct Visit<'t> {
    dir: &'t Dir,
    shipped: TreePath,
    place: TreePath,
}

impl Merger<'_> {
    fn link_into_usr(&mut self) {
        for name in MERGED {
            let shipped = |part: &Part<'_>| {
                part.files
                    .dir()
                    .get(name.as_bytes())
                    .is_some_and(|entry| entry.node.is_dir())
            };
            if self.parts.iter().any(shipped) {
                let node = Node::Symlink(format!("usr/{name}").into_bytes().into());
                let entry = Entry {
                    attrs: Attrs::root(0o777),
                    mtime: Mtime::default(),
                    node,
                };
                self.root
                    .items
                    .insert(component(name.as_bytes()), Item::Leaf { entry, owner: None });
            }
        }
    }

    fn add(&mut self, owner: usize, files: &Layer) -> Result<(), MergeError> {
        self.root.adopt(&files.root);
        let mut queue = vec![Visit {
            dir: files.dir(),
            shipped: TreePath::root(),
            place: TreePath::root(),
        }];
        let mut moved = Vec::new();
        while let Some(visit) = queue.pop() {
            if visit.shipped != visit.place {
                moved.push((visit.shipped.clone(), visit.place.clone()));
            }
            for (name, entry) in visit.dir.entries() {
                let shipped = visit.shipped.join(name);
                match &entry.node {
                    Node::Dir(dir, _) => {
                        let place = self.enter(owner, &visit.place, name, entry)?;
                        queue.push(Visit { dir, shipped, place });
                    }
                    _ => self.put(owner, &visit.place, &shipped, name, entry)?,
                }
            }
        }
        let route = |path: &TreePath| routed(path, &moved);
        let groups = files
            .links
            .0
            .iter()
            .map(|group| (owner, group.iter().map(route).collect()));
        self.links.extend(groups);
        Ok(())
    }

    /// Makes sure that there is a directory `name` in `parent`, follows a link to one, and says where it is.
    fn enter(
        &mut self,
        owner: usize,
        parent: &TreePath,
        name: &Name,
        entry: &Entry,
    ) -> Result<TreePath, MergeError> {
        let path = parent.join(name);
        let folder = self.root.descend(parent);
        match folder.items.get(name) {
            None | Some(Item::Folder(_)) => {
                folder.descend_to(name).adopt(entry);
                Ok(path)
            }
            Some(Item::Leaf {
                entry:
                    Entry {
                        node: Node::Symlink(_),
                        ..
                    },
                ..
            }) => {
                let target = self.root.resolve(&path, LINK_LIMIT);
                let package = || self.parts[owner].control.name().to_owned();
                let target = target.ok_or_else(|| MergeError::Dangling {
                    path,
                    package: package(),
                })?;
                self.root.descend(&target).adopt(entry);
                Ok(target)
            }
            Some(Item::Leaf { owner: first, .. }) => {
                let first = *first;
                Err(self.conflict(path, first, owner))
            }
        }
    }

    fn put(
        &mut self,
        owner: usize,
        parent: &TreePath,
        shipped: &TreePath,
        name: &Name,
        entry: &Entry,
    ) -> Result<(), MergeError> {
        let folder = self.root.descend(parent);
        let is_link = matches!(entry.node, Node::Symlink(_));
        let winner = match folder.items.get(name) {
            None => Winner::New,
            Some(Item::Folder(_)) if is_link => Winner::Old,
            Some(Item::Folder(_)) => return Err(self.conflict(parent.join(name), None, owner)),
            Some(Item::Leaf { owner: None, .. }) => Winner::Old,
            Some(Item::Leaf {
                entry: old,
                owner: Some(first),
            }) => {
                let first = *first;
                let same = old.attrs == entry.attrs && old.node == entry.node;
                match winner(self.parts, first, owner) {
                    Some(winner) => {
                        self.lose(
                            if matches!(winner, Winner::New) {
                                first
                            } else {
                                owner
                            },
                            shipped,
                        );
                        winner
                    }
                    None if same => Winner::Old,
                    None => return Err(self.conflict(parent.join(name), Some(first), owner)),
                }
            }
        };
        if matches!(winner, Winner::New) {
            let leaf = Item::Leaf {
                entry: entry.clone(),
                owner: Some(owner),
            };
            self.root.descend(parent).items.insert(name.clone(), leaf);
        }
        Ok(())
    }

    fn lose(&mut self, owner: usize, shipped: &TreePath) {
        self.lost.entry(owner).or_default().insert(shipped.to_string());
    }

    fn conflict(&self, path: TreePath, first: Option<usize>, second: usize) -> MergeError {
        let name = |owner: usize| self.parts[owner].control.name().to_owned();
        let first = first.map_or_else(|| "another package".to_owned(), name);
        MergeError::Conflict {
            path,
            first,
            second: name(second),
        }
    }

    fn finish(self) -> Merged {
        let root = &self.root;
        let owned = self.links.iter().map(|(owner, group)| {
            let mine = group.iter().filter(|path| root.owner(path) == Some(*owner));
            mine.cloned().collect()
        });
        let links = Arc::new(HardLinks::new(owned));
        Merged {
            tree: Tree {
                root: self.root.into_entry(),
                links,
            },
            lost: self.lost,
        }
    }
}

/// Whose file stays when two packages ship one.
#[derive(Clone, Copy)]
enum Winner {
    Old,
    New,
}

fn winner(parts: &[Part<'_>], old: usize, new: usize) -> Option<Winner> {
    let (old, new) = (parts[old].control, parts[new].control);
    if new.replaces(old) {
        Some(Winner::New)
    } else {
        old.replaces(new).then_some(Winner::Old)
    }
}

/// Where a package's path went: behind the longest of the directories that moved.
fn routed(path: &TreePath, moved: &[(TreePath, TreePath)]) -> TreePath {
    let behind = moved
        .iter()
        .filter_map(|(from, to)| Some((from, to, path.strip_prefix(from)?)));
    let longest = behind.max_by_key(|(from, ..)| from.as_bytes().len());
    longest.map_or_else(|| path.clone(), |(_, to, rest)| to.join_path(&rest))
}

#[cfg(test)]
mod tests {
    use wharf_oci::Digest;
    use wharf_tree::{DirRole, FollowLast, LayerBuilder};

    use super::*;

    fn control(fields: &str) -> Control {
        Control {
            fields: fields.to_owned(),
            files: BTreeMap::new(),
            conffiles: Vec::new(),
            triggers: String::new(),
            interpreters: Vec::new(),
        }
    }

    /// `path` is a file whose content is its owner's name, `path/` a directory of that mode, `path -> target` a link.
    fn files(content: &str, paths: &[&str]) -> Arc<Layer> {
        let mut builder = LayerBuilder::new();
        for path in paths {
            let (path, node, mode) = match (path.split_once(" -> "), path.strip_suffix('/')) {
                (Some((path, target)), _) => (path, Node::Symlink(target.as_bytes().into()), 0o777),
                (None, Some(path)) => (path, Node::Dir(Arc::default(), DirRole::Full), 0o700),
                (None, None) => (
                    *path,
                    Node::File {
                        digest: Digest::of(content.as_bytes()),
                        size: 1,
                    },
                    0o644,
                ),
            };
            let entry = Entry {
                attrs: Attrs::root(mode),
                mtime: Mtime::default(),
                node,
            };
            builder.insert(&TreePath::new(path).unwrap(), entry).unwrap();
        }
        Arc::new(builder.finish())
    }

    fn merge_two(
        (first, first_paths): (&str, &[&str]),
        (second, second_paths): (&str, &[&str]),
        merged_usr: bool,
    ) -> Result<Merged, MergeError> {
        let controls = [
            control(&format!("Package: a\n{first}")),
            control(&format!("Package: b\n{second}")),
        ];
        let parts = [
            Part {
                control: &controls[0],
                files: files("a", first_paths),
            },
            Part {
                control: &controls[1],
                files: files("b", second_paths),
            },
        ];
        merge(&parts, merged_usr)
    }

    fn content(merged: &Merged, path: &str) -> Option<&'static str> {
        let found = merged.tree.lookup(path, FollowLast::Yes).ok()?;
        let Node::File { digest, .. } = found.entry.node else {
            return None;
        };
        ["a", "b"]
            .into_iter()
            .find(|owner| Digest::of(owner.as_bytes()) == digest)
    }

    #[test]
    fn a_merged_usr_takes_in_what_packages_ship_elsewhere() {
        let merged = merge_two(
            ("", &["bin/sh", "lib/x/a"]),
            ("", &["usr/bin/b", "usr/lib/x/b"]),
            true,
        )
        .unwrap();
        for (path, owner) in [
            ("usr/bin/sh", "a"),
            ("bin/b", "b"),
            ("usr/lib/x/a", "a"),
            ("lib/x/b", "b"),
        ] {
            assert_eq!(content(&merged, path), Some(owner), "{path}");
        }
        assert!(
            merged.tree.dir().get(b"sbin").is_none(),
            "nothing is made that no package ships"
        );
        let apart = merge_two(("", &["bin/sh"]), ("", &["usr/bin/b"]), false).unwrap();
        assert_eq!(content(&apart, "usr/bin/sh"), None);
    }

    #[test]
    fn the_first_directory_keeps_its_attributes() {
        let merged = merge_two(("", &["d/", "d/a"]), ("", &["d/b"]), false).unwrap();
        assert_eq!(merged.tree.dir().get(b"d").unwrap().attrs.mode, 0o700);
    }

    #[test]
    fn links_to_directories_are_followed_both_ways() {
        let followed = merge_two(("", &["opt/v1/a", "opt/now -> v1"]), ("", &["opt/now/b"]), false).unwrap();
        assert_eq!(content(&followed, "opt/v1/b"), Some("b"));
        let kept = merge_two(("", &["d/a"]), ("", &["d -> e"]), false).unwrap();
        assert_eq!(content(&kept, "d/a"), Some("a"));
    }

    #[test]
    fn replaces_decides_who_owns_a_file() {
        let newer = merge_two(("", &["x"]), ("Replaces: a", &["x"]), false).unwrap();
        assert_eq!(content(&newer, "x"), Some("b"));
        assert_eq!(newer.lost[&0], BTreeSet::from(["/x".to_owned()]));
        let older = merge_two(("Replaces: b", &["x"]), ("", &["x"]), false).unwrap();
        assert_eq!(
            (content(&older, "x"), older.lost.keys().collect::<Vec<_>>()),
            (Some("a"), vec![&1])
        );
    }

    #[test]
    fn conflicts_are_told() {
        let error = merge_two(("", &["x"]), ("", &["x"]), false).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a and b both ship /x, and neither replaces the other"
        );
        assert!(merge_two(("", &["x"]), ("", &["x/y"]), false).is_err());
        assert!(merge_two(("", &["x/y"]), ("", &["x"]), false).is_err());
        let dangling = merge_two(("", &["x -> x"]), ("", &["x/y"]), false).unwrap_err();
        assert!(matches!(dangling, MergeError::Dangling { .. }), "{dangling}");
    }

    #[test]
    fn hard_links_are_kept_where_both_names_went() {
        let mut builder = LayerBuilder::from_layer(&files("a", &["bin/x"]));
        builder
            .hard_link(&TreePath::new("bin/x").unwrap(), &TreePath::new("usr/y").unwrap())
            .unwrap();
        let control = control("Package: a");
        let parts = [Part {
            control: &control,
            files: Arc::new(builder.finish()),
        }];
        let merged = merge(&parts, true).unwrap();
        let paths: Vec<_> = merged
            .tree
            .links
            .0
            .iter()
            .flatten()
            .map(TreePath::to_string)
            .collect();
        assert_eq!(paths, ["/usr/bin/x", "/usr/y"]);
    }
}
