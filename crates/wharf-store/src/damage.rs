//! What follows from an object that turned out to be damaged: it goes, and so does every answer that would lead to it.

use std::{collections::HashSet, sync::atomic::Ordering};

use wharf_oci::Digest;
use wharf_tree::TreeDigest;

use crate::{
    error::StoreError,
    gc::Kind,
    layout::{self, TREES},
    root::Root,
    store::Store,
    tree::blobs_of_pack,
};

/// Objects that are not to be had any more.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    blobs: HashSet<Digest>,
    trees: HashSet<TreeDigest>,
    times: HashSet<Digest>,
    paths: HashSet<Digest>,
}

impl Lost {
    pub(crate) fn add(&mut self, kind: Kind, digest: Digest) {
        match kind {
            Kind::Blob => self.blobs.insert(digest),
            Kind::Tree => self.trees.insert(TreeDigest(digest)),
            Kind::Times => self.times.insert(digest),
            Kind::Paths => self.paths.insert(digest),
        };
    }

    /// Whether something that needs this root cannot be had whole.
    fn has(&self, root: &Root) -> bool {
        match root {
            Root::Blob(digest) => self.blobs.contains(digest),
            Root::Layer(id) => self.trees.contains(&id.tree) || self.times.contains(&id.times.0),
            Root::Paths(digest) => self.paths.contains(digest),
            Root::Result(_) => false,
        }
    }
}

impl Store {
    /// Forgets every result, memo and slot that leads to this blob, which is missing or damaged and which no source gives: a later
    /// build then runs the step again instead of failing on it for ever. Reads every tree.
    pub fn forget_users_of(&self, blob: &Digest) -> Result<(), StoreError> {
        self.count_loss();
        self.forget(Lost {
            blobs: HashSet::from([*blob]),
            ..Lost::default()
        })
        .map(drop)
    }

    /// How many objects this handle has found damaged or lost. Each is gone, and so is what led to it, so that who failed because of
    /// one gets further when he tries again.
    pub fn losses(&self) -> u64 {
        self.inner.losses.load(Ordering::Relaxed)
    }

    pub(crate) fn count_loss(&self) {
        self.inner.losses.fetch_add(1, Ordering::Relaxed);
    }

    /// Removes a blob whose bytes are not its own.
    pub(crate) fn drop_damaged(&self, blob: &Digest) -> Result<(), StoreError> {
        self.disk().remove(&layout::blob(blob))?;
        self.forget_users_of(blob)
    }

    /// Removes the entries that lead to what is lost, and says which.
    pub(crate) fn forget(&self, mut lost: Lost) -> Result<Vec<String>, StoreError> {
        self.add_trees_with_lost_blobs(&mut lost)?;
        let mut forgotten = Vec::new();
        for entry in self.entries()? {
            if entry
                .roots
                .is_none_or(|roots| roots.iter().any(|root| lost.has(root)))
            {
                self.disk().remove(&entry.place)?;
                forgotten.push(entry.place);
            }
        }
        Ok(forgotten)
    }

    fn add_trees_with_lost_blobs(&self, lost: &mut Lost) -> Result<(), StoreError> {
        if lost.blobs.is_empty() {
            return Ok(());
        }
        for name in self.disk().list(TREES)? {
            let pack = self.disk().read(&layout::file(TREES, &name))?;
            let (Some(pack), Ok(digest)) = (pack, Digest::from_hex(&name)) else {
                continue;
            };
            if blobs_of_pack(&pack).is_ok_and(|blobs| blobs.iter().any(|blob| lost.blobs.contains(blob))) {
                lost.trees.insert(TreeDigest(digest));
            }
        }
        Ok(())
    }
}
