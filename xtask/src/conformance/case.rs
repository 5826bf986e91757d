//! A case: a folder with a `Dockerfile`, and as it needs a `context`, `flags` (one a line, `{case}` is the folder), `expect`, and
//! `differs`: what wharf makes otherwise on purpose, one name a line. A case without a context of its own has its theme's.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// One thing to build.
pub(crate) struct Case {
    /// `theme/name`.
    pub(crate) name: String,
    /// Holds the Dockerfile.
    pub(crate) folder: PathBuf,
    /// What is sent to the build.
    pub(crate) context: PathBuf,
    /// Flags of `wharf build`, written `--name=value`.
    pub(crate) flags: Vec<String>,
    /// The failure that is expected, when one is.
    pub(crate) failure: Option<Failure>,
    /// What has to differ, because `docs/compatibility.md` says so.
    pub(crate) differs: Vec<String>,
}

/// How both builders have to fail.
pub(crate) struct Failure {
    /// What wharf's message has to name: a line of the Dockerfile, or a flag.
    pub(crate) names: String,
}

/// All cases below `root` whose name contains `word`, by name.
pub(crate) fn find(root: &Path, word: &str) -> Result<Vec<Case>, String> {
    let root = std::path::absolute(root).map_err(|error| error.to_string())?;
    let mut cases = Vec::new();
    for theme in folders(&root)? {
        for folder in folders(&theme)? {
            let name = format!("{}/{}", name_of(&theme), name_of(&folder));
            if name.contains(word) && folder.join("Dockerfile").exists() {
                cases.push(read(name, folder)?);
            }
        }
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(cases)
}

fn read(name: String, folder: PathBuf) -> Result<Case, String> {
    let flags = optional(&folder.join("flags"))?.unwrap_or_default();
    let place = folder.to_string_lossy();
    Ok(Case {
        context: context_of(&folder)?,
        flags: flags.lines().map(|flag| flag.replace("{case}", &place)).collect(),
        failure: optional(&folder.join("expect"))?.map(|text| failure(&text)),
        differs: optional(&folder.join("differs"))?
            .map_or_else(Vec::new, |text| text.lines().map(str::to_owned).collect()),
        name,
        folder,
    })
}

fn failure(text: &str) -> Failure {
    let text = text.trim();
    Failure {
        names: match text.strip_prefix("line ") {
            Some(number) => format!("Dockerfile:{number}:"),
            None => text.to_owned(),
        },
    }
}

fn context_of(folder: &Path) -> Result<PathBuf, String> {
    let theme = folder.parent().unwrap_or(folder);
    [folder, theme]
        .map(|place| place.join("context"))
        .into_iter()
        .find(|context| context.is_dir())
        .ok_or_else(|| format!("{} has no context", folder.display()))
}

fn folders(root: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(root).map_err(|error| format!("{}: {error}", root.display()))?;
    Ok(entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect())
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn optional(path: &Path) -> Result<Option<String>, String> {
    if !path.exists() {
        return Ok(None);
    }
    fs::read_to_string(path)
        .map(Some)
        .map_err(|error| format!("{}: {error}", path.display()))
}
