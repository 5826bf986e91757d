//! A case: a folder with a `Dockerfile`, and as it needs
//!
//! - a `context`; without one it has its theme's. A script `prepare`, its own or the theme's, is run in a copy of it first,
//! - `remote`: the URL that is the context instead; the Dockerfile is in there too,
//! - `flags`, one a line, and `output`, attributes of the output likewise. In `flags` and `remote`, `{case}` is the folder, `{server}`
//!   where the theme's files are served (see [`super::served`]), `{agent}` the socket of an SSH agent, `{layout}` the base's OCI layout, `{registry}` a registry (see
//!   [`super::registry`]),
//! - `times`: paths whose times count too, one a line,
//! - `call`: what is asked of the build instead of an image, `outline` or `targets`,
//! - `epoch`: that all times count, up to so many seconds; later ones are all equal,
//! - `expect`: that it fails, and what the message names,
//! - `differs`: what wharf makes otherwise on purpose (see [`Difference`]),
//! - `unverified`: why its steps do not give the same when they run again,
//! - `rootless`: why it needs root.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::registry::Registry;

/// One thing to build.
#[derive(Clone)]
pub(crate) struct Case {
    /// `theme/name`.
    pub(crate) name: String,
    /// Holds the Dockerfile.
    pub(crate) folder: PathBuf,
    /// What is sent to the build.
    pub(crate) context: PathBuf,
    /// Flags of `wharf build`, written `--name=value`.
    pub(crate) flags: Vec<String>,
    /// Times count up to this one, in seconds since 1970.
    pub(crate) epoch: Option<u64>,
    /// The failure that is expected, when one is.
    pub(crate) failure: Option<Failure>,
    /// The URL that is the context.
    pub(crate) remote: Option<String>,
    /// Makes files in a copy of the context.
    pub(crate) prepare: Option<PathBuf>,
    /// Paths whose times count.
    pub(crate) times: Vec<String>,
    /// What is asked instead of building.
    pub(crate) call: Option<String>,
    /// Attributes of the output, such as `rewrite-timestamp=true`.
    pub(crate) output: Vec<String>,
    /// What has to differ, because `docs/compatibility.md` says so.
    pub(crate) differs: Option<Difference>,
    /// Why running its steps again has to give something else.
    pub(crate) unverified: Option<String>,
    /// Why an ordinary user's build has to differ from root's.
    pub(crate) rootless: Option<String>,
}

/// What stands for the placeholders of cases.
pub(crate) struct Places {
    /// Begins the URLs of what is served.
    pub(crate) server: String,
    /// The socket of an SSH agent.
    pub(crate) agent: String,
    /// Has images to begin from.
    pub(crate) registry: Registry,
}

/// Stands for the OCI layout of the base: each builder has its own.
pub(crate) const LAYOUT: &str = "{layout}";

/// A difference that is intended.
#[derive(Clone)]
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
            epoch: None,
            failure: None,
            remote: None,
            prepare: None,
            times: Vec::new(),
            call: None,
            output: Vec::new(),
            differs: None,
            unverified: None,
            rootless: None,
        }
    }

    /// The same case in a copy of all cases.
    pub(crate) fn in_copy(&self, copy: &Path, places: &Places) -> Result<Self, String> {
        read(self.name.clone(), copy.join(&self.name), places)
    }
}

/// How both builders have to fail.
#[derive(Clone)]
pub(crate) struct Failure {
    /// What wharf's message has to name: a line of the Dockerfile, or a flag.
    pub(crate) names: String,
}

/// All cases below `root` whose name contains `word`, by name.
pub(crate) fn find(root: &Path, word: &str, places: &Places) -> Result<Vec<Case>, String> {
    let root = std::path::absolute(root).map_err(|error| error.to_string())?;
    let mut cases = Vec::new();
    for theme in folders(&root)? {
        for folder in folders(&theme)? {
            let name = format!("{}/{}", name_of(&theme), name_of(&folder));
            let is_case = folder.join("Dockerfile").exists() || folder.join("remote").exists();
            if name.contains(word) && is_case {
                cases.push(read(name, folder, places)?);
            }
        }
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(cases)
}

fn read(name: String, folder: PathBuf, places: &Places) -> Result<Case, String> {
    let theme = name.split('/').next().unwrap_or_default();
    let placed = |text: &String| {
        text.replace("{case}", &folder.to_string_lossy())
            .replace("{server}", &format!("{}/{theme}", places.server))
            .replace("{agent}", &places.agent)
    };
    let placed = |text: &String| places.registry.placed(&placed(text));
    Ok(Case {
        context: context_of(&folder)?,
        flags: lines(&folder.join("flags"))?.iter().map(placed).collect(),
        remote: optional(&folder.join("remote"))?.as_ref().map(placed),
        prepare: own_or_theme(&folder, "prepare"),
        times: lines(&folder.join("times"))?,
        call: optional(&folder.join("call"))?,
        output: lines(&folder.join("output"))?,
        epoch: optional(&folder.join("epoch"))?
            .map(|text| text.parse().map_err(|error| format!("{name}/epoch: {error}")))
            .transpose()?,
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
    own_or_theme(folder, "context").ok_or_else(|| format!("{} has no context", folder.display()))
}

fn own_or_theme(folder: &Path, name: &str) -> Option<PathBuf> {
    let theme = folder.parent().unwrap_or(folder);
    let mut places = [folder, theme].map(|place| place.join(name)).into_iter();
    places.find(|place| place.exists())
}

pub(crate) fn folders(root: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(root).map_err(|error| format!("{}: {error}", root.display()))?;
    Ok(entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect())
}

pub(crate) fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

pub(crate) fn lines(path: &Path) -> Result<Vec<String>, String> {
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
