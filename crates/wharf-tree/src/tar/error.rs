//! Why a tar is refused, or cannot be made.

use std::io;

use super::{header::FormatError, reader::ReadError};
use crate::{
    build::BuildError,
    path::{PathError, TreePath},
};

/// Why a tar was refused. Names are as they stand in the tar.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The archive cannot be read, which may mean that it cannot be decompressed.
    #[error("cannot read the archive")]
    Read(#[source] io::Error),
    /// Not a tar, or a damaged one.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// A content could not be read, or not be kept.
    #[error("cannot take the content of `{name}`")]
    Content {
        /// The member.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// More members or bytes than [`super::Limits`] allow.
    #[error("the archive holds more than {limit} {what}")]
    TooMuch {
        /// How many are allowed.
        limit: u64,
        /// Of what.
        what: &'static str,
    },
    /// A name with `..` that leads out of the root.
    #[error("`{name}` leads out of the archive")]
    Outside {
        /// The name, or the target of a hard link.
        name: String,
    },
    /// A name that no file can have.
    #[error("`{name}` cannot be a path")]
    Name {
        /// The name.
        name: String,
        /// Why.
        source: PathError,
    },
    /// A member below a file or a symbolic link of the same archive.
    #[error("`{name}` cannot be placed")]
    Place {
        /// The member.
        name: String,
        /// What is in the way.
        source: BuildError,
    },
    /// A hard link to a file that is neither in the archive before it nor in the parent.
    #[error("`{name}` is a hard link to `{target}`, which is not there")]
    LinkTarget {
        /// The member.
        name: String,
        /// Its target.
        target: String,
    },
    /// A kind of member that no layer has.
    #[error("`{name}` is of unknown type `{}`", char::from(*.kind))]
    Kind {
        /// The member.
        name: String,
        /// The type flag.
        kind: u8,
    },
    /// A value that Linux cannot hold.
    #[error("`{name}` has a bad {what}")]
    Range {
        /// The member.
        name: String,
        /// What is out of range.
        what: &'static str,
    },
}

impl From<ReadError> for ImportError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Io(error) => Self::Read(error),
            ReadError::Format(error) => Self::Format(error),
        }
    }
}

/// Why no tar could be made.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Writing failed.
    #[error("cannot write the archive")]
    Write(#[from] io::Error),
    /// A content is missing, or not as long as the tree says.
    #[error("cannot archive the content of {path}")]
    Content {
        /// The file.
        path: TreePath,
        /// Why.
        source: io::Error,
    },
    /// The tree that was given for merged lacks a directory of the layer.
    #[error("{path} is a directory of the layer, but not of the merged tree")]
    NotMerged {
        /// The directory.
        path: TreePath,
    },
    /// A name that means something else in a layer tar.
    #[error("{path} cannot be in a layer archive: names that start with `.wh.` mean that something is gone")]
    Reserved {
        /// The entry.
        path: TreePath,
    },
    /// Something of so long a name is gone that the mark for it (`.wh.` and the name) is longer than a name may be.
    #[error("the name of {path} is too long to say in a layer archive that it is gone")]
    Whiteout {
        /// What is gone.
        path: TreePath,
    },
    /// An extended attribute whose name holds `=`, which no tar can say.
    #[error("{path} has an extended attribute that no archive can hold")]
    Xattr {
        /// The entry.
        path: TreePath,
    },
}
