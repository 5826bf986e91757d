//! `# syntax=`: which frontend a Dockerfile asks for, and whether it is the one that is built in.

use wharf_oci::Reference;

use crate::ast::Dockerfile;
use crate::diagnostic::{Diagnostic, SyntaxError};

/// The images whose language this crate speaks, whatever their tag. Registries that mirror them keep the name, some below a name of
/// their own.
const KNOWN: [&str; 2] = ["docker/dockerfile", "docker/dockerfile-upstream"];

/// Whether a frontend (the value of `# syntax=` up to the first space, or of the build argument `BUILDKIT_SYNTAX`) is built in.
pub fn is_known_frontend(frontend: &str) -> bool {
    let Ok(reference) = frontend.parse::<Reference>() else {
        return false;
    };
    let repository = reference.repository();
    KNOWN.iter().any(|known| {
        let above = repository.strip_suffix(known);
        above.is_some_and(|above| above.is_empty() || above.ends_with('/'))
    })
}

/// The error for a `# syntax=` that names another frontend. Not part of [`crate::parse`], for a build argument may replace
/// the directive.
pub fn unknown_frontend(dockerfile: &Dockerfile) -> Option<Diagnostic> {
    let value = &dockerfile.directives.syntax.as_ref()?.value;
    let frontend = value.raw.split(' ').next().unwrap_or_default();
    if is_known_frontend(frontend) {
        return None;
    }
    Some(Diagnostic::new(
        value.span,
        SyntaxError::UnknownFrontend(frontend.to_owned()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_s_own_is_built_in() {
        for known in [
            "docker/dockerfile",
            "docker/dockerfile:1",
            "docker.io/docker/dockerfile:1.7-labs",
            "mirror.example.com/docker/dockerfile:1",
            "example.com/team/hub/docker/dockerfile-upstream:master",
        ] {
            assert!(is_known_frontend(known), "{known}");
        }
        for unknown in [
            "example.com/mydocker/dockerfile:1",
            "example.com/docker/dockerfile/other:1",
            "dockerfile",
            "other/frontend",
            "",
            "Not A Name",
        ] {
            assert!(!is_known_frontend(unknown), "{unknown}");
        }
        let parse = crate::parse("# syntax=example.com/other:1 x\nFROM scratch\n");
        let error = unknown_frontend(&parse.dockerfile).map(|diagnostic| diagnostic.error.to_string());
        assert_eq!(
            error.as_deref(),
            Some("frontend example.com/other:1 is not built in")
        );
    }
}
