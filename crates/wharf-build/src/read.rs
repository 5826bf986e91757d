//! The Dockerfile: found, read, parsed.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use wharf_dockerfile::{Dockerfile, parse_bytes};
use wharf_graph::ContextName;

use crate::{
    build::Contexts,
    error::{BuildError, Excerpt},
    request::{BuildRequest, DockerfileSource},
};

/// The most that is read of a Dockerfile.
const LIMIT: u64 = 16 << 20;

/// A Dockerfile's bytes and where they came from.
#[derive(Debug, Clone)]
pub struct ReadDockerfile {
    /// How messages call it.
    pub name: String,
    /// The file, if it is one.
    pub path: Option<PathBuf>,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Reads the Dockerfile that `request` names.
pub fn read(request: &BuildRequest, contexts: &Contexts) -> Result<ReadDockerfile, BuildError> {
    let name = request.dockerfile.display_name();
    let path = match &request.dockerfile {
        DockerfileSource::Text { bytes, .. } => {
            return Ok(ReadDockerfile {
                name,
                path: None,
                bytes: bytes.clone(),
            });
        }
        DockerfileSource::File(path) => path.clone(),
        DockerfileSource::InContext(path) => {
            let main = contexts.get(&ContextName::Main).ok_or(BuildError::NoContext)?;
            main.directory.join(path)
        }
    };
    let bytes = read_file(&path).map_err(|source| BuildError::ReadDockerfile {
        path: path.clone(),
        source,
    })?;
    Ok(ReadDockerfile {
        name,
        path: Some(path),
        bytes,
    })
}

fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    if fs::metadata(path)?.len() > LIMIT {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 16 MiB"));
    }
    fs::read(path)
}

/// Parses it; all that is wrong is in the error.
pub fn parse(read: &ReadDockerfile) -> Result<Dockerfile, BuildError> {
    let parsed = parse_bytes(&read.bytes);
    let source = parsed.dockerfile.source.clone();
    parsed
        .into_result()
        .map_err(|diagnostics| BuildError::Dockerfile {
            excerpts: diagnostics
                .iter()
                .map(|diagnostic| Excerpt::of_diagnostic(read, &source, diagnostic))
                .collect(),
        })
}
