//! Attestations: what an image holds and how it was made, as statements that are attached to it.
//!
//! The in-toto attestation framework; BuildKit's "Image attestation storage" for how they hang on an image. What a statement says is made
//! here; [`crate::image`] and [`crate::export`] carry it.

mod inventory;
mod manifest;
mod materials;
mod predicate;
mod redact;
mod request;
mod statement;
mod steps;
pub(crate) mod vcs;

use std::collections::BTreeMap;

use serde_json::Value;
use wharf_graph::{ContextName, Graph, Target};
use wharf_oci::{Platform, Reference};
use wharf_solver::Solution;
use wharf_store::{BlobError, StoreError, TreeError};

pub use manifest::{AttestationManifest, Statement};
pub use predicate::{for_metadata, predicate_type};

use crate::{
    build::Machine,
    context_source::Pin,
    exec::StepOutput,
    image::BuiltImage,
    image_source::ImageSourceError,
    read::ReadDockerfile,
    request::{BuildRequest, Output, OutputKind},
};

/// What is known of a build besides its graph and what came of it.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    /// When it began.
    pub(crate) started: jiff::Timestamp,
    /// The Dockerfile.
    pub(crate) dockerfile: &'a ReadDockerfile,
    /// What contexts from elsewhere were.
    pub(crate) pins: BTreeMap<ContextName, Pin>,
    /// Which checkout the context is part of.
    pub(crate) vcs: serde_json::Map<String, Value>,
}

/// Makes the attestations of one build.
#[derive(Clone, Copy)]
pub(crate) struct Attester<'a> {
    pub(crate) request: &'a BuildRequest,
    pub(crate) machine: &'a Machine,
    pub(crate) graph: &'a Graph,
    pub(crate) solution: &'a Solution<StepOutput>,
    pub(crate) facts: &'a Facts<'a>,
    /// When its steps had ended: one time for all outputs.
    pub(crate) finished: jiff::Timestamp,
}

/// A predicate, and by which name it is written beside files.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Attestation {
    /// What the predicate is.
    pub(crate) predicate_type: &'static str,
    /// `sbom.spdx.json`.
    pub(crate) file_name: String,
    /// What is said.
    pub(crate) predicate: Value,
}

/// An attestation could not be made.
#[derive(Debug, thiserror::Error)]
pub enum AttestError {
    /// The contents of the result cannot be read.
    #[error(transparent)]
    Scan(#[from] wharf_sbom::ScanError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A tree cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// A document cannot be stored.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// What an image stood for cannot be said.
    #[error(transparent)]
    Source(Box<ImageSourceError>),
    /// `complete-materials` was asked for.
    #[error("the materials of the build are not complete: {} cannot be named by a digest", .0.join(", "))]
    IncompleteMaterials(Vec<String>),
    /// Docker's schema 2 has no place for them.
    #[error("attestations need OCI media types")]
    MediaTypes,
}

impl From<ImageSourceError> for AttestError {
    fn from(error: ImageSourceError) -> Self {
        Self::Source(Box::new(error))
    }
}

impl AttestError {
    /// Whether the request asks for what cannot be.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::IncompleteMaterials(_) | Self::MediaTypes)
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::IncompleteMaterials(_) => "build from a git repository, or leave complete-materials out",
            Self::MediaTypes => "leave oci-mediatypes=false out, or --attest, --sbom and --provenance",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

impl Attester<'_> {
    /// Whether this output gets any.
    pub(crate) fn is_wanted(&self, output: &Output) -> bool {
        let asked = &self.request.attestations;
        asked.sbom || asked.provenance.is_some() && self.has_provenance(output)
    }

    /// `inline-only`: only where it travels with an image that is named or pushed.
    fn has_provenance(&self, output: &Output) -> bool {
        let inline = output
            .attestation_inline
            .unwrap_or(output.kind == OutputKind::Image);
        let settings = self.request.attestations.provenance.as_ref();
        settings.is_some_and(|settings| inline || !settings.inline_only)
    }

    /// The attestations of a target: lists of its contents first, as BuildKit has them. `image` is `None` where files are written.
    pub(crate) fn of_target(
        &self,
        target: &Target,
        image: Option<&BuiltImage>,
        output: &Output,
        names: &[Reference],
    ) -> Result<Vec<Attestation>, AttestError> {
        let mut attestations = Vec::new();
        if self.request.attestations.sbom {
            attestations.extend(self.inventories(target, image, names)?);
        }
        if self.has_provenance(output)
            && let Some(provenance) = self.provenance(target, image)?
        {
            attestations.push(provenance);
        }
        Ok(attestations)
    }

    /// What the metadata file says of each target.
    pub(crate) fn provenances(&self) -> Result<Vec<(Platform, Value)>, AttestError> {
        let of_target = |target: &Target| {
            let provenance = self.provenance(target, None)?;
            Ok(provenance.map(|made| (target.platform.clone(), made.predicate)))
        };
        let all = self.graph.targets.iter().map(of_target);
        all.filter_map(Result::transpose).collect()
    }
}

/// The attestations of an image, stored.
pub(crate) fn attach(
    attester: &Attester<'_>,
    target: &Target,
    image: &BuiltImage,
    output: &Output,
    names: &[Reference],
) -> Result<AttestationManifest, AttestError> {
    let attestations = attester.of_target(target, Some(image), output, names)?;
    let subjects = statement::of_image(&target.platform, image, names);
    let statements = attestations.iter().map(|attestation| {
        (
            attestation.predicate_type,
            statement::compact(attestation, &subjects),
        )
    });
    manifest::attestation_manifest(
        image,
        statements.collect(),
        output.oci_artifact,
        &attester.machine.store,
    )
}

/// The attestations of files, each with the name of the file that holds it.
pub(crate) fn beside_files(
    attester: &Attester<'_>,
    target: &Target,
    tree: &wharf_tree::Tree,
    output: &Output,
    names: &[Reference],
) -> Result<Vec<(String, Vec<u8>)>, AttestError> {
    let attestations = attester.of_target(target, None, output, names)?;
    let subjects = statement::of_files(tree);
    let file = |attestation: &Attestation| {
        let name = format!("{}{}", output.attestation_prefix, attestation.file_name);
        (name, statement::pretty(attestation, &subjects))
    };
    Ok(attestations.iter().map(file).collect())
}
