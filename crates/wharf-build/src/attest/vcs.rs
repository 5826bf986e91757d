//! The checkout that a local context is part of: which commit of which repository.
//!
//! What buildx tells BuildKit by options whose names begin with `vcs:`. As there, changes that are not committed are not looked for.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use super::redact::redacted;
use crate::{
    git,
    request::{BuildRequest, ContextSource, DockerfileSource},
};

/// Members of the metadata; none for contexts outside of a checkout, and where there is no git.
pub(crate) fn of_context(request: &BuildRequest) -> Map<String, Value> {
    let mut members = Map::new();
    let ContextSource::Directory(context) = &request.context else {
        return members;
    };
    let Some(root) = git::ask(context, &["rev-parse", "--show-toplevel"]) else {
        return members;
    };
    let mut set = |key: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            members.insert(key.to_owned(), value.into());
        }
    };
    set("revision", git::ask(context, &["rev-parse", "--verify", "HEAD"]));
    set(
        "source",
        git::ask(context, &["remote", "get-url", "origin"]).map(|url| redacted(&url)),
    );
    let below = |folder: &Path| below(Path::new(&root), folder);
    set("localdir:context", below(context));
    if let DockerfileSource::File(path) = &request.dockerfile {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        set("localdir:dockerfile", below(folder.unwrap_or(Path::new("."))));
    }
    members
}

/// Where a folder is in the checkout.
fn below(root: &Path, folder: &Path) -> Option<String> {
    let whole = |path: &Path| -> Option<PathBuf> { fs::canonicalize(path).ok() };
    let relative = whole(folder)?.strip_prefix(whole(root)?).ok()?.to_owned();
    if relative.as_os_str().is_empty() {
        return Some(".".to_owned());
    }
    Some(relative.to_string_lossy().into_owned())
}
