//! Where the builders keep what they make.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
};

/// What root's builders make, removed at the next run: a failure can be looked at.
const SCRATCH: &str = "target/conformance";

/// A fresh folder for root's builders.
pub(crate) fn of_root() -> Result<PathBuf, String> {
    let scratch = std::path::absolute(SCRATCH).map_err(|error| error.to_string())?;
    let _ = fs::remove_dir_all(&scratch);
    make(&scratch)?;
    Ok(scratch)
}

/// A folder that the test user can reach, which the target directory may not be; removed when dropped.
pub(crate) struct OfTestUser(PathBuf);

impl OfTestUser {
    /// A fresh one.
    pub(crate) fn make() -> Result<Self, String> {
        let folder = std::env::temp_dir().join(format!("wharf-conformance-{}", std::process::id()));
        make(&folder)?;
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&folder, mode).map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(Self(folder))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for OfTestUser {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Makes a folder of that user.
pub(crate) fn give(folder: &Path, (user, group): (u32, u32)) -> Result<(), String> {
    make(folder)?;
    chown(folder, Some(user), Some(group)).map_err(|error| format!("{}: {error}", folder.display()))
}

/// Makes a folder and those above it.
pub(crate) fn make(folder: &Path) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))
}
