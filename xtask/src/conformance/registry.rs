//! A registry on loopback with images to begin from: what `registry/images/NAME/Dockerfile` makes, with the flags of a file `flags`
//! beside it, is `{registry}/NAME:1`, and its digest `{digest NAME}`.

use std::{collections::BTreeMap, fs, path::Path};

use wharf_testkit::docker_registry::{DockerRegistry, Setup};

use super::{case, wharf::Wharf};

/// Below the cases.
const IMAGES: &str = "registry/images";

/// A running registry, ended when dropped.
pub(crate) struct Registry {
    server: DockerRegistry,
    digests: BTreeMap<String, String>,
}

impl Registry {
    /// Starts one and lets `wharf` fill it.
    pub(crate) fn start(cases: &Path, wharf: &Wharf) -> Result<Self, String> {
        let mut registry = Self {
            server: DockerRegistry::start(&Setup::default()).ok_or("docker-registry is not installed")?,
            digests: BTreeMap::new(),
        };
        for folder in case::folders(&cases.join(IMAGES))? {
            let name = case::name_of(&folder);
            let tag = format!("{}/{name}:1", registry.server.authority());
            let flags = case::lines(&folder.join("flags"))?;
            let digest = wharf.push(&folder, &flags, &tag)?;
            registry.digests.insert(name, digest);
        }
        Ok(registry)
    }

    /// `text` with what stands for the registry and its images replaced.
    pub(crate) fn placed(&self, text: &str) -> String {
        let text = text.replace("{registry}", &self.server.authority());
        self.digests.iter().fold(text, |text, (name, digest)| {
            text.replace(&format!("{{digest {name}}}"), digest)
        })
    }
}

/// The digest that a build's metadata name.
pub(crate) fn digest_in(metadata: &Path) -> Result<String, String> {
    let text = fs::read(metadata).map_err(|error| format!("{}: {error}", metadata.display()))?;
    let document: serde_json::Value =
        serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", metadata.display()))?;
    let digest = document["containerimage.digest"].as_str();
    digest
        .map(str::to_owned)
        .ok_or_else(|| format!("no digest in {document}"))
}
