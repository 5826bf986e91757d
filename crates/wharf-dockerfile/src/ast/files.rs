//! COPY and ADD.

use super::Heredoc;
use crate::word::Word;

/// What COPY and ADD share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileTransfer {
    /// The sources that are paths, patterns or (ADD) URLs, to be expanded, in order.
    pub sources: Vec<Word>,
    /// The sources that stand in the Dockerfile itself, in order. They are written after all of `sources`.
    pub heredocs: Vec<Heredoc>,
    /// Where to, to be expanded.
    pub destination: Word,
    /// `--chown=`, to be expanded. `None` when absent or empty.
    pub chown: Option<Word>,
    /// `--chmod=`, to be expanded; then see [`crate::FileMode`]. `None` when absent or empty.
    pub chmod: Option<Word>,
    /// `--link`.
    pub link: bool,
    /// `--exclude=`, in order, not expanded.
    pub exclude: Vec<Word>,
}

/// COPY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyInstruction {
    /// From where to where, and how.
    pub files: FileTransfer,
    /// `--from=`: stage name, stage number, image or named context. Never expanded: an expansion that would change it is
    /// an error. `None` when absent or empty.
    pub from: Option<Word>,
    /// `--parents`.
    pub parents: bool,
}

/// ADD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddInstruction {
    /// From where to where, and how.
    pub files: FileTransfer,
    /// `--checksum=`, to be expanded. `None` when absent or empty.
    pub checksum: Option<Word>,
    /// `--keep-git-dir`, if given.
    pub keep_git_dir: Option<bool>,
    /// `--unpack`, if given. The default depends on the source: local archives are unpacked, remote ones are not.
    pub unpack: Option<bool>,
}
