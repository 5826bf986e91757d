//! Images as roots: pulled from registries, found in the store, read from layouts, or made of packages.

mod base;
mod connections;
mod error;
mod layers;
mod layout;
mod pull;
mod pull_index;
mod push;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use wharf_graph::{BaseImage, Source};
use wharf_oci::Platform;
use wharf_registry::{Registry, Settings as RegistrySettings, SettingsFiles};
use wharf_solver::{Cancel, Observer};
use wharf_store::Store;

pub use base::{BaseError, BaseOptions, debian_architecture};
pub use error::{ImageSourceError, PushError};
pub use layers::LayerImportError;
pub use pull_index::WantedPlatforms;

use crate::{emulation::Emulation, exec::Processes, from_lock::FromLock, net::Network, root::Roots};

/// Images that FROM and `--from` may name.
#[derive(Debug)]
pub struct Images {
    store: Store,
    roots: Arc<Roots>,
    network: Arc<Network>,
    registry_files: SettingsFiles,
    registry: OnceLock<Registry>,
    base_options: BaseOptions,
    processes: Arc<Processes>,
    emulation: Arc<Emulation>,
    project: Mutex<base::Project>,
}

/// What images need of the machine.
#[derive(Debug)]
pub struct ImagesOptions {
    /// Where everything is kept.
    pub store: Store,
    /// Merged trees.
    pub roots: Arc<Roots>,
    /// Talks to registries and mirrors.
    pub network: Arc<Network>,
    /// The registries' settings.
    pub registry_files: SettingsFiles,
    /// Where packages come from.
    pub bases: BaseOptions,
    /// Runs the configuration of bases.
    pub processes: Arc<Processes>,
    /// Says how those of other processors are run.
    pub emulation: Arc<Emulation>,
}

impl Images {
    /// Nothing is read or connected yet.
    pub fn new(options: ImagesOptions) -> Self {
        Self {
            store: options.store,
            roots: options.roots,
            network: options.network,
            registry_files: options.registry_files,
            registry: OnceLock::new(),
            base_options: options.bases,
            processes: options.processes,
            emulation: options.emulation,
            project: Mutex::default(),
        }
    }

    /// Tells what the project has and who listens, before a build begins.
    pub fn begin(
        &self,
        bases: &crate::request::Bases,
        pull: bool,
        observer: Option<Arc<dyn Observer + Send + Sync>>,
        cancel: &Cancel,
    ) {
        *self.project() = base::Project {
            bases: bases.tables.clone(),
            file: bases.file.clone(),
            pull,
            observer,
            cancel: cancel.clone(),
            from: FromLock::default(),
            made: BTreeMap::new(),
            layouts: BTreeMap::new(),
        };
    }

    /// What the references of FROM are locked to.
    pub fn set_from_lock(&self, lock: FromLock) {
        self.project().from = lock;
    }

    fn project(&self) -> MutexGuard<'_, base::Project> {
        self.project.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client for registries; its settings are read when it is first needed.
    pub fn registry(&self) -> Result<&Registry, ImageSourceError> {
        if let Some(registry) = self.registry.get() {
            return Ok(registry);
        }
        let settings = RegistrySettings::read(&self.registry_files)?;
        let http = self.network.client().options().clone();
        let options = wharf_registry::Options {
            http,
            settings,
            ..wharf_registry::Options::default()
        };
        Ok(self.registry.get_or_init(|| Registry::new(options)))
    }

    /// The configuration of a base, and the digest of its manifest.
    pub(crate) fn config(&self, source: &Source, platform: &Platform) -> Result<BaseImage, ImageSourceError> {
        match source {
            Source::Image(image) => {
                let found = self.resolve(image, platform)?;
                Ok(BaseImage {
                    config: found.config,
                    digest: Some(found.manifest),
                })
            }
            Source::OciLayout(layout) => {
                let found = self.read_layout(layout, platform)?;
                Ok(BaseImage {
                    config: found.config,
                    digest: Some(found.manifest),
                })
            }
            Source::Base(name) => self.base_config(name, platform),
            _ => Ok(BaseImage {
                config: wharf_oci::config::ImageConfig::default(),
                digest: None,
            }),
        }
    }
}
