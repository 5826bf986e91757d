//! Trees and layers: packs under their tree digest, times objects beside them, decoded ones in memory.

use std::{
    collections::HashMap,
    fs::File,
    io,
    mem::ManuallyDrop,
    ops::Range,
    os::unix::fs::FileExt,
    sync::{Arc, Mutex, PoisonError},
};

use rustix::fs::Stat;
use wharf_oci::Digest;
use wharf_tree::{
    DecodeError, Entry, Layer, Node, PackFile, PackIndex, TimesDigest, TimesError, Tree, TreeDigest,
};

use crate::{
    checked::Files,
    disk::Content,
    error::{StoreError, TreeError},
    layout::{self, TIMES, TREES},
    root::LayerId,
    stamp::Stamp,
    store::Store,
};

/// What trees and layers have in common here.
pub(crate) trait Pack: Sized {
    fn from_pack(bytes: Vec<u8>) -> Result<Self, DecodeError>;
    fn from_checked_pack(pack: Arc<dyn PackFile>, index: PackIndex) -> Result<Self, DecodeError>;
    fn pack_index(&self) -> Option<PackIndex>;
    fn digest(&self) -> TreeDigest;
    fn apply_times(&mut self, times: Vec<u8>) -> Result<(), TimesError>;
}

macro_rules! pack {
    ($kind:ty) => {
        impl Pack for $kind {
            fn from_pack(bytes: Vec<u8>) -> Result<Self, DecodeError> {
                <$kind>::from_pack(bytes)
            }

            fn from_checked_pack(pack: Arc<dyn PackFile>, index: PackIndex) -> Result<Self, DecodeError> {
                <$kind>::from_checked_pack(pack, index)
            }

            fn pack_index(&self) -> Option<PackIndex> {
                <$kind>::pack_index(self)
            }

            fn digest(&self) -> TreeDigest {
                <$kind>::digest(self)
            }

            fn apply_times(&mut self, times: Vec<u8>) -> Result<(), TimesError> {
                <$kind>::apply_times(self, times)
            }
        }
    };
}

pack!(Tree);
pack!(Layer);

impl Store {
    /// Keeps a layer: directories and attributes under its tree digest, mtimes as a times object. The file contents are
    /// blobs of their own.
    pub fn put_layer(&self, layer: &Layer) -> Result<LayerId, StoreError> {
        let id = self.put_parts(layer.digest(), || layer.to_pack(), layer.times())?;
        remember(&self.inner.layers, id, layer.clone());
        Ok(id)
    }

    /// Keeps a tree in the same way.
    pub fn put_tree(&self, tree: &Tree) -> Result<LayerId, StoreError> {
        let id = self.put_parts(tree.digest(), || tree.to_pack(), tree.times())?;
        remember(&self.inner.trees, id, tree.clone());
        Ok(id)
    }

    /// Whether a layer's objects are on disk here. What they hold is checked when they are read.
    pub fn has_layer(&self, id: &LayerId) -> Result<bool, StoreError> {
        let there = |directory, digest| Ok(self.disk().stat(&layout::object(directory, digest))?.is_some());
        Ok(there(TREES, &id.tree.0)? && there(TIMES, &id.times.0)?)
    }

    /// Makes sure that a layer's objects are here, and reads those that a crash may have damaged: for who names a layer without reading it.
    pub fn confirm_layer(&self, id: &LayerId) -> Result<(), TreeError> {
        let [tree, times] = [(TREES, &id.tree.0), (TIMES, &id.times.0)]
            .map(|(directory, digest)| layout::object(directory, digest));
        let stat = self.disk().stat(&tree)?.ok_or(TreeError::Missing(id.tree))?;
        let stat_of_times = self
            .disk()
            .stat(&times)?
            .ok_or(TreeError::MissingTimes(id.times))?;
        if self.doubts(&stat)? || self.doubts(&stat_of_times)? {
            self.load::<Layer>(id)?;
            self.disk().touch_written(&tree)?;
            self.disk().touch_written(&times)?;
        }
        Ok(())
    }

    /// A layer with its times; decoded once in this handle's life. It and its blobs stay until this handle is dropped.
    pub fn layer(&self, id: &LayerId) -> Result<Arc<Layer>, TreeError> {
        self.cached(&self.inner.layers, id)
    }

    /// A tree with its times, like [`Store::layer`].
    pub fn tree(&self, id: &LayerId) -> Result<Arc<Tree>, TreeError> {
        self.cached(&self.inner.trees, id)
    }

    fn put_parts(
        &self,
        tree: TreeDigest,
        pack: impl FnOnce() -> Vec<u8>,
        (times, times_bytes): (TimesDigest, Vec<u8>),
    ) -> Result<LayerId, StoreError> {
        let id = LayerId { tree, times };
        self.put_named(TIMES, &times.0, || times_bytes)?;
        self.put_named(TREES, &tree.0, pack)?;
        Ok(id)
    }

    /// Keeps an object under its digest. One that is there stays, unless a crash may have damaged it: writing it again is as cheap as checking.
    pub(crate) fn put_named(
        &self,
        directory: &str,
        digest: &Digest,
        bytes: impl FnOnce() -> Vec<u8>,
    ) -> Result<(), StoreError> {
        let place = layout::object(directory, digest);
        match self.disk().stat(&place)? {
            Some(stat) if !self.doubts(&stat)? && self.mark_used(&place)? => Ok(()),
            _ => self.write_whole(&place, &bytes()),
        }
    }

    fn cached<T: Pack>(&self, memory: &Memory<T>, id: &LayerId) -> Result<Arc<T>, TreeError> {
        let known = memory
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(id)
            .cloned();
        match known {
            Some(known) => Ok(known),
            None => Ok(remember(memory, *id, self.load(id)?)),
        }
    }

    fn load<T: Pack>(&self, id: &LayerId) -> Result<T, TreeError> {
        let at = Stamp::now();
        let pack_place = layout::object(TREES, &id.tree.0);
        let (pack, stat) = self.open_used(&pack_place)?.ok_or(TreeError::Missing(id.tree))?;
        let times = self
            .read_used(&layout::object(TIMES, &id.times.0))?
            .ok_or(TreeError::MissingTimes(id.times))?;
        let files = Files::new(stat, times.stat, at);
        if let Some(index) = self.kept_index(id, &files)? {
            let pack: Arc<dyn PackFile> = if files.is_huge() {
                Arc::new(OnDisk(pack))
            } else {
                Arc::new(self.disk().content(&pack_place, pack, &stat)?)
            };
            let read = read_checked(id, pack, times.bytes, index);
            return read.or_else(|reason| Err(self.damaged(id.tree, TREES, &id.tree.0, reason)?));
        }
        let pack = self.disk().content(&pack_place, pack, &stat)?;
        let mut tree: T = match read_pack(id, pack) {
            Ok(tree) => tree,
            Err(reason) => return Err(self.damaged(id.tree, TREES, &id.tree.0, reason)?),
        };
        let index = tree.pack_index();
        if let Err(reason) = read_times(&mut tree, id, times.bytes) {
            return Err(self.damaged(id.tree, TIMES, &id.times.0, reason)?);
        }
        if let Some(index) = index {
            // Without it the next reader takes longer, and nothing else.
            drop(self.keep_index(id, &files, &index));
        }
        Ok(tree)
    }

    /// Reads an object and marks it as used: what was still at its place for that, garbage collection leaves there.
    pub(crate) fn read_used(&self, place: &str) -> Result<Option<Content>, StoreError> {
        let content = self.disk().read_here(place)?;
        Ok(if self.mark_used(place)? { content } else { None })
    }

    /// The same without reading.
    fn open_used(&self, place: &str) -> Result<Option<(File, Stat)>, StoreError> {
        let opened = self.disk().open_here(place)?;
        Ok(if self.mark_used(place)? { opened } else { None })
    }

    /// Removes a damaged object: from now on it is missing.
    fn damaged(
        &self,
        tree: TreeDigest,
        directory: &str,
        object: &Digest,
        reason: String,
    ) -> Result<TreeError, StoreError> {
        self.disk().remove(&layout::object(directory, object))?;
        self.count_loss();
        Ok(TreeError::Corrupt { digest: tree, reason })
    }
}

/// A pack that stays where it is.
#[derive(Debug)]
struct OnDisk(File);

impl PackFile for OnDisk {
    fn read(&self, range: Range<usize>) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; range.len()];
        self.0.read_exact_at(&mut bytes, range.start as u64)?;
        Ok(bytes)
    }
}

/// Reads what was checked before.
fn read_checked<T: Pack>(
    id: &LayerId,
    pack: Arc<dyn PackFile>,
    times: Vec<u8>,
    index: PackIndex,
) -> Result<T, String> {
    let mut tree = T::from_checked_pack(pack, index).map_err(|error| error.to_string())?;
    if tree.digest() != id.tree {
        return Err(format!("it has the digest {}", tree.digest()));
    }
    tree.apply_times(times).map_err(|error| error.to_string())?;
    Ok(tree)
}

fn read_pack<T: Pack>(id: &LayerId, pack: Vec<u8>) -> Result<T, String> {
    match T::from_pack(pack) {
        Ok(tree) if tree.digest() == id.tree => Ok(tree),
        Ok(tree) => Err(format!("it has the digest {}", tree.digest())),
        Err(error) => Err(error.to_string()),
    }
}

fn read_times<T: Pack>(tree: &mut T, id: &LayerId, times: Vec<u8>) -> Result<(), String> {
    if Digest::of(&times) != id.times.0 {
        return Err("its times object has another digest".to_owned());
    }
    tree.apply_times(times).map_err(|error| error.to_string())
}

/// Decoded trees. They go with the process: to free every entry of a large base takes longer than a build that has nothing to do.
pub(crate) type Memory<T> = ManuallyDrop<Mutex<HashMap<LayerId, Arc<T>>>>;

fn remember<T>(memory: &Memory<T>, id: LayerId, tree: T) -> Arc<T> {
    let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(memory.entry(id).or_insert_with(|| Arc::new(tree)))
}

/// The blobs that a tree or layer names, each as often as it appears. Damaged packs name none.
pub(crate) fn blobs_of_pack(pack: &[u8]) -> Result<Vec<Digest>, DecodeError> {
    let root = match Layer::from_pack(pack) {
        Ok(layer) => layer.root,
        Err(DecodeError::Magic(_)) => Tree::from_pack(pack)?.root,
        Err(error) => return Err(error),
    };
    let mut blobs = Vec::new();
    gather_blobs(&root, &mut blobs);
    Ok(blobs)
}

fn gather_blobs(entry: &Entry, blobs: &mut Vec<Digest>) {
    match &entry.node {
        Node::File { digest, .. } => blobs.push(*digest),
        Node::Dir(dir, _) => dir
            .entries()
            .values()
            .for_each(|entry| gather_blobs(entry, blobs)),
        _ => {}
    }
}
