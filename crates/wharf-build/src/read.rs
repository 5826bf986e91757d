//! The Dockerfile: found, read, parsed.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use wharf_dockerfile::{Diagnostic, Dockerfile, is_known_frontend, parse_bytes, unknown_frontend};
use wharf_graph::ContextName;

use crate::{
    build::{Contexts, Machine},
    context_source,
    credentials::Credentials,
    error::{BuildError, Excerpt},
    request::{BuildRequest, ContextSource, DockerfileSource},
};

/// The build argument that takes the place of a Dockerfile's `# syntax=`.
const SYNTAX: &str = "BUILDKIT_SYNTAX";

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
pub fn read(
    request: &BuildRequest,
    contexts: &Contexts,
    machine: &Machine,
    credentials: &Credentials,
) -> Result<ReadDockerfile, BuildError> {
    let mut name = request.dockerfile.display_name();
    let path = match &request.dockerfile {
        DockerfileSource::Url(url) => {
            let (_held, path) = context_source::fetch_file(url, machine, credentials)?;
            let bytes = read_file(&path).map_err(|source| BuildError::ReadDockerfile {
                path: url.into(),
                source,
            })?;
            return Ok(ReadDockerfile {
                name,
                path: None,
                bytes,
            });
        }
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
            let fetched = main.directory.join(context_source::FETCHED);
            match main.directory.join(path) {
                // A Dockerfile was fetched, and nothing else.
                named if !named.exists() && is_text(request) && fetched.exists() => {
                    context_source::FETCHED.clone_into(&mut name);
                    fetched
                }
                named => named,
            }
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

/// Whether the context may be one file that is a Dockerfile, and none was named.
fn is_text(request: &BuildRequest) -> bool {
    let is_usual = matches!(&request.dockerfile, DockerfileSource::InContext(path) if path == "Dockerfile");
    matches!(request.context, ContextSource::Url(_)) && is_usual
}

fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    if fs::metadata(path)?.len() > LIMIT {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 16 MiB"));
    }
    fs::read(path)
}

/// Parses it; all that is wrong is in the error. It must be in the language that is spoken here: the build argument says so, else the
/// Dockerfile itself.
pub fn parse(request: &BuildRequest, read: &ReadDockerfile) -> Result<Dockerfile, BuildError> {
    let parsed = parse_bytes(&read.bytes);
    let source = parsed.dockerfile.source.clone();
    let wrong = |diagnostics: &[Diagnostic]| BuildError::Dockerfile {
        excerpts: diagnostics
            .iter()
            .map(|diagnostic| Excerpt::of_diagnostic(read, &source, diagnostic))
            .collect(),
    };
    let unknown = match request.build_args.get(SYNTAX).and_then(Option::as_ref) {
        Some(frontend) if !is_known_frontend(frontend) => return Err(BuildError::Frontend(frontend.clone())),
        Some(_) => None,
        None => unknown_frontend(&parsed.dockerfile),
    };
    match unknown {
        // What else is wrong may be right in the other language.
        Some(unknown) => Err(wrong(&[unknown])),
        None => parsed.into_result().map_err(|diagnostics| wrong(&diagnostics)),
    }
}
