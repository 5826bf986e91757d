//! Everything that is mounted into a step: `--mount`, the files of name resolution, certificates.
//!
//! Bind mounts of other roots are not mounted at all: their trees are grafted into the tree that is served, so that one
//! server sees every read; the sandbox then makes each a mount of its own, read-only where asked. What is written below them
//! goes to the upper directory and is left out of the layer.

use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use wharf_rootfs::{MountKind, MountPoint};
use wharf_sandbox::{Mount, SyntheticFile};
use wharf_store::CacheMount;
use wharf_tree::{
    Dir, DirRole, Entry, FollowLast, HardLinks, Layer, LayerBuilder, Node, Tree, TreePath,
    lookup::LookupError,
    merge,
    readset::{PathSet, Place},
};

/// A file or directory of another root, shown at a path of the step's.
#[derive(Debug, Clone)]
pub struct TreeMount {
    /// Where, links resolved.
    pub target: TreePath,
    /// The other root.
    pub tree: Arc<Tree>,
    /// What of it, as it was asked for.
    pub asked_for: String,
    /// The same, links resolved.
    pub source: TreePath,
    /// The entry there.
    pub entry: Entry,
    /// Whether writes are refused.
    pub read_only: bool,
}

/// What is mounted into one step. Cache mounts are held until this is dropped.
#[derive(Debug, Default)]
pub struct StepMounts {
    trees: Vec<TreeMount>,
    mounts: Vec<Mount>,
    points: Vec<MountPoint>,
    /// The same places, as they were asked for.
    targets: Vec<Vec<u8>>,
    held: Vec<CacheMount>,
}

/// Something that cannot be mounted.
#[derive(Debug, thiserror::Error)]
pub enum MountPlanError {
    /// The source of a bind mount is not there.
    #[error("cannot mount {source_path} of the other root: {why}")]
    Source {
        /// What was asked for.
        source_path: String,
        /// Why.
        why: LookupError,
    },
    /// The target leads nowhere.
    #[error("cannot mount on {}: {why}", target.display())]
    Target {
        /// What was asked for.
        target: PathBuf,
        /// Why.
        why: LookupError,
    },
    /// `/` is the step's own.
    #[error("cannot mount on /")]
    Root,
}

/// What the sandbox mounts into every root.
const STANDARD: [&str; 3] = ["/dev", "/proc", "/sys"];

impl StepMounts {
    /// What every step on `tree` has.
    pub fn new(tree: &Tree) -> Result<Self, MountPlanError> {
        let point = |target: &str| {
            Ok(MountPoint {
                path: resolve_target(tree, Path::new(target))?,
                kind: MountKind::Dir,
            })
        };
        let points = STANDARD
            .into_iter()
            .map(point)
            .collect::<Result<_, MountPlanError>>()?;
        Ok(Self {
            points,
            targets: STANDARD.iter().map(|target| target.as_bytes().to_vec()).collect(),
            ..Self::default()
        })
    }

    /// Adds a mount at `target` of the step's `tree`.
    pub fn add(&mut self, tree: &Tree, mount: Mount, is_dir: bool) -> Result<(), MountPlanError> {
        let asked_for = target_of(&mount);
        let target = resolve_target(tree, asked_for)?;
        self.targets.push(asked_for.as_os_str().as_bytes().to_vec());
        self.points.push(MountPoint {
            path: target,
            kind: if is_dir { MountKind::Dir } else { MountKind::File },
        });
        self.mounts.push(mount);
        Ok(())
    }

    /// Keeps cache mounts until the step is done.
    pub fn hold(&mut self, caches: impl IntoIterator<Item = CacheMount>) {
        self.held.extend(caches);
    }

    /// Adds a part of another root at `target` of the step's `tree`.
    pub fn add_tree(
        &mut self,
        tree: &Tree,
        target: &str,
        other: &Arc<Tree>,
        source: &str,
        read_only: bool,
    ) -> Result<(), MountPlanError> {
        let target_path = resolve_target(tree, Path::new(target))?;
        let missing = |why| MountPlanError::Source {
            source_path: source.to_owned(),
            why,
        };
        let found = other.lookup(source, FollowLast::Yes).map_err(missing)?;
        let entry = found.entry.clone();
        let kind = if entry.node.is_dir() {
            MountKind::Dir
        } else {
            MountKind::File
        };
        self.targets.push(target.as_bytes().to_vec());
        self.points.push(MountPoint {
            path: target_path.clone(),
            kind,
        });
        self.mounts.push(Mount::Again {
            target: target.into(),
            read_only,
        });
        self.trees.push(TreeMount {
            target: target_path,
            tree: Arc::clone(other),
            asked_for: source.to_owned(),
            source: found.path,
            entry,
            read_only,
        });
        Ok(())
    }

    /// What the sandbox mounts, in order.
    pub fn sandbox_mounts(&self) -> &[Mount] {
        &self.mounts
    }

    /// Those of them that are directories in memory which everybody may read: certificates and scripts.
    pub(super) fn public_directories(&self) -> Vec<Mount> {
        let public = |mount: &&Mount| {
            let files = mount.files();
            files.is_some_and(|files| files.iter().all(|file| file.mode & 0o004 != 0))
        };
        self.mounts.iter().filter(public).cloned().collect()
    }

    /// Where it does so.
    pub fn points(&self) -> &[MountPoint] {
        &self.points
    }

    /// The grafted roots: the first is root 1 of the read set.
    pub fn trees(&self) -> &[TreeMount] {
        &self.trees
    }

    /// `tree` with the grafted roots in it.
    pub fn graft_onto(&self, tree: &Arc<Tree>) -> Tree {
        let mut grafted = (**tree).clone();
        for mount in &self.trees {
            grafted = graft(&grafted, mount);
        }
        grafted
    }

    /// What was asked of one root, the grafted one, as questions to the roots that it was made of. What writes below a bind mount
    /// presume is no matter, for they are thrown away; what they saw there was read.
    pub fn by_root(&self, reads: PathSet, writes: PathSet) -> PathSet {
        let mut by_root = if self.trees.is_empty() {
            reads
        } else {
            self.translated(reads)
        };
        for (place, asked) in writes {
            if self.mounted_at(&place.path).is_none() {
                by_root.ask_all(place, &asked);
            }
        }
        by_root
    }

    fn translated(&self, reads: PathSet) -> PathSet {
        let mut by_root = PathSet::default();
        for (place, asked) in reads {
            by_root.ask_all(self.origin(place), &asked);
        }
        by_root
    }

    /// Adds the look-ups that the builder made on its own: where bind mounts come from and where everything is mounted.
    pub fn ask_own(&self, tree: &Tree, asked: &mut PathSet) {
        for target in &self.targets {
            asked.ask_lookup(0, tree, target, FollowLast::Yes);
        }
        for (number, mount) in (1..).zip(&self.trees) {
            asked.ask_lookup(number, &mount.tree, &mount.asked_for, FollowLast::Yes);
        }
    }

    /// The roots of the read set after the step's own.
    pub fn other_roots(&self) -> impl Iterator<Item = &Tree> {
        self.trees.iter().map(|mount| &*mount.tree)
    }

    /// Where a path of the grafted root comes from.
    fn origin(&self, place: Place) -> Place {
        let Some((number, mount)) = self.mounted_at(&place.path) else {
            return place;
        };
        let below = place.path.strip_prefix(&mount.target).unwrap_or_default();
        Place {
            root: number,
            path: mount.source.join_path(&below),
        }
    }

    /// The bind mount that a path is at or below: of several the last, which lies on top.
    fn mounted_at(&self, path: &TreePath) -> Option<(u16, &TreeMount)> {
        let mounts = (1..).zip(&self.trees);
        mounts.filter(|(_, mount)| path.starts_with(&mount.target)).last()
    }

    /// `layer` without what was written below mounts.
    pub fn without_mounted(&self, layer: Layer) -> Layer {
        let below: BTreeSet<_> = self.trees.iter().map(|mount| mount.target.clone()).collect();
        if below.is_empty() {
            layer
        } else {
            without(&layer, &below)
        }
    }
}

/// One other root put over what the tree has at the target.
fn graft(tree: &Tree, mount: &TreeMount) -> Tree {
    let mut builder = LayerBuilder::new();
    let mut entry = mount.entry.clone();
    if let Node::Dir(_, role) = &mut entry.node {
        *role = DirRole::Opaque;
    }
    if builder.insert(&mount.target, entry).is_err() {
        return tree.clone();
    }
    let mut layer = builder.finish();
    layer.links = Arc::new(HardLinks(links_below(mount)));
    merge(tree, &layer)
}

/// The hard links below the source, by their names below the target.
fn links_below(mount: &TreeMount) -> Vec<Vec<TreePath>> {
    let moved = |path: &TreePath| Some(mount.target.join_path(&path.strip_prefix(&mount.source)?));
    let groups = mount
        .tree
        .links
        .0
        .iter()
        .map(|group| group.iter().filter_map(moved).collect::<Vec<_>>());
    let mut groups: Vec<_> = groups.filter(|group| group.len() > 1).collect();
    groups.sort();
    groups
}

/// `layer` without what lies at and below `paths`. Directories that were only there for that go as well.
fn without(layer: &Layer, paths: &BTreeSet<TreePath>) -> Layer {
    let links = layer.links.0.iter().map(|group| {
        let kept = group
            .iter()
            .filter(|name| !paths.iter().any(|path| name.starts_with(path)));
        kept.cloned().collect::<Vec<_>>()
    });
    let links = HardLinks(links.filter(|group| group.len() > 1).collect());
    let root = pruned(&layer.root, &TreePath::root(), paths).unwrap_or_else(|| Layer::empty().root);
    Layer {
        root,
        links: Arc::new(links),
    }
}

fn pruned(entry: &Entry, path: &TreePath, paths: &BTreeSet<TreePath>) -> Option<Entry> {
    if paths.contains(path) {
        return None;
    }
    let Node::Dir(dir, role) = &entry.node else {
        return Some(entry.clone());
    };
    if !paths.iter().any(|below| below.starts_with(path)) {
        return Some(entry.clone());
    }
    let children = dir.entries().iter();
    let kept: BTreeMap<_, _> = children
        .filter_map(|(name, child)| Some((name.clone(), pruned(child, &path.join(name), paths)?)))
        .collect();
    if kept.is_empty() && *role == DirRole::Structural {
        return None;
    }
    Some(Entry {
        node: Node::Dir(Arc::new(Dir::new(kept)), *role),
        ..entry.clone()
    })
}

fn resolve_target(tree: &Tree, target: &Path) -> Result<TreePath, MountPlanError> {
    let failed = |why| MountPlanError::Target {
        target: target.to_owned(),
        why,
    };
    let resolved = tree.resolve(target.as_os_str().as_bytes()).map_err(failed)?;
    if resolved.path.is_root() {
        Err(MountPlanError::Root)
    } else {
        Ok(resolved.path)
    }
}

fn target_of(mount: &Mount) -> &Path {
    match mount {
        Mount::Bind { target, .. }
        | Mount::Tmpfs { target, .. }
        | Mount::File { target, .. }
        | Mount::Directory { target, .. }
        | Mount::Again { target, .. }
        | Mount::Socket { target, .. } => target,
    }
}

/// A file in memory of root's that everybody may read.
pub fn public_file(target: &str, content: Vec<u8>) -> Mount {
    Mount::File {
        target: target.into(),
        file: SyntheticFile::public(target, content),
    }
}
