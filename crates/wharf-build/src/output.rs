//! What becomes of the result: images in the store, archives, directories, registries, engines.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use wharf_graph::{Graph, Target, event::PhaseKind};
use wharf_oci::{Digest, Platform, Reference};
use wharf_solver::Solution;
use wharf_store::{ImageRecord, StoreError, TreeError};

use crate::{
    build::{Machine, Phases},
    exec::{StepOutput, now},
    export::{
        Archive, ArchiveError, EngineError, FilesError, LayoutImage, docker_files, load_into_engine,
        oci_files, write_directory, write_tar,
    },
    image::{AssembleError, BuiltImage, ImageParts, LayerBlobs, LayerSettings, assemble},
    image_source::PushError,
    request::{BuildRequest, Destination, Output, OutputKind},
};

/// One output that was made.
#[derive(Debug, Clone)]
pub struct Exported {
    /// What it is.
    pub kind: OutputKind,
    /// For what.
    pub platform: Platform,
    /// The image, unless only files were asked for.
    pub image: Option<ExportedImage>,
    /// Where it was put; `None` for the store and engines.
    pub dest: Option<PathBuf>,
    /// The engine that it was loaded into.
    pub engine: Option<PathBuf>,
    /// Whether it was pushed.
    pub pushed: bool,
}

/// An image that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedImage {
    /// Digest of the manifest.
    pub digest: Digest,
    /// Media type of the manifest.
    pub media_type: String,
    /// Length of the manifest in bytes.
    pub manifest_size: u64,
    /// Digest of the configuration: the image ID.
    pub id: Digest,
    /// When it says it was made, RFC 3339.
    pub created: Option<String>,
    /// Compressed layers and configuration, in bytes.
    pub size: u64,
    /// How many layers.
    pub layers: usize,
    /// Names that it got.
    pub names: Vec<Reference>,
}

/// An output could not be made.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The image cannot be put together.
    #[error("cannot make the image")]
    Assemble(#[from] AssembleError),
    /// The archive cannot be written.
    #[error("cannot write the image")]
    Archive(#[from] ArchiveError),
    /// The files cannot be written.
    #[error("cannot write the files of the image")]
    Files(#[from] FilesError),
    /// The destination cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// The destination.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No engine took the image.
    #[error("cannot load the image")]
    Engine(#[from] EngineError),
    /// No registry took the image.
    #[error("cannot push {name}")]
    Push {
        /// The name.
        name: String,
        /// Why.
        source: Box<PushError>,
    },
    /// There is nothing to push as.
    #[error("a pushed image needs a name")]
    NoName,
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A tree cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

impl OutputError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Engine(EngineError::NoEngine(_)) => Some(
                "start Docker or Podman, or write an archive with -o type=docker,dest=image.tar".to_owned(),
            ),
            Self::NoName => Some("give it one with -t registry/name:tag".to_owned()),
            Self::Push { source, .. } => source.hint(),
            _ => None,
        }
    }
}

/// Makes all outputs of all targets.
pub(crate) fn export(
    request: &BuildRequest,
    machine: &Machine,
    graph: &Graph,
    solution: &Solution<StepOutput>,
    phases: &Phases<'_>,
) -> Result<Vec<Exported>, OutputError> {
    let default = [Output::new(OutputKind::Image)];
    let outputs = if request.outputs.is_empty() {
        &default[..]
    } else {
        &request.outputs
    };
    let mut exported = Vec::new();
    for target in &graph.targets {
        for output in outputs {
            exported.push(
                Exporter {
                    request,
                    machine,
                    target,
                    solution,
                    phases,
                    output,
                }
                .export()?,
            );
        }
    }
    Ok(exported)
}

struct Exporter<'a> {
    request: &'a BuildRequest,
    machine: &'a Machine,
    target: &'a Target,
    solution: &'a Solution<StepOutput>,
    phases: &'a Phases<'a>,
    output: &'a Output,
}

impl Exporter<'_> {
    fn export(&self) -> Result<Exported, OutputError> {
        match self.output.kind {
            OutputKind::Tar | OutputKind::Local => {
                self.phases
                    .phase(PhaseKind::Export, "write the files", || self.files())
            }
            OutputKind::CacheOnly => Ok(self.exported()),
            OutputKind::Image | OutputKind::Oci | OutputKind::Docker => {
                let image = self
                    .phases
                    .phase(PhaseKind::Export, "make the image", || self.assemble())?;
                self.image(&image)
            }
        }
    }

    fn exported(&self) -> Exported {
        Exported {
            kind: self.output.kind,
            platform: self.target.platform.clone(),
            image: None,
            dest: match &self.output.dest {
                Some(Destination::Path(path)) => Some(path.clone()),
                _ => None,
            },
            engine: None,
            pushed: false,
        }
    }

    fn root(&self) -> &StepOutput {
        self.solution
            .output(self.target.root)
            .expect("a target's root was asked for")
    }

    fn assemble(&self) -> Result<BuiltImage, AssembleError> {
        let times: Vec<_> = self
            .target
            .history
            .iter()
            .map(|entry| entry.step.and_then(|step| self.solution.output(step)?.ran_at))
            .collect();
        let epoch = self.request.source_date_epoch;
        let parts = ImageParts {
            target: self.target,
            root: &self.root().root,
            times: &times,
            epoch,
            annotations: &self.request.annotations,
        };
        let settings = LayerSettings {
            compression: self.output.compression,
            clamp_mtimes: epoch.filter(|_| self.output.rewrite_timestamp),
            oci_media_types: self.output.oci_media_types,
        };
        let store = &self.machine.store;
        let blobs = LayerBlobs::new(store.clone(), self.machine.roots.clone(), self.request.parallel);
        assemble(&parts, &settings, &blobs, store)
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

    fn image(&self, image: &BuiltImage) -> Result<Exported, OutputError> {
        let names = self.names();
        let mut exported = self.exported();
        match (self.output.kind, &self.output.dest) {
            (OutputKind::Image, _) => exported.pushed = self.keep(image, &names)?,
            (OutputKind::Docker, None) => exported.engine = Some(self.load(image, &names)?),
            (kind, dest) => self.phases.phase(PhaseKind::Export, "write the image", || {
                self.archive(kind, dest.as_ref(), image, &names)
            })?,
        }
        exported.image = Some(ExportedImage {
            digest: image.manifest,
            media_type: image.media_type.clone(),
            manifest_size: image.manifest_bytes.len() as u64,
            id: image.config,
            created: created(&image.config_bytes),
            size: image.size(),
            layers: image.layers.len(),
            names,
        });
        Ok(exported)
    }

    /// Names the image in the store and pushes it when that was asked for.
    fn keep(&self, image: &BuiltImage, names: &[Reference]) -> Result<bool, OutputError> {
        let mut blobs = vec![image.manifest, image.config];
        blobs.extend(image.layers.iter().map(|layer| layer.digest));
        let record = ImageRecord {
            manifest: image.manifest,
            media_type: image.media_type.clone(),
            size: image.manifest_bytes.len() as u64,
            layers: image.root.stored().to_vec(),
            blobs,
            named_at: now(),
            rest: serde_json::Map::new(),
        };
        for name in names {
            self.machine.store.put_image(&name.to_string(), &record)?;
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

    fn load(&self, image: &BuiltImage, names: &[Reference]) -> Result<PathBuf, OutputError> {
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
        image: &BuiltImage,
        names: &[Reference],
    ) -> Vec<crate::export::LayoutFile> {
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let created = created(&image.config_bytes);
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
        image: &BuiltImage,
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

    fn files(&self) -> Result<Exported, OutputError> {
        let store = &self.machine.store;
        let tree = self.machine.roots.tree(&self.root().root)?;
        let clamp = self.request.source_date_epoch;
        match (self.output.kind, &self.output.dest) {
            (OutputKind::Local, Some(Destination::Path(path))) => write_directory(&tree, store, path)?,
            (_, dest) => to_destination(dest.as_ref(), |out| Ok(write_tar(&tree, store, clamp, out)?))?,
        }
        Ok(self.exported())
    }
}

/// When the image says it was made.
fn created(config: &[u8]) -> Option<String> {
    let config: serde_json::Value = serde_json::from_slice(config).ok()?;
    Some(config.get("created")?.as_str()?.to_owned())
}

/// Writes to standard output, or to a file that appears when it is complete.
fn to_destination(
    dest: Option<&Destination>,
    write: impl FnOnce(&mut dyn Write) -> Result<(), OutputError>,
) -> Result<(), OutputError> {
    match dest {
        None | Some(Destination::Stdout) => {
            write(&mut BufWriter::with_capacity(1 << 20, io::stdout().lock()))
        }
        Some(Destination::Path(path)) => write_aside(path, write),
    }
}

fn write_aside(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<(), OutputError>,
) -> Result<(), OutputError> {
    let failed = |source| OutputError::Write {
        path: path.to_owned(),
        source,
    };
    // A device or a pipe is written to as it is.
    let special = fs::metadata(path).is_ok_and(|info| !info.is_file());
    let aside = if special { path.to_owned() } else { aside_of(path) };
    let file = File::options()
        .write(true)
        .create(!special)
        .truncate(!special)
        .open(&aside)
        .map_err(failed)?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let written = write(&mut out).and_then(|()| out.flush().map_err(failed));
    if special {
        return written;
    }
    match written {
        Ok(()) => fs::rename(&aside, path).map_err(failed),
        Err(error) => {
            // The error that is told is the first one.
            let _ = fs::remove_file(&aside);
            Err(error)
        }
    }
}

fn aside_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    path.with_file_name(name)
}
