//! Files from outside: contexts, images, bases, URLs, repositories.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use wharf_graph::{ContextName, ContextSource, Source};
use wharf_oci::Platform;
use wharf_solver::Task;
use wharf_store::{Store, StoreError};

use super::StepOutput;
use crate::{
    context::{Context, ContextError, ContextFiles, Scan},
    credentials::Credentials,
    image_source::{ImageSourceError, Images},
    net::Network,
    root::Root,
};

/// Everything that a source may name.
#[derive(Debug)]
pub struct SourceRoots {
    /// The store, for stat caches.
    pub store: Store,
    /// Contexts by name.
    pub contexts: HashMap<ContextName, Context>,
    /// Where the contents of contexts are.
    pub files: Arc<ContextFiles>,
    /// Registry images, layouts and bases.
    pub images: Arc<Images>,
    /// For downloads.
    pub network: Arc<Network>,
    /// What servers are told.
    pub credentials: Credentials,
    /// Contexts that were read already in this build.
    pub scanned: Mutex<HashMap<(ContextName, BTreeSet<String>), Root>>,
}

/// A source could not be had.
#[derive(Debug, thiserror::Error)]
pub enum SourceFailure {
    /// A context cannot be read.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// An image or base cannot be had.
    #[error(transparent)]
    Image(#[from] ImageSourceError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Lowering names a context that nobody gave.
    #[error("there is no context called {0}")]
    NoContext(String),
    /// A download failed.
    #[error(transparent)]
    Download(#[from] crate::download::DownloadError),
    /// A repository cannot be had.
    #[error(transparent)]
    Git(#[from] crate::git::GitError),
}

impl SourceFailure {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Image(image) => image.hint(),
            Self::Git(git) => git.hint(),
            _ => None,
        }
    }
}

impl SourceRoots {
    /// The root that a source stands for.
    pub fn root(&self, source: &Source, task: &Task<'_, StepOutput>) -> Result<StepOutput, SourceFailure> {
        let mut commit = None;
        let root = match source {
            Source::Scratch => Root::empty(),
            Source::Context(context) => self.context(context)?,
            Source::Image(image) => self.images.pull(image, &task.step.platform, task)?,
            Source::OciLayout(layout) => self.images.layout(layout, &task.step.platform)?,
            Source::Base(name) => self.images.base(name, &task.step.platform)?,
            Source::Http(http) => {
                crate::download::fetch(http, &self.store, &self.network, &self.credentials)?
            }
            Source::Git(git) => {
                let patience = self.network.patience(task.cancel);
                let checkout = crate::git::checkout(git, &self.store, &self.credentials, &patience)?;
                commit = Some(checkout.commit);
                checkout.root
            }
        };
        Ok(StepOutput {
            root,
            commit,
            ..StepOutput::default()
        })
    }

    /// The root that a source stands for, if all of it is here, or as good as that.
    pub fn at_hand(&self, source: &Source, platform: &Platform) -> Result<Option<Root>, SourceFailure> {
        Ok(match source {
            Source::Scratch => Some(Root::empty()),
            Source::Image(image) => self.images.image_at_hand(image)?,
            Source::OciLayout(layout) => self.images.layout_at_hand(layout, platform)?,
            Source::Context(context) => self.small_context(context)?,
            Source::Base(_) | Source::Http(_) | Source::Git(_) => None,
        })
    }

    fn context(&self, source: &ContextSource) -> Result<Root, SourceFailure> {
        let found = self.scanned(source, |context| {
            context.scan(&self.store, &source.paths).map(Some)
        })?;
        Ok(found.expect("a scan finds something"))
    }

    fn small_context(&self, source: &ContextSource) -> Result<Option<Root>, SourceFailure> {
        self.scanned(source, |context| {
            context.scan_if_small(&self.store, &source.paths)
        })
    }

    /// What was scanned in this build, else what `scan` finds.
    fn scanned(
        &self,
        source: &ContextSource,
        scan: impl FnOnce(&Context) -> Result<Option<Scan>, ContextError>,
    ) -> Result<Option<Root>, SourceFailure> {
        let mut scanned = self.scanned.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (source.name.clone(), source.paths.clone());
        if let Some(root) = scanned.get(&key) {
            return Ok(Some(root.clone()));
        }
        let context = self.contexts.get(&source.name).ok_or_else(|| {
            SourceFailure::NoContext(match &source.name {
                ContextName::Main => "the build context".to_owned(),
                ContextName::Named(name) => name.clone(),
            })
        })?;
        let Some(scan) = scan(context)? else {
            return Ok(None);
        };
        self.files.add(&context.directory, scan.contents);
        let root = Root::in_memory(scan.tree);
        scanned.insert(key, root.clone());
        Ok(Some(root))
    }
}
