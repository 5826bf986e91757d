//! Marking what roots need.

use std::collections::HashSet;

use wharf_oci::Digest;

use super::census::{self, Kind, Object};
use crate::{error::StoreError, root::Root, store::Store, tree::blobs_of_pack};

/// Knows which objects are needed.
#[derive(Debug)]
pub(super) struct Marker<'a> {
    store: &'a Store,
    marked: HashSet<Object>,
    /// Trees whose blobs are marked.
    walked: HashSet<Digest>,
}

impl<'a> Marker<'a> {
    pub(super) fn new(store: &'a Store) -> Self {
        Self {
            store,
            marked: HashSet::new(),
            walked: HashSet::new(),
        }
    }

    pub(super) fn is_marked(&self, object: &Object) -> bool {
        self.marked.contains(object)
    }

    /// Marks what these roots need, and gives what was not marked before.
    pub(super) fn mark(&mut self, roots: &[Root]) -> Result<Vec<Object>, StoreError> {
        let mut new = self.mark_without_blobs(roots)?;
        for at in 0..new.len() {
            self.walk_object(new[at], &mut new)?;
        }
        Ok(new)
    }

    /// Marks an object for itself, with the blobs if it is a tree.
    pub(super) fn mark_object(&mut self, object: Object) -> Result<Vec<Object>, StoreError> {
        let mut new = Vec::new();
        self.add(object, &mut new);
        self.walk_object(object, &mut new)?;
        Ok(new)
    }

    /// Like [`Marker::mark`], without what is in the trees.
    pub(super) fn mark_without_blobs(&mut self, roots: &[Root]) -> Result<Vec<Object>, StoreError> {
        let mut new = Vec::new();
        for root in roots {
            self.mark_root(root, &mut new)?;
        }
        Ok(new)
    }

    /// Marks all blobs of all trees that there are: a tree in the store is never without those that the store had.
    pub(super) fn mark_all_trees(&mut self) -> Result<(), StoreError> {
        for tree in census::digests(self.store, Kind::Tree)? {
            self.walk_object((Kind::Tree, tree), &mut Vec::new())?;
        }
        Ok(())
    }

    /// Takes marks back.
    pub(super) fn unmark(&mut self, objects: &[Object]) {
        for object in objects {
            self.marked.remove(object);
            self.walked.remove(&object.1);
        }
    }

    fn mark_root(&mut self, root: &Root, new: &mut Vec<Object>) -> Result<(), StoreError> {
        match root {
            Root::Blob(blob) => self.add((Kind::Blob, *blob), new),
            Root::Paths(paths) => self.add((Kind::Paths, *paths), new),
            Root::Layer(id) => {
                self.add((Kind::Times, id.times.0), new);
                self.add((Kind::Tree, id.tree.0), new);
            }
            Root::Result(key) => {
                for root in self.store.roots_of_result(key)? {
                    self.mark_root(&root, new)?;
                }
            }
        }
        Ok(())
    }

    fn walk_object(&mut self, (kind, tree): Object, new: &mut Vec<Object>) -> Result<(), StoreError> {
        if kind != Kind::Tree || !self.walked.insert(tree) {
            return Ok(());
        }
        let pack = self.store.disk().read(&kind.place(&tree))?;
        let blobs: Vec<Digest> = pack
            .and_then(|pack| blobs_of_pack(&pack).ok())
            .unwrap_or_default();
        for blob in blobs {
            self.add((Kind::Blob, blob), new);
        }
        Ok(())
    }

    fn add(&mut self, object: Object, new: &mut Vec<Object>) {
        if self.marked.insert(object) {
            new.push(object);
        }
    }
}
