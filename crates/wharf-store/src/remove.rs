//! Removing directories that builds have left behind, whatever permissions steps gave to what is in them.

use std::{fs, io, os::unix::fs::PermissionsExt, path::Path};

use crate::store::RemoveTree;

/// Removes what is at `path` and below; nothing there is as good. Symbolic links are removed, never followed. Where the caller's
/// permissions do not suffice, directories are opened up, and then `help` is asked.
pub(crate) fn tree(path: &Path, help: Option<&RemoveTree>) -> io::Result<()> {
    let refused = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
    match everything(path) {
        Err(error) if refused(&error) => {}
        outcome => return outcome,
    }
    open_up(path)?;
    match (everything(path), help) {
        (Err(error), Some(help)) if refused(&error) => help(path),
        (outcome, _) => outcome,
    }
}

fn everything(path: &Path) -> io::Result<()> {
    let outcome = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

/// Gives the caller all permissions on its own directories. Those of other owners stay as they are.
fn open_up(directory: &Path) -> io::Result<()> {
    if fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).is_err() {
        return Ok(());
    }
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}
