//! Counting what is there: every object that has a digest for a name.

use std::collections::HashMap;

use wharf_oci::Digest;

use super::{mark::Marker, sweep::Victim};
use crate::{
    disk::allocated,
    error::StoreError,
    layout::{self, BLOBS, PATHS, TIMES, TREES},
    stamp::Stamp,
    store::Store,
};

/// Kinds of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Blob,
    Tree,
    Times,
    Paths,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Blob, Self::Tree, Self::Times, Self::Paths];

    pub(crate) fn place(self, digest: &Digest) -> String {
        match self {
            Self::Blob => layout::blob(digest),
            Self::Tree => layout::object(TREES, digest),
            Self::Times => layout::object(TIMES, digest),
            Self::Paths => layout::object(PATHS, digest),
        }
    }

    fn directories(self, store: &Store) -> Result<Vec<String>, StoreError> {
        let shards = |shards: Vec<String>| shards.iter().map(|shard| layout::file(BLOBS, shard)).collect();
        Ok(match self {
            Self::Blob => shards(store.disk().list(BLOBS)?),
            Self::Tree => vec![TREES.to_owned()],
            Self::Times => vec![TIMES.to_owned()],
            Self::Paths => vec![PATHS.to_owned()],
        })
    }
}

/// An object's name.
pub(crate) type Object = (Kind, Digest);

/// What is known of an object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counted {
    /// What it takes on disk.
    pub(crate) bytes: u64,
    /// When it was written or used.
    pub(crate) used: Stamp,
}

/// All objects at one moment, more or less: later ones are not in it, and so are not touched.
#[derive(Debug)]
pub(crate) struct Census {
    pub(crate) objects: HashMap<Object, Counted>,
}

impl Census {
    pub(crate) fn take(store: &Store) -> Result<Self, StoreError> {
        let mut objects = HashMap::new();
        for kind in Kind::ALL {
            for digest in digests(store, kind)? {
                if let Some(stat) = store.disk().stat(&kind.place(&digest))? {
                    let counted = Counted {
                        bytes: allocated(&stat),
                        used: Stamp::used(&stat),
                    };
                    objects.insert((kind, digest), counted);
                }
            }
        }
        Ok(Self { objects })
    }

    /// Objects of these kinds that are not marked and were not used lately.
    pub(super) fn unmarked(&self, kinds: &[Kind], marker: &Marker<'_>, horizon: Stamp) -> Vec<Victim> {
        let old = |(object, counted): &(&Object, &Counted)| {
            kinds.contains(&object.0) && counted.used < horizon && !marker.is_marked(object)
        };
        let victims = self.objects.iter().filter(old);
        victims
            .map(|((kind, digest), counted)| Victim {
                place: kind.place(digest),
                counted: *counted,
            })
            .collect()
    }
}

/// The names of all objects of a kind.
pub(crate) fn digests(store: &Store, kind: Kind) -> Result<Vec<Digest>, StoreError> {
    let mut digests = Vec::new();
    for directory in kind.directories(store)? {
        let names = store.disk().list(&directory)?;
        digests.extend(names.iter().filter_map(|name| Digest::from_hex(name).ok()));
    }
    Ok(digests)
}
