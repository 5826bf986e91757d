//! Images in OCI layouts on disk. OCI image specification, "Image Layout".

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Arc,
};

use wharf_graph::LayoutSource;
use wharf_oci::{Descriptor, Digest, Document, Index, Manifest, Platform};

use super::{ImageSourceError, Images, pull::Resolved};
use crate::root::Root;

/// The annotation that holds a manifest's tag.
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// Indexes lie in indexes no deeper than this.
const MAX_DEPTH: usize = 4;

impl Images {
    /// What of the layout is meant; its documents are in the store then.
    pub(super) fn read_layout(
        &self,
        source: &LayoutSource,
        platform: &Platform,
    ) -> Result<Resolved, ImageSourceError> {
        let layout = Layout::of(source);
        let (digest, manifest) = self.found_in_layout(source, platform)?;
        layout.bring(self, &digest, None)?;
        layout.bring(self, &manifest.config.digest, Some(manifest.config.size))?;
        Ok(Resolved {
            manifest: digest,
            config: self.image_config(&manifest)?,
        })
    }

    /// The digest of the manifest that a layout has for the platform.
    pub fn layout_digest(
        &self,
        source: &LayoutSource,
        platform: &Platform,
    ) -> Result<Digest, ImageSourceError> {
        Ok(self.found_in_layout(source, platform)?.0)
    }

    /// What a layout has for the platform, looked for once in a build: configuration and files are those of one image, whoever writes to
    /// the layout meanwhile.
    fn found_in_layout(
        &self,
        source: &LayoutSource,
        platform: &Platform,
    ) -> Result<(Digest, Arc<Manifest>), ImageSourceError> {
        let key = (source.clone(), platform.to_string());
        if let Some(found) = self.project().layouts.get(&key) {
            return Ok(found.clone());
        }
        let (digest, manifest) = Layout::of(source).find(source, platform)?;
        let found = (digest, Arc::new(manifest));
        self.project().layouts.insert(key, found.clone());
        Ok(found)
    }

    /// The files of a layout's image, if it was unpacked before.
    pub fn layout_at_hand(
        &self,
        source: &LayoutSource,
        platform: &Platform,
    ) -> Result<Option<Root>, ImageSourceError> {
        Ok(self.known_root(&self.layout_digest(source, platform)?)?)
    }

    /// The files of a layout's image.
    pub fn layout(&self, source: &LayoutSource, platform: &Platform) -> Result<Root, ImageSourceError> {
        let layout = Layout::of(source);
        let (digest, manifest) = self.found_in_layout(source, platform)?;
        if let Some(root) = self.known_root(&digest)? {
            return Ok(root);
        }
        for blob in manifest.layers.iter().chain([&manifest.config]) {
            layout.bring(self, &blob.digest, Some(blob.size))?;
        }
        let config = self.image_config(&manifest)?;
        self.unpack(&digest, &manifest, &config)
    }
}

struct Layout {
    path: PathBuf,
}

impl Layout {
    fn of(source: &LayoutSource) -> Self {
        Self {
            path: PathBuf::from(&source.path),
        }
    }

    fn find(
        &self,
        source: &LayoutSource,
        platform: &Platform,
    ) -> Result<(Digest, Manifest), ImageSourceError> {
        let index: Index = self.parse(&self.path.join("index.json"))?;
        let wanted = match (&source.digest, &source.tag) {
            (Some(digest), _) => return self.manifest(*digest, platform, 0),
            (None, Some(tag)) => tagged(&index, tag, platform),
            (None, None) => tagged(&index, "latest", platform).or_else(|| match &index.manifests[..] {
                [only] => Some(only),
                _ => index.select(platform),
            }),
        };
        let name = source.tag.as_deref().unwrap_or("latest");
        let descriptor = wanted.ok_or_else(|| self.lacks(format!("image tagged `{name}`")))?;
        self.manifest(descriptor.digest, platform, 0)
    }

    fn manifest(
        &self,
        digest: Digest,
        platform: &Platform,
        depth: usize,
    ) -> Result<(Digest, Manifest), ImageSourceError> {
        let path = self.blob(&digest);
        let bytes = Self::read(&path)?;
        if Digest::of(&bytes) != digest {
            return Err(self.wrong(&path, "its digest is not its name"));
        }
        let document =
            Document::from_json(&bytes, None).map_err(|error| self.wrong(&path, &error.to_string()))?;
        match document {
            Document::Manifest(manifest) => Ok((digest, *manifest)),
            Document::Index(index) if depth < MAX_DEPTH => {
                let chosen = index
                    .select(platform)
                    .ok_or_else(|| self.lacks(format!("image for {platform}")))?;
                self.manifest(chosen.digest, platform, depth + 1)
            }
            Document::Index(_) => Err(self.wrong(&path, "indexes within indexes without end")),
        }
    }

    /// Puts a blob into the store, which must be as long as its descriptor says.
    fn bring(&self, images: &Images, digest: &Digest, size: Option<u64>) -> Result<(), ImageSourceError> {
        let path = self.blob(digest);
        let failed = |source| ImageSourceError::Layout {
            path: path.clone(),
            source,
        };
        let file = File::open(&path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        if size.is_some_and(|size| size != length) {
            return Err(self.wrong(&path, "its size is not what its descriptor says"));
        }
        if images.store.contains(digest)? || images.store.put_file(&file)?.digest == *digest {
            return Ok(());
        }
        Err(self.wrong(&path, "its digest is not its name"))
    }

    fn blob(&self, digest: &Digest) -> PathBuf {
        self.path.join("blobs/sha256").join(digest.hex())
    }

    fn read(path: &Path) -> Result<Vec<u8>, ImageSourceError> {
        fs::read(path).map_err(|source| ImageSourceError::Layout {
            path: path.to_owned(),
            source,
        })
    }

    fn parse<T: serde::de::DeserializeOwned>(&self, path: &Path) -> Result<T, ImageSourceError> {
        serde_json::from_slice(&Self::read(path)?).map_err(|error| self.wrong(path, &error.to_string()))
    }

    #[allow(clippy::unused_self, reason = "all errors of a layout are made here")]
    fn wrong(&self, path: &Path, message: &str) -> ImageSourceError {
        ImageSourceError::Document {
            name: path.display().to_string(),
            message: message.to_owned(),
        }
    }

    fn lacks(&self, wanted: String) -> ImageSourceError {
        ImageSourceError::NotInLayout {
            path: self.path.clone(),
            wanted,
        }
    }
}

/// The manifest with this tag; of several, as some tools write an image of several platforms, the one for the platform.
fn tagged<'i>(index: &'i Index, tag: &str, platform: &Platform) -> Option<&'i Descriptor> {
    let is_tagged = |descriptor: &&Descriptor| {
        descriptor
            .annotations
            .get(REF_NAME)
            .is_some_and(|name| name == tag)
    };
    let mut tagged = index.manifests.iter().filter(is_tagged);
    let fits = |descriptor: &&Descriptor| {
        descriptor
            .platform()
            .is_some_and(|offered| platform.runs(&offered))
    };
    tagged.clone().find(fits).or_else(|| tagged.next())
}
