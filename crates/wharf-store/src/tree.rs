//! Trees and layers: packs under their tree digest, times objects beside them, decoded ones in memory.

use std::sync::Arc;

use wharf_tree::{Layer, Tree};

use crate::{
    error::{StoreError, TreeError},
    root::LayerId,
    store::Store,
};

impl Store {
    /// Keeps a layer: directories and attributes under its tree digest, mtimes as a times object. The file contents are
    /// blobs of their own.
    pub fn put_layer(&self, _layer: &Layer) -> Result<LayerId, StoreError> {
        unimplemented!()
    }

    /// Keeps a tree in the same way.
    pub fn put_tree(&self, _tree: &Tree) -> Result<LayerId, StoreError> {
        unimplemented!()
    }

    /// A layer with its times; decoded once in this handle's life. It and its blobs stay until this handle is dropped.
    pub fn layer(&self, _id: &LayerId) -> Result<Arc<Layer>, TreeError> {
        unimplemented!()
    }

    /// A tree with its times, like [`Store::layer`].
    pub fn tree(&self, _id: &LayerId) -> Result<Arc<Tree>, TreeError> {
        unimplemented!()
    }
}
