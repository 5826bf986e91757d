//! The upper directory before the step: its root is what the step sees as `/`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use wharf_tree::Tree;

use crate::{
    overlay::Markers,
    owners::Owners,
    place::{Placing, set_time},
};

/// Makes `upper` with the root's mode, owner, extended attributes and time: overlayfs shows those of the *upper* root as
/// the attributes of `/` and never asks the lower.
pub fn prepare_upper(upper: &Path, tree: &Tree, markers: Markers, owners: &Owners) -> Result<(), UpperError> {
    let placing = Placing {
        owners,
        markers: Some(markers),
    };
    let made = fs::create_dir(upper).and_then(|()| placing.attributes(upper, &tree.root));
    made.map_err(|source| UpperError {
        path: upper.to_owned(),
        source,
    })
}

/// Gives `upper`, which was made for a root that differs in its time, the time of the tree's root. An overlay that is mounted shows it.
pub fn date_upper(upper: &Path, tree: &Tree) -> Result<(), UpperError> {
    set_time(upper, tree.root.mtime).map_err(|source| UpperError {
        path: upper.to_owned(),
        source,
    })
}

/// The upper directory could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot prepare {}", path.display())]
pub struct UpperError {
    /// The directory.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}
