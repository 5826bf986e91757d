//! Root filesystems of steps: which layers they are made of, and their merged trees, merged once.

use std::{
    collections::HashMap,
    mem::ManuallyDrop,
    sync::{Arc, Mutex, PoisonError},
};

use wharf_oci::{Digest, Hasher};
use wharf_store::{LayerId, Store, StoreError, TreeError};
use wharf_tree::{Layer, Tree, TreeDigest, merge, regraft};

/// What a step works on or made: layers (base layer first), and the digest of the tree that they merge to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// Base layer first.
    pub layers: Layers,
    /// What names the merged tree.
    pub tree: TreeDigest,
}

/// Where the files of a [`Root`] are known from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layers {
    /// Layers of the store.
    Stored(Vec<LayerId>),
    /// A tree of this process: a context, whose files are where the user has them.
    InMemory(Arc<Tree>),
}

impl Root {
    /// A tree that is not in the store.
    pub fn in_memory(tree: Tree) -> Self {
        Self {
            tree: tree.digest(),
            layers: Layers::InMemory(Arc::new(tree)),
        }
    }

    /// `scratch`.
    pub fn empty() -> Self {
        Self {
            tree: Tree::empty().digest(),
            layers: Layers::Stored(Vec::new()),
        }
    }

    /// The layers of the store; none for a tree that is only in memory.
    pub fn stored(&self) -> &[LayerId] {
        match &self.layers {
            Layers::Stored(layers) => layers,
            Layers::InMemory(_) => &[],
        }
    }

    /// Names the layers with their times: equal only where every file's time is equal too.
    pub fn layers_digest(&self) -> Digest {
        let mut hasher = Hasher::new();
        hasher.update(b"wharf layers 1\0");
        for layer in self.stored() {
            hasher.update(layer.tree.0.as_bytes());
            hasher.update(layer.times.0.as_bytes());
        }
        hasher.update(self.tree.0.as_bytes());
        hasher.finish()
    }

    /// This root with one more layer, whose merged tree is known.
    #[must_use]
    pub fn with_layer(&self, layer: LayerId, tree: TreeDigest) -> Self {
        let mut layers = self.stored().to_vec();
        layers.push(layer);
        Self {
            layers: Layers::Stored(layers),
            tree,
        }
    }
}

/// Merged trees by their layers, so that a chain of steps merges each layer once.
#[derive(Debug)]
pub struct Roots {
    store: Store,
    /// They go with the process, as the store's do.
    merged: ManuallyDrop<Mutex<HashMap<Vec<LayerId>, Arc<Tree>>>>,
    /// Chains of layers whose merged tree the store keeps.
    kept: Mutex<HashMap<Vec<LayerId>, LayerId>>,
}

impl Roots {
    /// Trees of the layers in `store`.
    pub fn new(store: Store) -> Self {
        Self {
            store,
            merged: ManuallyDrop::default(),
            kept: Mutex::default(),
        }
    }

    /// The merged tree, times included.
    pub fn tree(&self, root: &Root) -> Result<Arc<Tree>, TreeError> {
        match &root.layers {
            Layers::InMemory(tree) => Ok(Arc::clone(tree)),
            Layers::Stored(layers) => self.of_layers(layers),
        }
    }

    /// Stores `layer` and gives the root that it makes on top of `parent`.
    pub fn push(&self, parent: &Root, layer: &Layer) -> Result<(LayerId, Root), PushError> {
        let below = self.tree(parent)?;
        let id = self.store.put_layer(layer)?;
        let tree = Arc::new(merge(&below, layer));
        let root = parent.with_layer(id, tree.digest());
        self.remember(root.stored().to_vec(), &tree);
        Ok((id, root))
    }

    /// The root that a layer made on another parent makes on `parent`; `None` when it does not fit there.
    pub fn regraft(&self, parent: &Root, id: LayerId) -> Result<Option<Root>, TreeError> {
        let below = self.tree(parent)?;
        let Ok(tree) = regraft(&below, &*self.store.layer(&id)?) else {
            return Ok(None);
        };
        let root = parent.with_layer(id, tree.digest());
        self.remember(root.stored().to_vec(), &Arc::new(tree));
        Ok(Some(root))
    }

    /// What these layers merge to, base layer first.
    pub fn of_layers(&self, layers: &[LayerId]) -> Result<Arc<Tree>, TreeError> {
        let known = (0..=layers.len())
            .rev()
            .find_map(|length| Some((length, self.known(&layers[..length])?)));
        let (length, mut tree) = known.unwrap_or_else(|| (0, Arc::new(Tree::empty())));
        for (index, id) in layers.iter().enumerate().skip(length) {
            tree = Arc::new(merge(&tree, &*self.store.layer(id)?));
            self.remember(layers[..=index].to_vec(), &tree);
        }
        Ok(tree)
    }

    /// Puts the merged tree of a base's layers into the store, so that nobody merges them again. `None` of a single one, which is that
    /// tree.
    pub fn keep_merged(&self, root: &Root) -> Result<Option<LayerId>, PushError> {
        if root.stored().len() < 2 {
            return Ok(None);
        }
        let id = self.store.put_tree(&*self.tree(root)?)?;
        Ok(Some(id))
    }

    /// Says that the tree `id` of the store is what these layers merge to.
    pub fn is_kept(&self, layers: &[LayerId], id: LayerId) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(layers.to_vec(), id);
    }

    fn known(&self, layers: &[LayerId]) -> Option<Arc<Tree>> {
        let merged = self.merged.lock().unwrap_or_else(PoisonError::into_inner);
        let known = merged.get(layers).cloned();
        drop(merged);
        known.or_else(|| self.kept(layers))
    }

    /// One that is lost or damaged is merged again.
    fn kept(&self, layers: &[LayerId]) -> Option<Arc<Tree>> {
        let id = *self
            .kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(layers)?;
        self.store.tree(&id).ok()
    }

    fn remember(&self, layers: Vec<LayerId>, tree: &Arc<Tree>) {
        self.merged
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(layers, Arc::clone(tree));
    }
}

/// A layer could not be added to a root.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The parent's layers cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The layer cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}
