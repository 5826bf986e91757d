//! The cases as they are written: files of TOML, one a theme.

use serde::Deserialize;

/// A step, what it runs on, and changes of that with what has to come of them.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    /// What it is about. No two have one name.
    pub(super) name: String,
    /// The parent: lines as `parent.rs` reads them.
    #[serde(default)]
    pub(super) parent: String,
    /// Another stage's files, for `--mount=from=other`; edits of it begin with `other:`.
    #[serde(default)]
    pub(super) other: Option<String>,
    /// A directory of the context, `$CONTEXT`; edits of it begin with `context:`.
    #[serde(default)]
    pub(super) context: Option<String>,
    /// A script; or
    #[serde(default)]
    pub(super) step: Option<String>,
    /// lines of a Dockerfile, the last RUN of which is judged.
    #[serde(default)]
    pub(super) lines: Option<String>,
    /// Edits of the parent after which the step must be reused.
    #[serde(default)]
    pub(super) reused: Vec<String>,
    /// Edits of the parent after which it must run again.
    #[serde(default)]
    pub(super) again: Vec<String>,
    /// Edits one build after the other, each of the parent of the first, with `again`, `reused` or `either` before a colon.
    #[serde(default)]
    pub(super) sequence: Vec<String>,
    /// Not for users: what only root's devices or ids can do.
    #[serde(default)]
    pub(super) root_only: bool,
}

#[derive(Debug, Deserialize)]
struct Theme {
    case: Vec<Case>,
}

/// What has to become of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It runs again.
    Again,
    /// Its earlier result stands.
    Reused,
    /// One or the other: only the trees are compared.
    Either,
}

impl Case {
    /// Edits and verdicts, in the order in which they are built.
    pub(super) fn rounds(&self) -> Vec<(Verdict, &str)> {
        let sequence = self.sequence.iter().map(|round| {
            let (verdict, edits) = round.split_once(':').expect("again:, reused: or either:");
            let verdict = match verdict {
                "again" => Verdict::Again,
                "reused" => Verdict::Reused,
                "either" => Verdict::Either,
                other => panic!("{other} in {}", self.name),
            };
            (verdict, edits)
        });
        let reused = self.reused.iter().map(|edits| (Verdict::Reused, &edits[..]));
        let again = self.again.iter().map(|edits| (Verdict::Again, &edits[..]));
        sequence.chain(reused).chain(again).collect()
    }
}

const THEMES: &[(&str, &str)] = &[
    ("files", include_str!("cases/files.toml")),
    ("names", include_str!("cases/names.toml")),
    ("links", include_str!("cases/links.toml")),
    ("writes", include_str!("cases/writes.toml")),
    ("programs", include_str!("cases/programs.toml")),
    ("builder", include_str!("cases/builder.toml")),
    ("times", include_str!("cases/times.toml")),
    ("large", include_str!("cases/large.toml")),
];

/// All of them.
pub(super) fn all() -> Vec<Case> {
    let themes = THEMES.iter().flat_map(|(name, text)| theme(name, text));
    themes.collect()
}

/// Cases that are wrong on purpose, in one way each.
pub(super) fn controls() -> Vec<Case> {
    theme("controls", include_str!("cases/controls.toml"))
}

fn theme(name: &str, text: &str) -> Vec<Case> {
    let theme: Theme = toml::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
    theme.case
}
