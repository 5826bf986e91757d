//! What can be asked of a build instead of building: its Dockerfile, and what it can be given.

use std::sync::Arc;

use wharf_dockerfile::Dockerfile;
use wharf_graph::{Outline, outline as lower_outline};
use wharf_solver::{Cancel, Observer};

use crate::{
    build::{self, Machine},
    credentials::Credentials,
    error::BuildError,
    lower_options::lower_options,
    phases::Phases,
    read::{self, ReadDockerfile},
    request::BuildRequest,
};

/// A Dockerfile, wherever it came from.
#[derive(Debug)]
pub struct Asked {
    /// As it was read.
    pub read: ReadDockerfile,
    /// As it was understood.
    pub dockerfile: Dockerfile,
}

/// The Dockerfile of `request`.
pub fn dockerfile(
    request: &BuildRequest,
    machine: &Machine,
    observer: &Arc<dyn Observer + Send + Sync>,
    cancel: &Cancel,
) -> Result<Asked, BuildError> {
    let credentials = Credentials::new(&request.secrets, &build::agents(request, machine)?);
    let phases = Phases::new(&**observer);
    let read = build::open(request, machine, &credentials, observer, cancel, &phases)?.read;
    Ok(Asked {
        dockerfile: read::parse(request, &read)?,
        read,
    })
}

/// What the wanted stage can be given. The configurations of bases are looked up for their ONBUILD triggers.
pub fn outline(
    request: &BuildRequest,
    machine: &Machine,
    observer: &Arc<dyn Observer + Send + Sync>,
    cancel: &Cancel,
) -> Result<(Asked, Outline), BuildError> {
    let asked = dockerfile(request, machine, observer, cancel)?;
    let Asked { read, dockerfile } = &asked;
    let options = lower_options(request);
    let bases = build::resolve_bases(dockerfile, &options, machine, &Phases::new(&**observer))
        .map_err(|why| why.told(read, dockerfile))?;
    let outline = lower_outline(dockerfile, &options, &bases)
        .map_err(|errors| BuildError::lowering(read, dockerfile, &errors))?;
    Ok((asked, outline))
}
