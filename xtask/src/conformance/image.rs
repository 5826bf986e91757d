//! The images of an OCI layout: their configurations, and their layers one upon the other. They are read with nothing of wharf's own: what
//! judges wharf must not share its mistakes.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufReader, Read},
    path::{Path, PathBuf},
};

use flate2::bufread::MultiGzDecoder;
use serde_json::Value;

use super::tree::Tree;

/// What an image is.
pub(crate) struct Image {
    /// The configuration document.
    pub(crate) config: Value,
    /// How many layers there are.
    pub(crate) layers: usize,
    /// What they amount to.
    pub(crate) tree: Tree,
}

/// Reads what `layout` names: one image, without a name, or those of an index, by their platforms as the index writes them.
pub(crate) fn read(layout: &Path) -> Result<BTreeMap<String, Image>, String> {
    let document = json(&blob(layout, &manifest_digest(layout)?))?;
    let Some(manifests) = document["manifests"].as_array() else {
        return Ok([(String::new(), read_image(layout, &document)?)].into());
    };
    manifests
        .iter()
        .map(|entry| {
            let manifest = json(&blob(layout, digest_of(entry)?))?;
            Ok((platform(entry), read_image(layout, &manifest)?))
        })
        .collect()
}

fn platform(entry: &Value) -> String {
    let fields = ["os", "architecture", "variant"].map(|name| entry["platform"][name].as_str());
    let words: Vec<_> = fields.into_iter().flatten().collect();
    words.join("/") + " "
}

fn read_image(layout: &Path, manifest: &Value) -> Result<Image, String> {
    let layers = manifest["layers"].as_array().cloned().unwrap_or_default();
    let mut tree = Tree::default();
    for layer in &layers {
        let path = blob(layout, digest_of(layer)?);
        tree.apply(open(&path)?)
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(Image {
        config: json(&blob(layout, digest_of(&manifest["config"])?))?,
        layers: layers.len(),
        tree,
    })
}

/// The digest of the only manifest of `layout`.
pub(crate) fn manifest_digest(layout: &Path) -> Result<String, String> {
    let index = json(&layout.join("index.json"))?;
    let manifests = index["manifests"].as_array().cloned().unwrap_or_default();
    match &manifests[..] {
        [manifest] => digest_of(manifest).map(str::to_owned),
        _ => Err(format!("{} has {} manifests", layout.display(), manifests.len())),
    }
}

fn digest_of(descriptor: &Value) -> Result<&str, String> {
    descriptor["digest"]
        .as_str()
        .ok_or_else(|| format!("no digest in {descriptor}"))
}

fn blob(layout: &Path, digest: &str) -> PathBuf {
    layout.join("blobs").join(digest.replace(':', "/"))
}

fn json(path: &Path) -> Result<Value, String> {
    let text = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// A layer's tar, which both builders compress with gzip.
fn open(path: &Path) -> Result<impl Read + use<>, String> {
    let file = fs::File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(MultiGzDecoder::new(BufReader::new(file)))
}
