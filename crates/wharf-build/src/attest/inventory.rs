//! Lists of contents: what is in a result, a stage or the context, as SPDX.

use std::{collections::BTreeSet, io, sync::Arc};

use wharf_graph::Target;
use wharf_oci::{Digest, Reference};
use wharf_sbom::{About, Content, Contents, Inventory, PREDICATE_TYPE, SCAN_VERSION};
use wharf_store::{MemoKey, Store};
use wharf_tree::{Layer, Node, TreePath};

use super::{AttestError, Attestation, Attester};
use crate::{image::BuiltImage, phases::Phases, root::Root};

/// What wrote the document.
const TOOL: &str = concat!("wharf-", env!("CARGO_PKG_VERSION"));

/// The store as the scan sees it.
pub(super) struct StoreContents(pub(super) Store);

impl Contents for StoreContents {
    fn open(&self, digest: &Digest) -> io::Result<Box<dyn Content>> {
        Ok(Box::new(self.0.open_blob(digest)?))
    }
}

impl Attester<'_> {
    /// The document of the target, then those of what the Dockerfile wants to be listed besides.
    pub(super) fn inventories(
        &self,
        target: &Target,
        image: Option<&BuiltImage>,
        names: &[Reference],
    ) -> Result<Vec<Attestation>, AttestError> {
        let name = names
            .first()
            .map_or_else(|| target.stage.clone(), ToString::to_string);
        let created = self.created(target, image);
        let layers = image
            .map(|image| self.layers(image))
            .transpose()?
            .unwrap_or_default();
        let root = self.root(target.root);
        let mut documents = vec![self.document("sbom", &name, &root, &created, &layers)?];
        for scan in &target.scans {
            let (file, root) = (format!("sbom-{}", scan.name), self.root(scan.root));
            documents.push(self.document(&file, &scan.name, &root, &created, &[])?);
        }
        Ok(documents)
    }

    /// Looks through all that is listed, and warns of what could not be read.
    pub(crate) fn look(&self, phases: &Phases<'_>) -> Result<(), AttestError> {
        let mut told = BTreeSet::new();
        for target in &self.graph.targets {
            let scans = target.scans.iter().map(|scan| scan.root);
            for root in scans.chain([target.root]) {
                told.extend(self.inventory(&self.root(root))?.notes);
            }
        }
        for note in told {
            phases.warn(format!("list of contents: {note}"));
        }
        Ok(())
    }

    fn document(
        &self,
        file: &str,
        name: &str,
        root: &Root,
        created: &str,
        layers: &[(Digest, Arc<Layer>)],
    ) -> Result<Attestation, AttestError> {
        let inventory = self.inventory(root)?;
        let about = About {
            name,
            tree: root.tree.0,
            created,
            tool: TOOL,
            layer_of: &|path| layer_of(path, layers),
        };
        Ok(Attestation {
            predicate_type: PREDICATE_TYPE,
            file_name: format!("{file}.spdx.json"),
            predicate: wharf_sbom::document(&inventory, &about),
        })
    }

    /// What a root holds; equal trees are looked through once.
    fn inventory(&self, root: &Root) -> Result<Inventory, AttestError> {
        let store = &self.machine.store;
        let version = SCAN_VERSION.to_le_bytes();
        let key = MemoKey::new("inventory", &[root.tree.0.as_bytes(), &version]);
        if let Some(known) = store.memo(&key)? {
            return Ok(known);
        }
        let tree = self.machine.roots.tree(root)?;
        let inventory = wharf_sbom::scan(&tree, &StoreContents(store.clone()))?;
        store.set_memo(&key, &inventory, &[])?;
        Ok(inventory)
    }

    /// The layers of an image with the digests of their blobs, the uppermost first.
    fn layers(&self, image: &BuiltImage) -> Result<Vec<(Digest, Arc<Layer>)>, AttestError> {
        let blobs = image.layers.iter().zip(image.root.stored()).rev();
        let layers = blobs.map(|(blob, id)| Ok((blob.digest, self.machine.store.layer(id)?)));
        layers.collect()
    }

    /// The time of the document: SOURCE_DATE_EPOCH, or when the image says that it was made, or when the last step ran.
    fn created(&self, target: &Target, image: Option<&BuiltImage>) -> String {
        let of_image = || {
            let config: serde_json::Value = serde_json::from_slice(&image?.config_bytes).ok()?;
            let created: jiff::Timestamp = config.get("created")?.as_str()?.parse().ok()?;
            Some(created.as_second())
        };
        let of_steps = || {
            let steps = target.history.iter().filter_map(|entry| entry.step);
            steps.filter_map(|step| self.solution.output(step)?.ran_at).max()
        };
        let seconds = self.request.source_date_epoch.or_else(of_image).or_else(of_steps);
        let created = seconds.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
        created.unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
    }
}

/// The uppermost layer that has the file.
fn layer_of(path: &str, layers: &[(Digest, Arc<Layer>)]) -> Option<Digest> {
    let path = TreePath::new(path).ok()?;
    let has = |layer: &Layer| {
        let found = layer.root.below(&path);
        found.is_some_and(|entry| matches!(entry.node, Node::File { .. }))
    };
    let found = layers.iter().find(|(_, layer)| has(layer));
    found.map(|(digest, _)| *digest)
}
