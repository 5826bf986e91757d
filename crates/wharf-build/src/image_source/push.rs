//! An image sent to a registry: only the blobs that it lacks, mounted from a neighbour where that can be.

use wharf_http::Body;
use wharf_oci::{Descriptor, Digest, Family, MediaType, Reference};

use super::{ImageSourceError, Images, error::PushError, pull::origin_key};
use crate::image::{Built, BuiltImage};

impl Images {
    /// Sends an image, or the images of an index and then the index, to the registry of `name`. The tag appears last, when
    /// everything that it needs is there.
    pub fn push(&self, built: &Built, name: &Reference) -> Result<(), PushError> {
        for image in built.images() {
            self.push_blobs(image, name)?;
        }
        if let Built::Index(index) = built {
            for each in &index.images {
                let name = by_digest(name, &each.image.manifest)?;
                self.push_document(&name, &each.image.media_type, &each.image.manifest_bytes)?;
            }
        }
        for attestations in built.attestations() {
            for blob in attestations.manifest.blobs() {
                self.push_blob(name, blob)?;
            }
            let own = by_digest(name, &attestations.digest)?;
            let media_type = MediaType::manifest(Family::Oci);
            self.push_document(&own, media_type.as_str(), &attestations.bytes)?;
        }
        self.push_document(name, built.media_type(), built.bytes())
    }

    fn push_document(&self, name: &Reference, media_type: &str, bytes: &[u8]) -> Result<(), PushError> {
        let registry = self.registry()?;
        let (media_type, bytes) = (MediaType::new(media_type), bytes.to_vec().into());
        self.network
            .wait(registry.push_manifest(name, &media_type, bytes))?;
        Ok(())
    }

    fn push_blobs(&self, image: &BuiltImage, name: &Reference) -> Result<(), PushError> {
        let mut blobs: Vec<_> = image
            .layers
            .iter()
            .map(|layer| Descriptor::new(MediaType::new(&layer.media_type), layer.digest, layer.size))
            .collect();
        let config_type = if image.media_type.contains("docker") {
            "application/vnd.docker.container.image.v1+json"
        } else {
            "application/vnd.oci.image.config.v1+json"
        };
        blobs.push(Descriptor::new(
            MediaType::new(config_type),
            image.config,
            image.config_bytes.len() as u64,
        ));
        std::thread::scope(|scope| {
            let sent: Vec<_> = blobs
                .iter()
                .map(|blob| scope.spawn(|| self.push_blob(name, blob)))
                .collect();
            let ended = sent
                .into_iter()
                .map(|push| push.join().expect("a push does not panic"));
            ended.collect::<Result<Vec<()>, _>>()
        })?;
        for blob in &blobs {
            self.store
                .set_memo(&origin_key(&blob.digest), &name.name(), &[])?;
        }
        Ok(())
    }

    fn push_blob(&self, name: &Reference, blob: &Descriptor) -> Result<(), PushError> {
        let origin: Option<String> = self.store.memo(&origin_key(&blob.digest))?;
        let from: Vec<Reference> = origin
            .and_then(|origin| origin.parse().ok())
            .into_iter()
            .collect();
        // Opened once here, so that a blob that cannot be had is told before the registry is.
        drop(self.store.open_blob(&blob.digest)?);
        let (store, digest) = (self.store.clone(), blob.digest);
        let body = Body::reader(blob.size, move |start| {
            use std::io::Seek as _;
            let mut file = store.open_blob(&digest).map_err(std::io::Error::other)?;
            file.seek(std::io::SeekFrom::Start(start))?;
            Ok(Box::new(file) as Box<dyn std::io::Read + Send>)
        });
        self.network
            .wait(self.registry()?.push_blob(name, blob, &body, &from))?;
        Ok(())
    }
}

/// A manifest of an index in the repository of `name`: the tag is the index's.
fn by_digest(name: &Reference, digest: &Digest) -> Result<Reference, PushError> {
    let text = format!("{}@{digest}", name.name());
    Ok(text.parse().map_err(ImageSourceError::from)?)
}
