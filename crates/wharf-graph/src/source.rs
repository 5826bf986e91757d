//! Where files come from: images, bases, contexts, URLs, git.

use std::collections::BTreeSet;

use wharf_oci::Digest;

/// Files from outside the graph.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// Nothing: `FROM scratch`.
    Scratch,
    /// An image of a registry or of the store; the step's platform chooses its manifest.
    Image(ImageSource),
    /// A base image made of distribution packages, by its name in the project's settings.
    Base(String),
    /// A directory that the user sent.
    Context(ContextSource),
    /// An image in an OCI layout on disk.
    OciLayout(LayoutSource),
    /// A file from a URL: a root that holds [`HttpSource::file_name`] only.
    Http(HttpSource),
    /// A checkout: a root that holds the repository's files.
    Git(GitSource),
}

/// An image by its reference.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ImageSource {
    /// Normalised, with a tag or a digest: `docker.io/library/alpine:3.20`.
    pub reference: String,
    /// The manifest that the reference stood for when the configuration was read: the files are that manifest's, whatever the
    /// tag has become since.
    pub digest: Option<Digest>,
    /// Whether to ask the registry.
    pub pull: PullPolicy,
}

/// Whether to ask a registry about a name that the store knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum PullPolicy {
    /// Only when the store's answer is missing or old.
    #[default]
    Default,
    /// Always: `--pull`.
    Always,
}

/// A context and what of it the build can need.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ContextSource {
    /// Which one.
    pub name: ContextName,
    /// The paths that some step names, relative to the context, with the wildcards they have; a step may need what is below
    /// them and what symbolic links on the way lead to. Empty means everything. A hint for reading less, never part of a key.
    pub paths: BTreeSet<String>,
}

/// Names a context.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContextName {
    /// The build's own.
    Main,
    /// One of `--build-context`, by its name there.
    Named(String),
}

/// An image in an OCI layout: `--build-context NAME=oci-layout://PATH[:TAG][@DIGEST]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LayoutSource {
    /// The layout's directory, as the user wrote it.
    pub path: String,
    /// The manifest's tag in the layout's index.
    pub tag: Option<String>,
    /// The manifest's or index's digest.
    pub digest: Option<Digest>,
}

/// A file from a URL.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HttpSource {
    /// Where it is.
    pub url: String,
    /// What it must hash to.
    pub checksum: Option<Digest>,
    /// Its name in the root that the step makes: the URL's last path component, or `__unnamed__`.
    pub file_name: String,
}

/// A git checkout.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GitSource {
    /// The repository, without reference and query.
    pub remote: String,
    /// Branch, tag, full reference or commit; empty is the remote's HEAD.
    pub reference: String,
    /// The directory in the repository that becomes the root; empty is all of it.
    pub subdir: String,
    /// The commit that the reference must stand for: full or a prefix, in hex.
    pub checksum: Option<String>,
    /// Whether `.git` is kept.
    pub keep_git_dir: bool,
    /// Whether submodules are checked out.
    pub submodules: bool,
    /// Whether files have the time of the commit rather than that of the checkout.
    pub commit_times: bool,
    /// Whether the checksum is fetched as a commit, without asking what the reference stands for.
    pub fetch_by_commit: bool,
}
