//! Removing what steps left in scratch directories: inside the user namespace, where that is allowed.

use std::{
    fs, io,
    io::{Read, Write},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::ExitCode,
    sync::Arc,
};

use wharf_sandbox::{Entry, Identity, Sandbox};

/// What the sandbox starts to remove a directory.
pub(super) const REMOVE_ENTRY: Entry = Entry {
    name: "remove",
    run: run_entry,
};

/// Removes a directory of files that may belong to the sandbox's ids or have no permissions.
pub fn remove_inside(sandbox: &Arc<Sandbox>, path: &Path) -> io::Result<()> {
    if *sandbox.identity() == Identity::Root {
        return remove(path);
    }
    let input = std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str());
    let (exit, output) = sandbox
        .inside(REMOVE_ENTRY.name, input)
        .map_err(io::Error::other)?;
    if exit.success() {
        Ok(())
    } else {
        Err(io::Error::other(String::from_utf8_lossy(&output).into_owned()))
    }
}

fn run_entry(input: &mut dyn Read, output: &mut dyn Write) -> ExitCode {
    let mut path = Vec::new();
    let removed = input.read_to_end(&mut path).and_then(|_| {
        remove(Path::new(
            <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(&path),
        ))
    });
    match removed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell if the other side is gone.
            let _ = write!(output, "{error}");
            ExitCode::FAILURE
        }
    }
}

/// As `rm -rf`, also where a directory forbids it: overlayfs leaves one of mode 000.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(path)?;
            fs::remove_dir_all(path)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

fn open_up(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}
