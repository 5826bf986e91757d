//! Which instruction takes which flags, and their values by type.

use crate::ast::{Flag, Keyword};
use crate::diagnostic::{Diagnostic, SyntaxError};
use crate::source::Span;
use crate::suggest::{Case, nearest};
use crate::word::Word;

/// What a flag's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FlagKind {
    /// Absent, `true` or `false`.
    Boolean,
    /// One text.
    Text,
    /// A text each time it is given.
    List,
}

use FlagKind::{Boolean, List, Text};

/// The flags of an instruction. `None`: it takes no flags and, as in the reference, overlooks them.
const fn flags_of(keyword: Keyword) -> Option<&'static [(&'static str, FlagKind)]> {
    Some(match keyword {
        Keyword::Add => &[
            ("chown", Text),
            ("chmod", Text),
            ("link", Boolean),
            ("keep-git-dir", Boolean),
            ("checksum", Text),
            ("unpack", Boolean),
            ("exclude", List),
        ],
        Keyword::Copy => &[
            ("chown", Text),
            ("from", Text),
            ("chmod", Text),
            ("link", Boolean),
            ("exclude", List),
            ("parents", Boolean),
        ],
        Keyword::From => &[("platform", Text)],
        Keyword::Healthcheck => &[
            ("interval", Text),
            ("timeout", Text),
            ("start-period", Text),
            ("start-interval", Text),
            ("retries", Text),
        ],
        Keyword::Run => &[
            ("mount", List),
            ("network", Text),
            ("security", Text),
            ("device", List),
        ],
        Keyword::Arg | Keyword::Stopsignal => return None,
        _ => &[],
    })
}

/// The flags of one instruction, known to be its flags and of the right types.
pub(super) struct Flags<'a>(&'a [Flag]);

impl<'a> Flags<'a> {
    /// Checks the flags; every one that is wrong is reported.
    pub(super) fn check(keyword: Keyword, flags: &'a [Flag], errors: &mut Vec<Diagnostic>) -> Self {
        let Some(known) = flags_of(keyword) else {
            return Self(&[]);
        };
        for (index, flag) in flags.iter().enumerate() {
            let name = flag.name.as_str();
            let error = match known.iter().find(|(known, _)| *known == name) {
                None => Some(unknown(flag, known)),
                Some((_, kind)) if *kind != List && is_repeated(flag, &flags[..index]) => Some(
                    Diagnostic::new(flag.span, SyntaxError::DuplicateFlag(name.to_owned())),
                ),
                Some((_, kind)) => check_value(flag, *kind),
            };
            errors.extend(error);
        }
        Self(flags)
    }

    /// The value of a flag; empty counts as absent.
    pub(super) fn text(&self, name: &str) -> Option<Word> {
        self.written(name).filter(|value| !value.is_empty())
    }

    /// The value of a flag, empty or not.
    pub(super) fn written(&self, name: &str) -> Option<Word> {
        self.find(name)?.value.clone()
    }

    /// The values of a flag that may be repeated.
    pub(super) fn list(&self, name: &str) -> Vec<Word> {
        let flags = self.0.iter().filter(|flag| flag.name.as_str() == name);
        flags.filter_map(|flag| flag.value.clone()).collect()
    }

    /// What a boolean flag says, if it is there.
    pub(super) fn boolean(&self, name: &str) -> Option<bool> {
        self.find(name)?.value.as_ref().map_or(Some(true), parse_boolean)
    }

    fn find(&self, name: &str) -> Option<&Flag> {
        self.0.iter().find(|flag| flag.name.as_str() == name)
    }
}

fn is_repeated(flag: &Flag, before: &[Flag]) -> bool {
    before.iter().any(|other| other.name.raw == flag.name.raw)
}

fn unknown(flag: &Flag, known: &[(&str, FlagKind)]) -> Diagnostic {
    let name = flag.name.as_str();
    let near = nearest(name, known.iter().map(|(name, _)| *name), Case::Significant);
    // Without the `=`: the value may be as long as it likes.
    let span = Span::new(flag.span.start, flag.name.span.end);
    let error = SyntaxError::UnknownFlag(name.to_owned());
    Diagnostic::new(span, error).suggest(near.map(|name| format!("--{name}")))
}

fn check_value(flag: &Flag, kind: FlagKind) -> Option<Diagnostic> {
    let name = flag.name.raw.clone();
    let error = match (kind, &flag.value) {
        (Boolean, None) | (Text | List, Some(_)) => return None,
        (Boolean, Some(value)) if parse_boolean(value).is_some() => return None,
        (Boolean, Some(value)) if !value.is_empty() => SyntaxError::FlagNotBoolean {
            flag: name,
            value: value.raw.clone(),
        },
        _ => SyntaxError::FlagWithoutValue(name),
    };
    Some(Diagnostic::new(flag.span, error))
}

fn parse_boolean(value: &Word) -> Option<bool> {
    match value.as_str() {
        text if text.eq_ignore_ascii_case("true") => Some(true),
        text if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}
