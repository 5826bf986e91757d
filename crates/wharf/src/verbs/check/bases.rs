//! What `wharf check` knows of bases: what the store has, for it asks no network and makes nothing.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use wharf_build::{check::of_base, image_source::Images};
use wharf_dockerfile::lint::BaseImage;
use wharf_oci::Platform;

use crate::{
    args::cli::GlobalArgs,
    machine::{self, Choices},
    report::{Code, Report},
    settings::find_project,
};

/// The images of the store, if there is one, and the names that are none.
pub(super) struct StoredBases {
    images: Option<Arc<Images>>,
    /// Bases of the project, which are made of packages.
    made: BTreeSet<String>,
}

impl StoredBases {
    /// Those for the Dockerfiles of a project. A machine that has no store yet gets none.
    pub(super) fn open(global: &GlobalArgs, directory: &Path) -> Result<Self, Report> {
        let project = find_project(directory).map_err(|error| {
            let hint = error.hint();
            Report::new(Code::Usage, error).with_hint(hint)
        })?;
        let made = project.bases.into_keys().collect();
        let images = match machine::local_if_there(global)? {
            Some(local) => Some(machine::machine(&local, &Choices::default())?.images),
            None => None,
        };
        Ok(Self { images, made })
    }

    /// What rules want to know of a base. One that cannot be read is not known.
    pub(super) fn get(&self, name: &str, platform: &Platform) -> Option<BaseImage> {
        let images = self.images.as_ref().filter(|_| !self.made.contains(name))?;
        let config = images.known_config(name, platform).ok().flatten()?;
        Some(of_base(&config))
    }
}
