//! COPY, ADD and WORKDIR: layers made of parts of other trees, without a root filesystem being mounted.

use std::{borrow::Cow, cell::Cell, sync::Arc};

use wharf_dockerfile::patterns::PatternMatcher;
use wharf_graph::{CopyOp, CopySource, DownloadSource, FileSource, MkdirOp, ParentsPattern, PathSource};
use wharf_solver::Task;
use wharf_tree::{
    Attrs, CopyOptions, Entry, FollowLast, Graft, Layer, LookupError, ModeChange, Mtime, Node, Tree,
    TreeBuilder, TreePath, compress, glob, tar,
};

use super::{
    Engine, StepFailure, StepOutput,
    identity::{resolve_maker, resolve_owner},
    now,
};

impl Engine {
    pub(super) fn copy(&self, op: &CopyOp, task: &Task<'_, StepOutput>) -> Result<StepOutput, StepFailure> {
        let parent = &task.inputs[0].root;
        let tree = self.roots.tree(parent)?;
        let began = now();
        let base = if op.link {
            Arc::new(Tree::empty())
        } else {
            Arc::clone(&tree)
        };
        let owner = op
            .chown
            .as_ref()
            .map(|spec| resolve_owner(spec, &tree, &self.store))
            .transpose()?;
        let mode = op
            .chmod
            .as_ref()
            .map(|text| text.parse::<ModeChange>())
            .transpose()?;
        let excludes = PatternMatcher::new(&op.excludes)?;
        let exclude = |path: &TreePath, _: bool| excludes.matches(path.as_bytes());
        let options = CopyOptions {
            owner,
            mode,
            include: None,
            exclude: (!op.excludes.is_empty()).then_some(&exclude as &dyn Fn(&TreePath, bool) -> bool),
        };
        let mut graft = Graft::new(
            &base,
            Mtime {
                secs: began,
                nanos: 0,
            },
        );
        for source in &op.sources {
            self.copy_source(&mut graft, op, source, &options, task)?;
        }
        self.keep_layer(task, graft.finish(), began)
    }

    pub(super) fn mkdir(&self, op: &MkdirOp, task: &Task<'_, StepOutput>) -> Result<StepOutput, StepFailure> {
        let parent = &task.inputs[0].root;
        let tree = self.roots.tree(parent)?;
        let began = now();
        let owner = resolve_maker(&op.owner, &tree, &self.store)?;
        let mut graft = Graft::new(
            &tree,
            Mtime {
                secs: op.mtime.unwrap_or(began),
                nanos: 0,
            },
        );
        graft
            .mkdir(op.path.as_bytes(), owner)
            .map_err(|source| StepFailure::Mkdir {
                path: op.path.clone(),
                source,
            })?;
        self.keep_layer(task, graft.finish(), began)
    }

    fn keep_layer(
        &self,
        task: &Task<'_, StepOutput>,
        layer: Layer,
        began: i64,
    ) -> Result<StepOutput, StepFailure> {
        self.bring_contents(&layer.root)?;
        let layer = self.with_last_times(task, layer)?;
        let (_, root) = self.roots.push(&task.inputs[0].root, &layer)?;
        Ok(StepOutput {
            root,
            ran_at: Some(began),
            ..StepOutput::default()
        })
    }

    /// Brings the contents of a layer's files into the store: those of a context are still where the user has them.
    fn bring_contents(&self, entry: &Entry) -> Result<(), StepFailure> {
        match &entry.node {
            Node::Dir(dir, _) => dir
                .entries()
                .values()
                .try_for_each(|child| self.bring_contents(child)),
            Node::File { digest, .. } if !self.store.contains(digest)? => {
                self.store.open_blob(digest)?;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn copy_source(
        &self,
        graft: &mut Graft,
        op: &CopyOp,
        source: &CopySource,
        options: &CopyOptions<'_>,
        task: &Task<'_, StepOutput>,
    ) -> Result<(), StepFailure> {
        match source {
            CopySource::Path(path) => self.copy_paths(graft, op, path, options, task),
            CopySource::File(file) => {
                let tree = self.heredoc(file)?;
                copy_one(graft, &tree, file.name.as_bytes(), op.dest.as_bytes(), options)
            }
            CopySource::Download(download) => self.copy_download(graft, op, download, options, task),
            CopySource::Checkout(input) => {
                let tree = self.roots.tree(&task.inputs[input.0 as usize].root)?;
                copy_one(graft, &tree, b"/", op.dest.as_bytes(), options)
            }
        }
    }

    fn copy_paths(
        &self,
        graft: &mut Graft,
        op: &CopyOp,
        source: &PathSource,
        options: &CopyOptions<'_>,
        task: &Task<'_, StepOutput>,
    ) -> Result<(), StepFailure> {
        let tree = self.roots.tree(&task.inputs[source.input.0 as usize].root)?;
        if let Some(parents) = &source.parents {
            return copy_parents(graft, op, source, parents, &tree, options);
        }
        for path in matching(source, &tree)? {
            let taken = if source.unpack {
                self.unpacked(&tree, &path)?
            } else {
                None
            };
            match taken {
                Some(files) => unpack(graft, &files, op, options)?,
                None => copy_one(graft, &tree, &path, op.dest.as_bytes(), options)?,
            }
        }
        Ok(())
    }

    fn copy_download(
        &self,
        graft: &mut Graft,
        op: &CopyOp,
        download: &DownloadSource,
        options: &CopyOptions<'_>,
        task: &Task<'_, StepOutput>,
    ) -> Result<(), StepFailure> {
        let tree = self.roots.tree(&task.inputs[download.input.0 as usize].root)?;
        let name = download.file_name.as_bytes();
        match download
            .unpack
            .then(|| self.unpacked(&tree, name))
            .transpose()?
            .flatten()
        {
            Some(files) => unpack(graft, &files, op, options),
            None => copy_one(graft, &tree, name, op.dest.as_bytes(), options),
        }
    }

    /// The files of the archive at `path`; `None` if it is no archive. Recognised by content, as BuildKit does, whatever the name.
    fn unpacked(&self, tree: &Tree, path: &[u8]) -> Result<Option<Layer>, StepFailure> {
        let Ok(found) = tree.lookup(path, FollowLast::Yes) else {
            return Ok(None);
        };
        let Node::File { digest, .. } = &found.entry.node else {
            return Ok(None);
        };
        let shown = || found.path.to_string();
        let open = || -> Result<_, StepFailure> {
            let file = self.store.open_blob(digest)?;
            compress::decompress_archive(file).map_err(|source| StepFailure::Decompress {
                path: shown(),
                source,
            })
        };
        if !tar::is_archive(open()?) {
            return Ok(None);
        }
        let layer = tar::import_archive(open()?, &mut self.store.clone(), &tar::ImportOptions::default())
            .map_err(|source| StepFailure::Unpack {
                path: shown(),
                source,
            })?;
        Ok(Some(layer))
    }

    fn heredoc(&self, file: &FileSource) -> Result<Tree, StepFailure> {
        let digest = self.store.put_bytes(file.content.as_bytes())?;
        let node = Node::File {
            digest,
            size: file.content.len() as u64,
        };
        let entry = Entry {
            attrs: Attrs::root(0o644),
            mtime: Mtime {
                secs: now(),
                nanos: 0,
            },
            node,
        };
        let mut builder = TreeBuilder::new();
        let name = TreePath::new(&file.name).map_err(|_| StepFailure::NotFound {
            path: file.name.clone(),
            place: "the Dockerfile".to_owned(),
        })?;
        builder.insert(&name, entry)?;
        Ok(builder.finish())
    }
}

/// Puts an archive's files into the destination, which is a directory whatever it looks like.
fn unpack(
    graft: &mut Graft,
    archive: &Layer,
    op: &CopyOp,
    options: &CopyOptions<'_>,
) -> Result<(), StepFailure> {
    graft
        .unpack(archive, op.dest.as_bytes(), options.owner)
        .map_err(|source| StepFailure::Graft {
            path: op.dest.clone(),
            source,
        })
}

/// What a source names: one path, or those that match its wildcards.
pub(super) fn matching<'s>(source: &'s PathSource, tree: &Tree) -> Result<Vec<Cow<'s, [u8]>>, StepFailure> {
    if has_wildcard(&source.path) {
        let found = glob::expand(tree, source.path.as_bytes())?;
        return Ok(found
            .into_iter()
            .map(|path| Cow::Owned(path.as_bytes().to_vec()))
            .collect());
    }
    Ok(vec![Cow::Borrowed(source.path.as_bytes())])
}

fn has_wildcard(path: &str) -> bool {
    glob::has_wildcards(path.as_bytes())
}

fn copy_one(
    graft: &mut Graft,
    from: &Tree,
    source: &[u8],
    dest: &[u8],
    options: &CopyOptions<'_>,
) -> Result<(), StepFailure> {
    let shown = || format!("/{}", String::from_utf8_lossy(source).trim_start_matches('/'));
    graft
        .copy(from, source, dest, options)
        .map_err(|error| match error {
            wharf_tree::GraftError::Source(LookupError::Missing { .. }) => StepFailure::NotFound {
                path: shown(),
                place: "the source".to_owned(),
            },
            source => StepFailure::Graft {
                path: shown(),
                source,
            },
        })
}

/// `--parents`: everything that matches the pattern below the pivot, at the same path below the destination.
fn copy_parents(
    graft: &mut Graft,
    op: &CopyOp,
    source: &PathSource,
    parents: &ParentsPattern,
    tree: &Tree,
    options: &CopyOptions<'_>,
) -> Result<(), StepFailure> {
    let included = PatternMatcher::new([&parents.pattern])?;
    let any = Cell::new(false);
    let include = |path: &TreePath, _: bool| {
        let matches = included.matches(path.as_bytes());
        any.set(any.get() || matches);
        matches
    };
    let options = CopyOptions {
        include: Some(&include),
        ..options.clone()
    };
    for base in matching(source, tree)? {
        copy_one(
            graft,
            tree,
            &base,
            format!("{}/", op.dest.trim_end_matches('/')).as_bytes(),
            &options,
        )?;
    }
    if parents.required && !any.get() {
        return Err(StepFailure::NotFound {
            path: format!("/{}", parents.pattern.trim_start_matches('/')),
            place: "the source".to_owned(),
        });
    }
    Ok(())
}
