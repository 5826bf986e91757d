//! What a build is called among others: where its context and Dockerfile lie in their repository.
//!
//! The name keeps the results of many projects with equal steps apart. It is the same on every machine that has a clone, wherever that
//! lies; it is never trusted for a hit.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use crate::request::{BuildRequest, ContextSource, DockerfileSource};

/// `context:Dockerfile`.
pub fn name(request: &BuildRequest) -> String {
    let context = context_name(&request.context);
    let dockerfile = match name_in(&request.context, &request.dockerfile) {
        Some(name) => Path::new(&context).join(name).to_string_lossy().into_owned(),
        None => dockerfile_name(&request.dockerfile),
    };
    format!("{context}:{dockerfile}")
}

/// What the Dockerfile is called in the context's directory, if it lies there: then the two are in one repository.
fn name_in<'r>(context: &ContextSource, dockerfile: &'r DockerfileSource) -> Option<&'r OsStr> {
    let (ContextSource::Directory(directory), DockerfileSource::File(path)) = (context, dockerfile) else {
        return None;
    };
    let is_file = || path.symlink_metadata().is_ok_and(|found| found.is_file());
    (path.parent() == Some(directory) && is_file()).then(|| path.file_name())?
}

fn context_name(context: &ContextSource) -> String {
    match context {
        ContextSource::Directory(directory) => in_repository(directory),
        // The reference moves with every commit and is left out.
        ContextSource::Git(git) => format!("{}#:{}", git.remote, git.subdir),
        ContextSource::Url(url) => url.clone(),
        ContextSource::Empty | ContextSource::Archive(_) => String::new(),
    }
}

fn dockerfile_name(dockerfile: &DockerfileSource) -> String {
    match dockerfile {
        DockerfileSource::File(path) => in_repository(path),
        DockerfileSource::InContext(path) => path.clone(),
        DockerfileSource::Url(url) => url.clone(),
        DockerfileSource::Text { name, .. } => name.clone(),
    }
}

/// The path below the innermost directory that has a `.git`; the whole path where there is none.
fn in_repository(path: &Path) -> String {
    let path: PathBuf = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let repository = path.ancestors().find(|directory| directory.join(".git").exists());
    let inside = repository.and_then(|repository| path.strip_prefix(repository).ok());
    inside.unwrap_or(&path).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use wharf_graph::GitUrl;

    use super::*;

    #[test]
    fn places_in_a_clone_do_not_depend_on_where_it_is() {
        let scratch = tempfile::tempdir().unwrap();
        for clone in ["one", "two"] {
            let service = scratch.path().join(clone).join("services/a");
            std::fs::create_dir_all(&service).unwrap();
            std::fs::create_dir(scratch.path().join(clone).join(".git")).unwrap();
            assert_eq!(in_repository(&service), "services/a");
            assert_eq!(
                in_repository(&service.join("Dockerfile")),
                "services/a/Dockerfile"
            );
        }
        let outside = scratch.path().join("outside");
        std::fs::create_dir(&outside).unwrap();
        assert_eq!(
            Path::new(&in_repository(&outside)),
            outside.canonicalize().unwrap()
        );
    }

    #[test]
    fn a_dockerfile_in_the_context_is_named_with_it() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = scratch.path();
        std::fs::create_dir(directory.join("sub")).unwrap();
        for file in ["Dockerfile", "sub/Dockerfile"] {
            std::fs::write(directory.join(file), "FROM scratch").unwrap();
        }
        std::os::unix::fs::symlink("sub/Dockerfile", directory.join("link")).unwrap();
        let context = ContextSource::Directory(directory.to_owned());
        for (file, named) in [
            ("Dockerfile", true),
            ("sub/Dockerfile", false),
            ("link", false),
            ("missing", false),
        ] {
            let path = directory.join(file);
            let dockerfile = DockerfileSource::File(path.clone());
            let name = name_in(&context, &dockerfile);
            assert_eq!(name, named.then_some(OsStr::new(file)), "{file}");
            if let Some(name) = name {
                let joined = Path::new(&context_name(&context)).join(name);
                assert_eq!(joined, Path::new(&in_repository(&path)));
            }
        }
    }

    #[test]
    fn repositories_go_by_their_address() {
        let git = |fragment: &str| {
            let url = GitUrl::parse(&format!("https://example.com/a.git#{fragment}"));
            context_name(&ContextSource::Git(url.unwrap().unwrap().source()))
        };
        assert_eq!(git("v1:sub"), git("v2:sub"));
        assert_ne!(git("v1:sub"), git("v1:other"));
    }
}
