//! Images as roots: pulled from registries, found in the store, read from layouts, or made of packages.

mod base;
mod error;
mod layers;
mod layout;
mod pull;
mod push;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use wharf_base::BaseSettings;
use wharf_graph::{BaseImage, Source};
use wharf_oci::{Digest, Platform};
use wharf_registry::{Registry, Settings as RegistrySettings, SettingsFiles};
use wharf_store::Store;

pub use base::BaseOptions;
pub use error::{ImageSourceError, PushError};
pub use layers::LayerImportError;

use crate::{
    build::Phases,
    exec::Processes,
    net::Network,
    root::{Root, Roots},
};

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
    bases: Mutex<BTreeMap<String, BaseSettings>>,
    base_lock: Mutex<Option<std::path::PathBuf>>,
    /// Roots by manifest, so that one image is imported once a build.
    pulled: Mutex<BTreeMap<Digest, Root>>,
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
            bases: Mutex::default(),
            base_lock: Mutex::default(),
            pulled: Mutex::default(),
        }
    }

    /// Tells which bases the project has, and where its `wharf.toml` is.
    pub fn set_bases(&self, bases: &crate::request::Bases) {
        self.bases
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone_from(&bases.tables);
        self.base_lock
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone_from(&bases.file);
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
    pub(crate) fn config(
        &self,
        source: &Source,
        platform: &Platform,
        phases: &Phases<'_>,
    ) -> Result<BaseImage, ImageSourceError> {
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
            Source::Base(name) => self.base_config(name, platform, phases),
            _ => Ok(BaseImage {
                config: wharf_oci::config::ImageConfig::default(),
                digest: None,
            }),
        }
    }
}
