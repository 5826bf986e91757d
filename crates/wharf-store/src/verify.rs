//! Checking every object against its name.

use std::{
    collections::HashSet,
    iter, mem,
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use wharf_oci::Digest;
use wharf_tree::{DecodeError, Layer, Tree};

use crate::{
    damage::Lost,
    error::StoreError,
    gc::{GcError, Kind, digests},
    image, pin,
    root::Root,
    store::Store,
    tree::blobs_of_pack,
};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Damage {
    /// Where.
    pub path: PathBuf,
    /// What.
    pub reason: String,
}

/// What a check of the whole store found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VerifyReport {
    /// How many objects were read.
    pub objects: u64,
    /// Their length in bytes.
    pub bytes: u64,
    /// Blobs that trees name and that are not here: fetched when they are needed.
    pub absent: u64,
    /// What is wrong, sorted by path. Damaged objects, and what leads to them, have been removed: they are misses from now
    /// on. Images and pins that need them stay, and are broken until they are built or pulled again.
    pub damage: Vec<Damage>,
}

impl Store {
    /// Hashes every object, decodes every tree, and looks whether what results, memos, images and pins name is here.
    pub fn verify(&self) -> Result<VerifyReport, GcError> {
        let lock = self.lock_maintenance()?;
        let check = Check {
            store: self,
            report: Mutex::default(),
            lost: Mutex::default(),
        };
        check.objects()?;
        check.entries()?;
        check.images_and_pins()?;
        let absent = check.absent_blobs()?;
        drop(lock);
        let mut report = check.report.into_inner().unwrap_or_else(PoisonError::into_inner);
        report.damage.sort();
        Ok(VerifyReport { absent, ..report })
    }
}

struct Check<'a> {
    store: &'a Store,
    report: Mutex<VerifyReport>,
    lost: Mutex<Lost>,
}

impl Check<'_> {
    /// Reads all objects, on all processors, and removes those that are not what they should be.
    fn objects(&self) -> Result<(), StoreError> {
        let mut objects = Vec::new();
        for kind in Kind::ALL {
            objects.extend(
                digests(self.store, kind)?
                    .into_iter()
                    .map(|digest| (kind, digest)),
            );
        }
        let next = AtomicUsize::new(0);
        let work = || {
            let mine = iter::from_fn(|| objects.get(next.fetch_add(1, Ordering::Relaxed)));
            mine.into_iter()
                .try_for_each(|(kind, digest)| self.object(*kind, digest))
        };
        thread::scope(|scope| {
            let count = thread::available_parallelism().map_or(1, usize::from);
            let threads: Vec<_> = (0..count).map(|_| scope.spawn(work)).collect();
            threads
                .into_iter()
                .try_for_each(|thread| thread.join().expect("a check does not panic"))
        })
    }

    fn object(&self, kind: Kind, digest: &Digest) -> Result<(), StoreError> {
        let place = kind.place(digest);
        let found = match kind {
            Kind::Tree => self.store.disk().read(&place)?.map(|pack| digest_of_pack(&pack)),
            Kind::Blob | Kind::Times | Kind::Paths => self.store.hash_of(&place)?.map(Ok),
        };
        // Somebody has just removed it.
        let Some(found) = found else { return Ok(()) };
        self.count(&place)?;
        let reason = match found {
            Ok(found) if found == *digest => return Ok(()),
            Ok(found) => format!("its content has the digest {found}"),
            Err(reason) => reason,
        };
        self.store.disk().remove(&place)?;
        self.lost
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .add(kind, *digest);
        self.damage(&place, reason);
        Ok(())
    }

    fn count(&self, place: &str) -> Result<(), StoreError> {
        let length = self
            .store
            .disk()
            .stat(place)?
            .map_or(0, |stat| stat.st_size as u64);
        let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        report.objects += 1;
        report.bytes += length;
        Ok(())
    }

    fn damage(&self, place: &str, reason: String) {
        let path = self.store.disk().locate(place);
        let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        report.damage.push(Damage { path, reason });
    }

    /// Removes the entries that are damaged themselves, that lead to something damaged, or that name what is not here.
    fn entries(&self) -> Result<(), StoreError> {
        let lost = mem::take(&mut *self.lost.lock().unwrap_or_else(PoisonError::into_inner));
        for place in self.store.forget(lost)? {
            self.damage(&place, "it is damaged, or leads to something that is".to_owned());
        }
        for entry in self.store.entries()? {
            if let Some(missing) = self.first_missing(entry.roots.as_deref().unwrap_or_default())? {
                self.store.disk().remove(&entry.place)?;
                self.damage(&entry.place, missing);
            }
        }
        Ok(())
    }

    fn images_and_pins(&self) -> Result<(), StoreError> {
        let images = self
            .store
            .images()?
            .into_iter()
            .map(|(name, image)| (image::place(&name), image.roots()));
        let pins = self
            .store
            .pins()?
            .into_iter()
            .map(|(name, roots)| (pin::place(&name), roots));
        for (place, roots) in images.chain(pins) {
            if let Some(missing) = self.first_missing(&roots)? {
                self.damage(&place, missing);
            }
        }
        Ok(())
    }

    /// What is said of the first root that is not here whole.
    fn first_missing(&self, roots: &[Root]) -> Result<Option<String>, StoreError> {
        for root in roots {
            let (objects, name) = objects_of(root);
            for (kind, digest) in objects {
                if self.store.disk().stat(&kind.place(&digest))?.is_none() {
                    return Ok(Some(format!("it names {name} {digest}, which is not here")));
                }
            }
        }
        Ok(None)
    }

    fn absent_blobs(&self) -> Result<u64, StoreError> {
        let here: HashSet<_> = digests(self.store, Kind::Blob)?.into_iter().collect();
        let mut absent = HashSet::new();
        for tree in digests(self.store, Kind::Tree)? {
            let pack = self.store.disk().read(&Kind::Tree.place(&tree))?;
            let blobs = pack
                .and_then(|pack| blobs_of_pack(&pack).ok())
                .unwrap_or_default();
            absent.extend(blobs.into_iter().filter(|blob| !here.contains(blob)));
        }
        Ok(absent.len() as u64)
    }
}

/// The objects that a root names itself.
fn objects_of(root: &Root) -> (Vec<(Kind, Digest)>, &'static str) {
    match root {
        Root::Blob(blob) => (vec![(Kind::Blob, *blob)], "blob"),
        Root::Paths(paths) => (vec![(Kind::Paths, *paths)], "path set"),
        Root::Layer(id) => (
            vec![(Kind::Tree, id.tree.0), (Kind::Times, id.times.0)],
            "tree or times object",
        ),
        Root::Result(_) => (Vec::new(), "result"),
    }
}

fn digest_of_pack(pack: &[u8]) -> Result<Digest, String> {
    let layer = match Layer::from_pack(pack) {
        Ok(layer) => return Ok(layer.digest().0),
        Err(error) => error,
    };
    match (Tree::from_pack(pack), layer) {
        (Ok(tree), _) => Ok(tree.digest().0),
        (Err(_), error) if !matches!(error, DecodeError::Magic(_)) => Err(error.to_string()),
        (Err(error), _) => Err(error.to_string()),
    }
}
