//! What a build was asked for, parsed and complete: nothing below this reads flags, the environment or `$HOME`.

use std::{
    collections::BTreeMap,
    fmt,
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use wharf_graph::GitSource;
use wharf_oci::{Digest, Platform, Reference};

use crate::exec::Percent;

/// One build, from context to outputs.
#[derive(Debug, Clone)]
pub struct BuildRequest {
    /// Where COPY takes files from.
    pub context: ContextSource,
    /// The Dockerfile.
    pub dockerfile: DockerfileSource,
    /// Stage to build; the last one when absent.
    pub target: Option<String>,
    /// `--build-arg`; the value was filled in from the environment where only the name was given. `None` is "unset".
    pub build_args: BTreeMap<String, Option<String>>,
    /// `--build-context`, by name.
    pub named_contexts: BTreeMap<String, NamedContext>,
    /// `--label`.
    pub labels: BTreeMap<String, String>,
    /// `--annotation`.
    pub annotations: Vec<Annotation>,
    /// Secrets by id.
    pub secrets: BTreeMap<String, Secret>,
    /// Agents by id.
    pub ssh: BTreeMap<String, SshAgent>,
    /// Lines for /etc/hosts of RUN steps.
    pub hosts: Vec<(String, IpAddr)>,
    /// Default network of RUN steps.
    pub network: String,
    /// Size of /dev/shm in bytes.
    pub shm_size: Option<u64>,
    /// Limits of RUN steps by name (`nofile`), soft and hard.
    pub ulimits: BTreeMap<String, (u64, u64)>,
    /// Entitlements that were allowed.
    pub allow: Vec<String>,
    /// Reuse nothing.
    pub no_cache: bool,
    /// Reuse nothing of these stages.
    pub no_cache_filter: Vec<String>,
    /// Steps are given the variables that make common tools give the same files twice.
    pub reproducible_steps: bool,
    /// How many of the reused steps run all the same, to be compared.
    pub verify_cache: Option<Percent>,
    /// Look for newer versions of what FROM names.
    pub pull: bool,
    /// Platforms of the image; empty is the machine's.
    pub platforms: Vec<Platform>,
    /// Names that the image gets.
    pub tags: Vec<Reference>,
    /// Where the result goes; empty is [`OutputKind::Image`] with the tags.
    pub outputs: Vec<Output>,
    /// `SOURCE_DATE_EPOCH`, seconds.
    pub source_date_epoch: Option<i64>,
    /// Bases of `wharf.toml` by name, and where that file lies.
    pub bases: Bases,
    /// How many steps run at once.
    pub parallel: usize,
    /// What is attached to the result.
    pub attestations: Attestations,
}

/// What is attached to a result besides: nothing, unless it was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attestations {
    /// A list of its contents.
    pub sbom: bool,
    /// How it was made.
    pub provenance: Option<ProvenanceSettings>,
    /// Names the build.
    pub invocation: String,
}

/// `--attest type=provenance`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenanceSettings {
    /// How much is told.
    pub mode: ProvenanceMode,
    /// In which form.
    pub version: SlsaVersion,
    /// Who builds, as a URI.
    pub builder_id: String,
    /// Whether the user says that the build gives the same bytes again.
    pub reproducible: bool,
    /// Only with images that are named or pushed.
    pub inline_only: bool,
    /// Fail unless everything that the build was made from can be named by a digest.
    pub complete_materials: bool,
    /// The file that it is written to beside files.
    pub file_name: String,
}

impl Default for ProvenanceSettings {
    fn default() -> Self {
        Self {
            mode: ProvenanceMode::Max,
            version: SlsaVersion::V1,
            builder_id: String::new(),
            reproducible: false,
            inline_only: false,
            complete_materials: false,
            file_name: "provenance.json".to_owned(),
        }
    }
}

/// How much provenance tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProvenanceMode {
    /// Without build arguments, labels, ids of secrets, steps and the Dockerfile.
    Min,
    /// Everything.
    Max,
}

/// A version of SLSA provenance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlsaVersion {
    /// 0.2.
    V02,
    /// 1.
    V1,
}

/// Where the context comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContextSource {
    /// A directory.
    Directory(PathBuf),
    /// Nothing: the Dockerfile came alone, on standard input.
    Empty,
    /// A tar archive (plain, gzip, zstd, xz or bzip2) that was received whole.
    Archive(PathBuf),
    /// An archive or a Dockerfile on http(s).
    Url(String),
    /// A git repository.
    Git(GitSource),
}

/// Where the Dockerfile comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DockerfileSource {
    /// A file outside of, or inside, the context.
    File(PathBuf),
    /// Inside the context (which is an archive or a repository): a path relative to its root.
    InContext(String),
    /// On http(s).
    Url(String),
    /// Text that was received whole, and the name by which messages call it.
    Text {
        /// Name for messages.
        name: String,
        /// The file's bytes.
        bytes: Vec<u8>,
    },
}

/// What `--build-context NAME=…` points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamedContext {
    /// A directory.
    Directory(PathBuf),
    /// `docker-image://reference`.
    Image(Reference),
    /// `oci-layout://path[:tag][@digest]`.
    OciLayout {
        /// The layout's directory.
        path: PathBuf,
        /// Tag in its index.
        tag: Option<String>,
        /// Digest of a manifest or index.
        digest: Option<Digest>,
    },
    /// Another base of `wharf.toml`.
    Base(String),
    /// A git repository.
    Git(GitSource),
    /// A file on http(s), which the context holds under the name `context`.
    Url(String),
}

/// On which documents an annotation goes (BuildKit: `manifest`, `index`, `manifest-descriptor`, `index-descriptor`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    /// The document.
    pub level: AnnotationLevel,
    /// Key.
    pub key: String,
    /// Value.
    pub value: String,
    /// The only platform whose documents carry it (`manifest[linux/arm64]:key=value`).
    pub platform: Option<Platform>,
}

impl Annotation {
    /// Whether the documents of the image for `platform` carry it.
    pub fn is_for(&self, platform: &Platform) -> bool {
        self.platform.as_ref().is_none_or(|only| only == platform)
    }

    /// Key and value.
    pub fn pair(&self) -> (String, String) {
        (self.key.clone(), self.value.clone())
    }
}

/// The document that carries an annotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnnotationLevel {
    /// The image manifest.
    Manifest,
    /// The image index.
    Index,
    /// The manifest's descriptor in the index.
    ManifestDescriptor,
    /// The descriptor of the whole in an OCI layout.
    IndexDescriptor,
}

/// A secret: read when a step that mounts it runs, shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// The content of a file.
    File(PathBuf),
    /// A value, from the environment.
    Value(Vec<u8>),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Value(_) => f.write_str("Value(redacted)"),
        }
    }
}

/// An SSH agent to forward, or private keys to serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SshAgent {
    /// A running agent's socket.
    Socket(PathBuf),
    /// Private keys.
    Keys(Vec<PathBuf>),
}

/// One `--output`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// What is made.
    pub kind: OutputKind,
    /// Where it goes; `None` where the kind has a place of its own.
    pub dest: Option<Destination>,
    /// Names besides the tags.
    pub names: Vec<Reference>,
    /// Push the image to the registries of its names.
    pub push: bool,
    /// Whether `oci` and `docker` make one tar file (the default) or a directory.
    pub tar: bool,
    /// OCI rather than Docker media types.
    pub oci_media_types: bool,
    /// How new layers are compressed.
    pub compression: Compression,
    /// Set every mtime above SOURCE_DATE_EPOCH to it.
    pub rewrite_timestamp: bool,
    /// Whether `local` and `tar` put the files of each platform into a folder of its own; unset, they do for several platforms.
    pub platform_split: Option<bool>,
    /// What the names of attestations beside files begin with.
    pub attestation_prefix: String,
    /// Whether provenance that is for images alone (`inline-only`) is attached; unset, to [`OutputKind::Image`].
    pub attestation_inline: Option<bool>,
    /// Whether the manifest of attestations is an artifact rather than something like an image.
    pub oci_artifact: bool,
}

impl Output {
    /// An output of this kind with the defaults of the kind.
    pub fn new(kind: OutputKind) -> Self {
        Self {
            kind,
            dest: None,
            names: Vec::new(),
            push: false,
            tar: true,
            oci_media_types: !matches!(kind, OutputKind::Docker),
            compression: Compression::default(),
            rewrite_timestamp: false,
            platform_split: None,
            attestation_prefix: String::new(),
            attestation_inline: None,
            oci_artifact: true,
        }
    }
}

/// What an output makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OutputKind {
    /// An image in the store, pushed when asked.
    Image,
    /// An OCI image layout.
    Oci,
    /// A `docker load`-able archive; without a destination it is loaded into a running Docker or Podman.
    Docker,
    /// The root filesystem as a tar.
    Tar,
    /// The root filesystem as a directory.
    Local,
    /// Nothing: the build is run for its steps.
    CacheOnly,
}

/// Where an output goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// Standard output.
    Stdout,
    /// A file or directory.
    Path(PathBuf),
}

/// How layers are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Compression {
    /// gzip at the given level (1 to 12; 6 unless told).
    #[default]
    Gzip,
    /// gzip at a level of 0 to 9.
    GzipLevel(u8),
    /// zstd at a level of 0 to 22.
    Zstd(u8),
    /// None.
    Uncompressed,
}

/// The `[base.*]` tables that FROM may name.
#[derive(Debug, Clone, Default)]
pub struct Bases {
    /// Settings by name.
    pub tables: BTreeMap<String, wharf_base::BaseSettings>,
    /// The `wharf.toml`, for messages and for the lock beside it.
    pub file: Option<PathBuf>,
}

/// How long a tag or an InRelease is believed without asking again, unless `--pull`.
pub const TAG_LIFETIME: Duration = Duration::from_hours(24);

impl DockerfileSource {
    /// How messages call it.
    pub fn display_name(&self) -> String {
        match self {
            Self::File(path) => shorten(path),
            Self::InContext(path) => path.clone(),
            Self::Url(url) => wharf_http::ShownUrl::of_text(url),
            Self::Text { name, .. } => name.clone(),
        }
    }
}

fn shorten(path: &Path) -> String {
    path.file_name().map_or_else(
        || path.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}
