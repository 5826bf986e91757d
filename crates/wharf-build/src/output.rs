//! What becomes of the result: images in the store, archives, directories, registries, engines.

mod error;

use std::{path::PathBuf, sync::Arc};

use wharf_graph::{Graph, Target, event::PhaseKind};
use wharf_oci::{Digest, Platform, Reference};
use wharf_solver::Solution;
use wharf_store::{ImageRecord, LayerId, PlatformRecord};
use wharf_tree::Tree;

use crate::{
    attest::{self, Attester, Facts},
    build::Machine,
    destination::to_destination,
    exec::{StepOutput, now},
    export::{
        Archive, LayoutImage, docker_files, in_folders, load_into_engine, oci_files, together, with_files,
        write_directory, write_tar,
    },
    image::{
        AssembleError, Built, BuiltImage, BuiltIndex, ImageParts, LayerBlobs, LayerSettings, PlatformImage,
        assemble,
    },
    phases::Phases,
    request::{BuildRequest, Destination, Output, OutputKind},
    root::Root,
};

pub use error::{OutputError, SEVERAL_PLATFORMS};

/// One output that was made.
#[derive(Debug, Clone)]
pub struct Exported {
    /// What it is.
    pub kind: OutputKind,
    /// For what, in the order in which the platforms were asked for.
    pub platforms: Vec<Platform>,
    /// The image, unless only files were asked for.
    pub image: Option<ExportedImage>,
    /// Where it was put; `None` for the store and engines.
    pub dest: Option<PathBuf>,
    /// The engine that it was loaded into.
    pub engine: Option<PathBuf>,
    /// Whether it was pushed.
    pub pushed: bool,
}

/// An image that was made, or the index of the images of several platforms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedImage {
    /// Digest of the manifest or index.
    pub digest: Digest,
    /// Media type of the manifest or index.
    pub media_type: String,
    /// Length of the manifest or index in bytes.
    pub manifest_size: u64,
    /// Digest of the configuration, which an index does not have.
    pub config: Option<Digest>,
    /// When the (first) image says it was made, RFC 3339.
    pub created: Option<String>,
    /// Compressed layers and configurations, in bytes; what images share counts once.
    pub size: u64,
    /// How many layers; what images share counts once.
    pub layers: usize,
    /// Names that it got.
    pub names: Vec<Reference>,
}

impl ExportedImage {
    /// What `--iidfile` and `--quiet` say: the digest of the configuration or, as buildx has it, that of the index.
    pub fn id(&self) -> Digest {
        self.config.unwrap_or(self.digest)
    }
}

/// Makes all outputs of all targets.
pub(crate) fn export(
    request: &BuildRequest,
    machine: &Machine,
    graph: &Graph,
    solution: &Solution<StepOutput>,
    phases: &Phases<'_>,
    facts: &Facts<'_>,
) -> Result<Made, OutputError> {
    let attester = Attester {
        request,
        machine,
        graph,
        solution,
        facts,
        finished: jiff::Timestamp::now(),
    };
    if request.attestations.sbom {
        phases.phase(PhaseKind::Export, "list the contents", || attester.look(phases))?;
    }
    let default = [Output::new(OutputKind::Image)];
    let outputs = if request.outputs.is_empty() {
        &default[..]
    } else {
        &request.outputs
    };
    let export = |output| {
        let exporter = Exporter {
            request,
            machine,
            targets: &graph.targets,
            solution,
            phases,
            output,
            attester,
        };
        exporter.export()
    };
    Ok(Made {
        exported: outputs.iter().map(export).collect::<Result<_, _>>()?,
        provenance: attester.provenances()?,
    })
}

/// What became of the targets.
pub(crate) struct Made {
    /// One for each output.
    pub(crate) exported: Vec<Exported>,
    /// How each target was made, where that was asked for.
    pub(crate) provenance: Vec<(Platform, serde_json::Value)>,
}

/// Makes one output of all targets.
struct Exporter<'a> {
    request: &'a BuildRequest,
    machine: &'a Machine,
    targets: &'a [Target],
    solution: &'a Solution<StepOutput>,
    phases: &'a Phases<'a>,
    output: &'a Output,
    attester: Attester<'a>,
}

impl Exporter<'_> {
    fn export(&self) -> Result<Exported, OutputError> {
        match self.output.kind {
            OutputKind::Tar | OutputKind::Local => {
                self.phases
                    .phase(PhaseKind::Export, "write the files", || self.files())
            }
            OutputKind::CacheOnly => Ok(self.exported()),
            OutputKind::Docker if self.targets.len() > 1 => Err(OutputError::SeveralPlatforms),
            OutputKind::Image | OutputKind::Oci | OutputKind::Docker => {
                let image = self
                    .phases
                    .phase(PhaseKind::Export, "make the image", || self.make())?;
                self.image(&image)
            }
        }
    }

    fn exported(&self) -> Exported {
        Exported {
            kind: self.output.kind,
            platforms: self
                .targets
                .iter()
                .map(|target| target.platform.clone())
                .collect(),
            image: None,
            dest: match &self.output.dest {
                Some(Destination::Path(path)) => Some(path.clone()),
                _ => None,
            },
            engine: None,
            pushed: false,
        }
    }

    fn root(&self, target: &Target) -> &Root {
        let output = self.solution.output(target.root);
        &output.expect("a target's root was asked for").root
    }

    /// The image, or the index of several.
    fn make(&self) -> Result<Built, OutputError> {
        let is_attested = self.attester.is_wanted(self.output);
        if let ([target], false) = (self.targets, is_attested) {
            return Ok(Built::Image(Box::new(self.assemble(target)?)));
        }
        let images = self.targets.iter().map(|target| {
            Ok(PlatformImage {
                platform: target.platform.clone(),
                image: self.assemble(target)?,
            })
        });
        let images = images.collect::<Result<Vec<_>, AssembleError>>()?;
        let mut attestations = Vec::new();
        if is_attested {
            let names = self.names();
            for (target, made) in self.targets.iter().zip(&images) {
                let attached = attest::attach(&self.attester, target, &made.image, self.output, &names)?;
                attestations.push(attached);
            }
        }
        let index = BuiltIndex::new(
            images,
            attestations,
            &self.request.annotations,
            self.oci_media_types(),
            &self.machine.store,
        )
        .map_err(AssembleError::from)?;
        Ok(Built::Index(index))
    }

    fn assemble(&self, target: &Target) -> Result<BuiltImage, AssembleError> {
        let times: Vec<_> = target
            .history
            .iter()
            .map(|entry| entry.step.and_then(|step| self.solution.output(step)?.ran_at))
            .collect();
        let epoch = self.request.source_date_epoch;
        let parts = ImageParts {
            target,
            root: self.root(target),
            times: &times,
            epoch,
            annotations: &self.request.annotations,
        };
        let settings = LayerSettings {
            compression: self.output.compression,
            clamp_mtimes: epoch.filter(|_| self.output.rewrite_timestamp),
            oci_media_types: self.oci_media_types(),
        };
        let store = &self.machine.store;
        let blobs = LayerBlobs::new(store.clone(), self.machine.roots.clone(), self.request.parallel);
        assemble(&parts, &settings, &blobs, store)
    }

    /// Attestations make OCI's documents of what is for an engine, as with BuildKit.
    fn oci_media_types(&self) -> bool {
        let attested = || self.output.kind == OutputKind::Docker && self.attester.is_wanted(self.output);
        self.output.oci_media_types || attested()
    }

    fn names(&self) -> Vec<Reference> {
        let mut names = self.request.tags.clone();
        names.extend(
            self.output
                .names
                .iter()
                .filter(|name| !self.request.tags.contains(name))
                .cloned(),
        );
        names
    }

    fn image(&self, image: &Built) -> Result<Exported, OutputError> {
        let names = self.names();
        let mut exported = self.exported();
        match (self.output.kind, &self.output.dest) {
            (OutputKind::Image, _) => exported.pushed = self.keep(image, &names)?,
            (OutputKind::Docker, None) => exported.engine = Some(self.load(image, &names)?),
            (kind, dest) => self.phases.phase(PhaseKind::Export, "write the image", || {
                self.archive(kind, dest.as_ref(), image, &names)
            })?,
        }
        let blobs = image.blobs();
        exported.image = Some(ExportedImage {
            digest: image.digest(),
            media_type: image.media_type().to_owned(),
            manifest_size: image.bytes().len() as u64,
            config: image.config(),
            created: created(image),
            size: blobs.values().sum(),
            layers: match image {
                Built::Image(image) => image.layers.len(),
                Built::Index(_) => blobs.len() - image.images().len(),
            },
            names,
        });
        Ok(exported)
    }

    /// Names the image in the store and pushes it when that was asked for.
    fn keep(&self, image: &Built, names: &[Reference]) -> Result<bool, OutputError> {
        if !names.is_empty() {
            let record = self.machine.store.confirm_image(record(image))?;
            for name in names {
                self.machine.store.put_image(&name.to_string(), &record)?;
            }
        }
        if !self.output.push {
            return Ok(false);
        }
        if names.is_empty() {
            return Err(OutputError::NoName);
        }
        for name in names {
            let push = || self.machine.images.push(image, name);
            self.phases
                .phase(PhaseKind::Push, format!("push {name}"), push)
                .map_err(|error| OutputError::Push {
                    name: name.to_string(),
                    source: Box::new(error),
                })?;
        }
        Ok(true)
    }

    fn load(&self, image: &Built, names: &[Reference]) -> Result<PathBuf, OutputError> {
        let files = self.layout_files(OutputKind::Docker, image, names);
        let archive = Archive {
            store: &self.machine.store,
            files: &files,
        };
        let load = || load_into_engine(&archive, &self.machine.engine_sockets);
        Ok(self.phases.phase(PhaseKind::Push, "load the image", load)?)
    }

    fn layout_files(
        &self,
        kind: OutputKind,
        image: &Built,
        names: &[Reference],
    ) -> Vec<crate::export::LayoutFile> {
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let created = created(image);
        let layout = LayoutImage {
            image,
            names: &names,
            annotations: &self.request.annotations,
            created: created.as_deref(),
        };
        if kind == OutputKind::Docker {
            docker_files(&layout)
        } else {
            oci_files(&layout)
        }
    }

    fn archive(
        &self,
        kind: OutputKind,
        dest: Option<&Destination>,
        image: &Built,
        names: &[Reference],
    ) -> Result<(), OutputError> {
        let files = self.layout_files(kind, image, names);
        let archive = Archive {
            store: &self.machine.store,
            files: &files,
        };
        match dest {
            Some(Destination::Path(path)) if !self.output.tar => Ok(archive.write_directory(path)?),
            dest => to_destination(dest, |out| Ok(archive.write_tar(out)?)),
        }
    }

    /// The files of the image, or those of several as they go into one output.
    fn tree(&self) -> Result<Arc<Tree>, OutputError> {
        let roots = &self.machine.roots;
        let split = self.output.platform_split;
        if let ([target], None | Some(false)) = (self.targets, split) {
            return self.with_attestations(target, roots.tree(self.root(target))?);
        }
        let trees = self.targets.iter().map(|target| {
            let tree = self.with_attestations(target, roots.tree(self.root(target))?)?;
            Ok((target.platform.clone(), (*tree).clone()))
        });
        let trees = trees.collect::<Result<Vec<_>, OutputError>>()?;
        let all = match split {
            Some(false) => together(&trees)?,
            None | Some(true) => in_folders(&trees)?,
        };
        Ok(Arc::new(all))
    }

    /// The files with the attestations beside them. Where the files of several platforms lie together, names tell them apart.
    fn with_attestations(&self, target: &Target, tree: Arc<Tree>) -> Result<Arc<Tree>, OutputError> {
        if !self.attester.is_wanted(self.output) {
            return Ok(tree);
        }
        let is_together = self.targets.len() > 1 && self.output.platform_split == Some(false);
        let platform = is_together.then_some(&target.platform);
        let files = attest::beside_files(&self.attester, target, &tree, self.output, &self.names())?;
        let seconds = self.request.source_date_epoch.unwrap_or_else(now);
        let store = &self.machine.store;
        Ok(Arc::new(with_files(&tree, &files, platform, seconds, store)?))
    }

    fn files(&self) -> Result<Exported, OutputError> {
        let store = &self.machine.store;
        let tree = self.tree()?;
        let clamp = self.request.source_date_epoch;
        match (self.output.kind, &self.output.dest) {
            (OutputKind::Local, Some(Destination::Path(path))) => write_directory(&tree, store, path)?,
            (_, dest) => to_destination(dest.as_ref(), |out| Ok(write_tar(&tree, store, clamp, out)?))?,
        }
        Ok(self.exported())
    }
}

/// What the store keeps under the names of what was built.
pub(crate) fn record(built: &Built) -> ImageRecord {
    let images = built.images();
    let mut layers: Vec<LayerId> = Vec::new();
    for id in images.iter().flat_map(|image| image.root.stored()) {
        if !layers.contains(id) {
            layers.push(*id);
        }
    }
    let manifests = images.iter().map(|image| image.manifest);
    let attestations = built.attestations().iter().flat_map(|attestations| {
        let blobs = attestations.manifest.blobs().into_iter().map(|blob| blob.digest);
        blobs.chain([attestations.digest]).collect::<Vec<_>>()
    });
    let each = images.iter().map(|image| PlatformRecord {
        manifest: image.manifest,
        layers: image.root.stored().to_vec(),
    });
    ImageRecord {
        manifest: built.digest(),
        media_type: built.media_type().to_owned(),
        size: built.bytes().len() as u64,
        layers,
        blobs: manifests
            .chain(built.blobs().into_keys())
            .chain(attestations)
            .collect(),
        images: match built {
            Built::Image(_) => Vec::new(),
            Built::Index(_) => each.collect(),
        },
        named_at: now(),
        rest: serde_json::Map::new(),
    }
}

/// When the (first) image says it was made.
fn created(built: &Built) -> Option<String> {
    let config: serde_json::Value = serde_json::from_slice(&built.images().first()?.config_bytes).ok()?;
    Some(config.get("created")?.as_str()?.to_owned())
}
