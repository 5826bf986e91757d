//! A store and the machine's archives.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tempfile::TempDir;
use tokio::runtime::Runtime;
use wharf_base::{
    Base, BaseError, BaseSettings, Bases, Context, Mirrors, Options, Phase, Progress, Resolution,
    apt::host::HostApt,
};
use wharf_http::Client;
use wharf_oci::Platform;
use wharf_store::{Store, StoreOptions};
use wharf_tree::{Tree, merge};

use crate::chroot::Chroot;

/// One store and everything to make bases in it.
pub(crate) struct Setup {
    pub(crate) folder: TempDir,
    pub(crate) store: Store,
    pub(crate) runtime: Runtime,
    pub(crate) seen: Arc<Seen>,
}

/// Phases that began, with how many items they were about.
#[derive(Default)]
pub(crate) struct Seen(std::sync::Mutex<Vec<(Phase, u64)>>);

impl wharf_base::Observer for Seen {
    fn progress(&self, progress: Progress) {
        if let Progress::Started { phase, items, .. } = progress {
            self.0.lock().unwrap().push((phase, items));
        }
    }
}

impl Seen {
    /// What began since this was asked last.
    pub(crate) fn take(&self) -> Vec<(Phase, u64)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// What the machine lacks for these tests.
pub(crate) fn lacks() -> Option<&'static str> {
    let sources = HostApt::read(Path::new("/")).is_ok_and(|host| !host.sources.is_empty());
    match (sources, rustix::process::geteuid().is_root()) {
        (false, _) => Some("this machine has no apt sources"),
        (_, false) => Some("scripts run in a chroot here, which needs root"),
        _ => None,
    }
}

impl Setup {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store"), StoreOptions::default()).unwrap();
        let runtime = Runtime::new().unwrap();
        Self {
            folder,
            store,
            runtime,
            seen: Arc::default(),
        }
    }

    pub(crate) fn bases(&self) -> Bases {
        let context = Context {
            store: self.store.clone(),
            client: Client::new(wharf_http::Options::default()),
            observer: Arc::clone(&self.seen) as _,
        };
        let options = Options {
            host_root: "/".into(),
            mirrors: Mirrors::default(),
            lifetime: Duration::from_hours(24),
            now: SystemTime::now(),
        };
        Bases::new(context, options).unwrap()
    }

    pub(crate) fn resolve(&self, settings: &str) -> Result<Resolution, BaseError> {
        let settings = BaseSettings::try_from(settings.parse::<toml::Table>().unwrap()).unwrap();
        self.runtime
            .block_on(self.bases().resolve("test", &settings, &Platform::host(), None))
    }

    pub(crate) fn make(&self, resolution: &Resolution) -> Base {
        let chroot = Arc::new(Chroot {
            store: self.store.clone(),
            folder: self.folder.path().to_owned(),
        });
        let made = self.runtime.block_on(self.bases().make(resolution, chroot));
        made.unwrap_or_else(|error| panic!("{}", chain(&error)))
    }

    pub(crate) fn tree(&self, base: &Base) -> Tree {
        let layers = base.layers.iter().map(|id| self.store.layer(id).unwrap());
        layers.fold(Tree::empty(), |tree, layer| merge(&tree, &layer))
    }
}

/// An error with its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
