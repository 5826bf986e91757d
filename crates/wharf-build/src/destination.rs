//! Files that appear when they are complete.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use crate::{output::OutputError, request::Destination};

/// Writes to standard output, or to a file that appears when it is complete.
pub(crate) fn to_destination(
    dest: Option<&Destination>,
    write: impl FnOnce(&mut dyn Write) -> Result<(), OutputError>,
) -> Result<(), OutputError> {
    match dest {
        None | Some(Destination::Stdout) => {
            write(&mut BufWriter::with_capacity(1 << 20, io::stdout().lock()))
        }
        Some(Destination::Path(path)) => write_aside(path, write),
    }
}

fn write_aside(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<(), OutputError>,
) -> Result<(), OutputError> {
    let failed = |source| OutputError::Write {
        path: path.to_owned(),
        source,
    };
    // A device or a pipe is written to as it is.
    let special = fs::metadata(path).is_ok_and(|info| !info.is_file());
    let aside = if special { path.to_owned() } else { aside_of(path) };
    let file = File::options()
        .write(true)
        .create(!special)
        .truncate(!special)
        .open(&aside)
        .map_err(failed)?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let written = write(&mut out).and_then(|()| out.flush().map_err(failed));
    if special {
        return written;
    }
    match written {
        Ok(()) => fs::rename(&aside, path).map_err(failed),
        Err(error) => {
            // The error that is told is the first one.
            let _ = fs::remove_file(&aside);
            Err(error)
        }
    }
}

fn aside_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    path.with_file_name(name)
}
