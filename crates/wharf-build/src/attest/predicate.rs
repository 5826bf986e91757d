//! Provenance: who made the result from what, and how.
//!
//! SLSA provenance, versions 1 and 0.2, in the form that BuildKit's "SLSA definitions" give them. The document is made in the form of
//! version 1; the older one says the same in other places.

use serde_json::{Map, Value, json};
use wharf_graph::Target;
use wharf_oci::{Hasher, Platform};

use super::{AttestError, Attestation, Attester, materials::Materials};
use crate::{
    image::BuiltImage,
    request::{ProvenanceMode, ProvenanceSettings, SlsaVersion},
};

const BUILD_TYPE: &str = "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md";
const BUILD_TYPE_02: &str = "https://mobyproject.org/buildkit@v1";
/// Members of metadata in the older form have the build type before their names.
const METADATA_02: &str = "https://mobyproject.org/buildkit@v1#metadata";
const HERMETIC_02: &str = "https://mobyproject.org/buildkit@v1#hermetic";

/// The predicate type of a version.
pub const fn predicate_type(version: SlsaVersion) -> &'static str {
    match version {
        SlsaVersion::V1 => "https://slsa.dev/provenance/v1",
        SlsaVersion::V02 => "https://slsa.dev/provenance/v0.2",
    }
}

impl Attester<'_> {
    /// The provenance of a target, if it is wanted.
    pub(super) fn provenance(
        &self,
        target: &Target,
        image: Option<&BuiltImage>,
    ) -> Result<Option<Attestation>, AttestError> {
        let Some(settings) = &self.request.attestations.provenance else {
            return Ok(None);
        };
        let materials = self.materials(target)?;
        if settings.complete_materials && !materials.locals.is_empty() {
            return Err(AttestError::IncompleteMaterials(
                materials.locals.into_iter().collect(),
            ));
        }
        let predicate = self.predicate(target, image, settings, &materials);
        let predicate = match settings.version {
            SlsaVersion::V1 => predicate,
            SlsaVersion::V02 => version_02(&predicate),
        };
        Ok(Some(Attestation {
            predicate_type: predicate_type(settings.version),
            file_name: settings.file_name.clone(),
            predicate,
        }))
    }

    fn predicate(
        &self,
        target: &Target,
        image: Option<&BuiltImage>,
        settings: &ProvenanceSettings,
        materials: &Materials,
    ) -> Value {
        let asked = self.asked(materials, settings.mode);
        let mut internal = json!({
            "builderPlatform": Platform::host().to_string(),
            "wharfVersion": env!("CARGO_PKG_VERSION"),
        });
        let mut metadata = json!({});
        if !self.facts.vcs.is_empty() {
            metadata["vcs"] = self.facts.vcs.clone().into();
        }
        if settings.mode == ProvenanceMode::Max {
            let steps = self.build_steps(target);
            metadata["source"] = self.sources(&steps);
            if let Some(layers) = image.and_then(|image| self.layers_of_steps(&steps, image)) {
                metadata["layers"] = layers;
            }
            internal["buildConfig"] = steps.to_json();
        }
        let mut definition = json!({
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "configSource": self.config_source(materials),
                "request": asked.request,
            },
            "internalParameters": internal,
        });
        if !materials.named.is_empty() {
            definition["resolvedDependencies"] = materials.to_json().into();
        }
        let is_complete = materials.locals.is_empty();
        let (started, finished) = self.times();
        let mut details = json!({
            "invocationId": self.invocation(target),
            "startedOn": started,
            "finishedOn": finished,
            "buildkit_metadata": metadata,
            "buildkit_completeness": {"request": asked.is_complete, "resolvedDependencies": is_complete},
        });
        if is_complete && !materials.network {
            details["buildkit_hermetic"] = true.into();
        }
        if settings.reproducible {
            details["buildkit_reproducible"] = true.into();
        }
        json!({
            "buildDefinition": definition,
            "runDetails": {"builder": {"id": settings.builder_id}, "metadata": details},
        })
    }

    /// Beginning and end. SOURCE_DATE_EPOCH stands for either, as for every time that a build writes.
    fn times(&self) -> (String, String) {
        let epoch = self.request.source_date_epoch;
        match epoch.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok()) {
            Some(epoch) => (epoch.to_string(), epoch.to_string()),
            None => (self.facts.started.to_string(), self.finished.to_string()),
        }
    }

    /// Names the build: as the history does, unless equal builds shall give equal bytes. Then what was built names it.
    fn invocation(&self, target: &Target) -> String {
        if self.request.source_date_epoch.is_none() {
            return self.request.attestations.invocation.clone();
        }
        let mut hasher = Hasher::new();
        hasher.update(&self.facts.dockerfile.bytes);
        hasher.update(self.root(target.root).tree.0.as_bytes());
        hasher.finish().hex()
    }
}

/// The same in the older form.
fn version_02(predicate: &Value) -> Value {
    let at = |pointer: &str| predicate.pointer(pointer).cloned().unwrap_or_default();
    let metadata = |name: &str| at(&format!("/runDetails/metadata/{name}"));
    let internal = |name: &str| at(&format!("/buildDefinition/internalParameters/{name}"));
    let mut source = Map::new();
    for (old, new) in [("uri", "uri"), ("digest", "digest"), ("entryPoint", "path")] {
        let value = at(&format!("/buildDefinition/externalParameters/configSource/{new}"));
        if !value.is_null() {
            source.insert(old.to_owned(), value);
        }
    }
    let mut older = json!({
        "builder": at("/runDetails/builder"),
        "buildType": BUILD_TYPE_02,
        "invocation": {
            "configSource": source,
            "parameters": at("/buildDefinition/externalParameters/request"),
            "environment": {"platform": internal("builderPlatform"), "wharfVersion": internal("wharfVersion")},
        },
        "metadata": {
            "buildInvocationID": metadata("invocationId"),
            "buildStartedOn": metadata("startedOn"),
            "buildFinishedOn": metadata("finishedOn"),
            "completeness": {
                "parameters": metadata("buildkit_completeness/request"),
                "environment": true,
                "materials": metadata("buildkit_completeness/resolvedDependencies"),
            },
            "reproducible": metadata("buildkit_reproducible").as_bool().unwrap_or_default(),
            METADATA_02: metadata("buildkit_metadata"),
        },
    });
    for (name, value) in [
        ("materials", at("/buildDefinition/resolvedDependencies")),
        ("buildConfig", internal("buildConfig")),
    ] {
        if !value.is_null() {
            older[name] = value;
        }
    }
    if metadata("buildkit_hermetic") == true {
        older["metadata"][HERMETIC_02] = true.into();
    }
    older
}

/// Provenance as buildx writes it into the metadata file: in the older form, and in its shorter variant without the steps and times.
pub fn for_metadata(predicate: &Value, mode: ProvenanceMode) -> Value {
    let mut older = if predicate.get("buildDefinition").is_some() {
        version_02(predicate)
    } else {
        predicate.clone()
    };
    if let (ProvenanceMode::Min, Some(members)) = (mode, older.as_object_mut()) {
        members.remove("buildConfig");
        members.remove("metadata");
    }
    older
}
