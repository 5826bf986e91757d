//! A case: a folder with a `Dockerfile`, and as it needs
//!
//! - a `context`; without one it has its theme's,
//! - `flags`, one a line, `{case}` being the folder, and `output`, attributes of the output likewise,
//! - `expect`: that it fails, and what the message names,
//! - `differs`: what wharf makes otherwise on purpose (see [`Difference`]),
//! - `unverified`: why its steps do not give the same when they run again,
//! - `rootless`: why it needs root.

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
    /// Attributes of the output, such as `rewrite-timestamp=true`.
    pub(crate) output: Vec<String>,
    /// What has to differ, because `docs/compatibility.md` says so.
    pub(crate) differs: Option<Difference>,
    /// Why running its steps again has to give something else.
    pub(crate) unverified: Option<String>,
    /// Why an ordinary user's build has to differ from root's.
    pub(crate) rootless: Option<String>,
}

/// A difference that is intended.
pub(crate) struct Difference {
    /// What differs: a path of the tree, a field of the configuration, who builds what the other refuses.
    pub(crate) names: Vec<String>,
}

impl Case {
    /// The Dockerfile of `folder`, which is its context as well.
    pub(crate) fn of_folder(folder: &Path) -> Self {
        Self {
            name: name_of(folder),
            folder: folder.to_owned(),
            context: folder.to_owned(),
            flags: Vec::new(),
            failure: None,
            output: Vec::new(),
            differs: None,
            unverified: None,
            rootless: None,
        }
    }

    /// The same case in a copy of all cases.
    pub(crate) fn in_copy(&self, copy: &Path) -> Result<Self, String> {
        read(self.name.clone(), copy.join(&self.name))
    }
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
    let place = folder.to_string_lossy();
    Ok(Case {
        context: context_of(&folder)?,
        flags: lines(&folder.join("flags"))?
            .iter()
            .map(|flag| flag.replace("{case}", &place))
            .collect(),
        output: lines(&folder.join("output"))?,
        failure: optional(&folder.join("expect"))?.map(|text| failure(&text)),
        differs: optional(&folder.join("differs"))?
            .map(|text| difference(&text).map_err(|why| format!("{name}/differs {why}")))
            .transpose()?,
        unverified: optional(&folder.join("unverified"))?,
        rootless: optional(&folder.join("rootless"))?,
        name,
        folder,
    })
}

/// Names, a line each; then `because: …`, the reason, and `see: …`, an upstream issue or a section of a reference, for which there
/// is no difference without them.
fn difference(text: &str) -> Result<Difference, String> {
    let (reasons, names): (Vec<_>, Vec<_>) = text.lines().partition(|line| is_reason(line));
    for word in REASONS {
        let told = |line: &&str| {
            line.strip_prefix(word)
                .is_some_and(|told| !told.trim().is_empty())
        };
        if !reasons.iter().any(told) {
            return Err(format!("has no line `{word} …`"));
        }
    }
    Ok(Difference {
        names: names.into_iter().map(str::to_owned).collect(),
    })
}

const REASONS: [&str; 2] = ["because:", "see:"];

fn is_reason(line: &str) -> bool {
    REASONS.iter().any(|word| line.starts_with(word))
}

fn failure(text: &str) -> Failure {
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

fn lines(path: &Path) -> Result<Vec<String>, String> {
    let text = optional(path)?.unwrap_or_default();
    Ok(text.lines().map(str::to_owned).collect())
}

fn optional(path: &Path) -> Result<Option<String>, String> {
    if !path.exists() {
        return Ok(None);
    }
    fs::read_to_string(path)
        .map(|text| Some(text.trim().to_owned()))
        .map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_has_its_reasons() {
        let whole = difference("dev\nproc\nbecause: it is so\nsee: RUN --mount").map(|found| found.names);
        assert_eq!(whole, Ok(vec!["dev".to_owned(), "proc".to_owned()]));
        for text in ["dev", "dev\nbecause: it is so", "dev\nbecause:\nsee: x"] {
            assert!(difference(text).is_err(), "{text}");
        }
    }
}
