//! COPY and ADD: files of other inputs put into a root.

use crate::step::Input;

/// Files put into [`Input::ROOT`].
///
/// Dockerfile reference, "COPY" and "ADD"; the flags mean what BuildKit's `FileActionCopy` makes of them. The sources are
/// put there one after the other, so that of two files with one name the later stays.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CopyOp {
    /// In the order written; at least one.
    pub sources: Vec<CopySource>,
    /// Absolute. A trailing `/` (or `/.`) says that it is a directory; otherwise it is one if it exists as one, or if a
    /// source is a directory.
    pub dest: String,
    /// The owner of everything copied and of every parent made: `user[:group]`, names looked up in the root's `/etc/passwd` and
    /// `/etc/group`. `None`: files of the context, of stages and of images keep theirs or are 0:0 as their input says.
    pub chown: Option<String>,
    /// Octal (at most 07777) or symbolic (`u=rwX,go=rX`) permissions; checked to be one of both.
    pub chmod: Option<String>,
    /// `--link`: the layer is made on an empty root, whatever the parent holds at the destination, and put on top of it.
    pub link: bool,
    /// `--exclude`: patterns of `.dockerignore`'s kind, relative to each source.
    pub excludes: Vec<String>,
    /// `ADD`, whose sources may be archives and URLs.
    pub add: bool,
}

/// One source of a COPY or ADD.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CopySource {
    /// Files of a context, a stage or an image.
    Path(PathSource),
    /// A heredoc: a file of mode 0644, owned by root.
    File(FileSource),
    /// The file that an [`HttpSource`](crate::HttpSource) made.
    Download(DownloadSource),
    /// All files of a checkout, put into the destination directory.
    Checkout(Input),
}

/// Files of a context, a stage or an image.
///
/// A directory gives its contents, not itself; symbolic links in the named path are followed, those below stay links. A
/// wildcard may match nothing only where another source matches.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PathSource {
    /// Where they are.
    pub input: Input,
    /// Absolute in the input, normalised but for a trailing `/`, with Go's `filepath.Match` wildcards in each component.
    pub path: String,
    /// `--parents`: what to take below `path`.
    pub parents: Option<ParentsPattern>,
    /// Whether a local archive is unpacked instead of copied.
    pub unpack: bool,
}

/// `COPY --parents`: the part of a source after its pivot `/./`, whose directories are made again in the destination.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ParentsPattern {
    /// Relative to [`PathSource::path`]; `**` matches any number of components.
    pub pattern: String,
    /// Whether finding nothing is an error: so when neither path nor pattern has wildcards.
    pub required: bool,
}

/// A heredoc as a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FileSource {
    /// Its name: what it is called in a directory.
    pub name: String,
    /// Its content, variables expanded.
    pub content: String,
}

/// A downloaded file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DownloadSource {
    /// The step that fetched it.
    pub input: Input,
    /// Its name in that step's root.
    pub file_name: String,
    /// `--unpack`: whether an archive is unpacked instead of copied.
    pub unpack: bool,
}
