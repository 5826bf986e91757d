//! What may go wrong at any moment: kills, a boot that ended unclean, full disks, a root that is taken away, damaged objects. After each of
//! them the next build makes what an undisturbed one makes.

mod damage;
mod kills;
mod machine;
mod world;

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Whether there is time for the long versions.
pub(crate) fn is_heavy() -> bool {
    std::env::var_os("WHARF_TEST_HEAVY").is_some()
}

/// Every file below a directory, in order.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
        .into_iter()
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .collect()
}
