//! A registry that serves one image from memory and lets a test interfere.

use std::sync::Arc;

use wharf_oci::{Digest, Family, MediaType};
use wharf_testkit::fake_http::{Answer, Asked, FakeServer};

use crate::image::Sample;

/// A registry whose answers a test may replace.
pub(crate) struct FakeRegistry {
    pub(crate) server: FakeServer,
    pub(crate) sample: Arc<Sample>,
}

impl FakeRegistry {
    /// `interfere` may answer in its stead.
    pub(crate) fn start(
        platforms: &[&str],
        interfere: impl Fn(&Asked, &Sample) -> Option<Answer> + Send + Sync + 'static,
    ) -> Self {
        let sample = Arc::new(Sample::new(Family::Oci, platforms));
        let served = Arc::clone(&sample);
        let server = FakeServer::start(move |asked| {
            interfere(asked, &served).unwrap_or_else(|| answer(asked, &served))
        });
        Self { server, sample }
    }

    pub(crate) fn authority(&self) -> String {
        self.server.authority()
    }

    /// Requests whose line contains `text`.
    pub(crate) fn count(&self, text: &str) -> usize {
        self.server
            .lines()
            .iter()
            .filter(|line| line.contains(text))
            .count()
    }
}

/// What an honest registry answers.
pub(crate) fn answer(asked: &Asked, sample: &Sample) -> Answer {
    let path = asked.target.split('?').next().unwrap();
    if path == "/v2/" {
        return Answer::ok("{}");
    }
    let last = path.rsplit('/').next().unwrap();
    if path.contains("/manifests/") {
        return manifest(last, sample);
    }
    match last
        .parse::<Digest>()
        .ok()
        .and_then(|digest| sample.blobs.get(&digest))
    {
        Some((_, bytes)) => Answer::ranged(asked, bytes),
        None => error(404, "BLOB_UNKNOWN", "blob unknown to registry"),
    }
}

fn manifest(name: &str, sample: &Sample) -> Answer {
    let is_it = |bytes: &Vec<u8>| Digest::of(bytes).to_string() == name;
    let (bytes, media_type) = if name == "latest" || is_it(&sample.index) {
        (&sample.index, MediaType::index(Family::Oci))
    } else {
        match sample.manifests.iter().find(|bytes| is_it(bytes)) {
            Some(bytes) => (bytes, MediaType::manifest(Family::Oci)),
            None => return error(404, "MANIFEST_UNKNOWN", "manifest unknown"),
        }
    };
    document(bytes, &media_type)
}

pub(crate) fn document(bytes: &[u8], media_type: &MediaType) -> Answer {
    Answer::ok(bytes)
        .header("Content-Type", media_type.as_str())
        .header("Docker-Content-Digest", &Digest::of(bytes).to_string())
}

pub(crate) fn error(status: u16, code: &str, message: &str) -> Answer {
    let body = serde_json::json!({"errors": [{"code": code, "message": message}]});
    Answer::status(status).body(body.to_string())
}
