//! Finding a program inside and executing it.

use std::{
    ffi::{CString, OsStr, OsString},
    fs, io,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use rustix::io::Errno;

use crate::{Spec, exit::ExecError, kernel};

/// Docker's, for images that set none.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Executes the first program of that name that can be; returns only the reason why none could.
pub(super) fn search_and_execute(spec: &Spec) -> ExecError {
    let program = spec.argv.first().cloned().unwrap_or_default();
    let mut worst = ExecError::NotFound {
        program: PathBuf::from(&program),
    };
    for candidate in candidates(&program, &spec.env) {
        match try_one(&candidate, spec) {
            ExecError::NotFound { .. } => {}
            // As execvp(3): a later directory may hold one that may be executed.
            error @ ExecError::NotExecutable { errno, .. } if errno == Errno::ACCESS.raw_os_error() => {
                worst = error;
            }
            error => return error,
        }
    }
    worst
}

fn candidates(program: &OsStr, env: &[OsString]) -> Vec<PathBuf> {
    if program.is_empty() {
        return Vec::new();
    }
    if program.as_bytes().contains(&b'/') {
        return vec![program.into()];
    }
    let path = env
        .iter()
        .rev()
        .find_map(|pair| pair.as_bytes().strip_prefix(b"PATH="));
    let folders = path.unwrap_or(PATH.as_bytes()).split(|byte| *byte == b':');
    // An empty entry is the working directory (POSIX).
    folders
        .map(|folder| {
            Path::new(OsStr::from_bytes(if folder.is_empty() { b"." } else { folder })).join(program)
        })
        .collect()
}

fn try_one(candidate: &Path, spec: &Spec) -> ExecError {
    let program = candidate.to_owned();
    let texts = |list: &[OsString]| -> Option<Vec<CString>> {
        list.iter()
            .map(|text| CString::new(text.clone().into_vec()).ok())
            .collect()
    };
    let path = CString::new(candidate.as_os_str().as_bytes()).ok();
    let (Some(path), Some(arguments), Some(environment)) = (path, texts(&spec.argv), texts(&spec.env)) else {
        let errno = Errno::INVAL.raw_os_error();
        return ExecError::NotExecutable { program, errno };
    };
    let error = kernel::execute(&path, &arguments, &environment);
    explain(program, &error)
}

fn explain(program: PathBuf, error: &io::Error) -> ExecError {
    let missing = matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    );
    if !missing {
        let errno = error.raw_os_error().unwrap_or(0);
        return ExecError::NotExecutable { program, errno };
    }
    if fs::metadata(&program).is_ok() {
        ExecError::NoInterpreter { program }
    } else {
        ExecError::NotFound { program }
    }
}
