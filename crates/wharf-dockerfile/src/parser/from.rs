//! FROM: the instruction that opens a stage.

use super::arguments::Arguments;
use super::flags::Flags;
use crate::ast::{Comment, Flag, FromInstruction, Keyword, StageName};
use crate::diagnostic::{Diagnostic, SyntaxError};
use crate::source::Span;
use crate::word::Word;

/// What FROM is made from besides its arguments.
pub(super) struct FromParts<'a> {
    pub(super) span: Span,
    pub(super) keyword: Word,
    pub(super) code: String,
    pub(super) flags: &'a [Flag],
    pub(super) comments: Vec<Comment>,
    pub(super) empty_continuations: Vec<Span>,
}

/// The FROM. With errors it comes out as far as it was understood, so that what follows it has a stage to stand in.
pub(super) fn from(
    parts: FromParts<'_>,
    arguments: Arguments<'_>,
    errors: &mut Vec<Diagnostic>,
) -> FromInstruction {
    let words = match arguments {
        Arguments::Words { words, .. } => words,
        _ => Vec::new(),
    };
    let flags = Flags::check(Keyword::From, parts.flags, errors);
    let mut words = words.into_iter();
    let base = words.next();
    let is_as = |word: &Word| word.raw.eq_ignore_ascii_case("as");
    let (as_keyword, name) = match (&base, words.next(), words.next(), words.next()) {
        (Some(_), None, None, None) => (None, None),
        (Some(_), Some(keyword), Some(name), None) if is_as(&keyword) => {
            (Some(keyword), stage_name(name, errors))
        }
        (_, second, ..) => {
            let place = second.map_or(parts.keyword.span, |word| word.span.to(parts.span));
            errors.push(Diagnostic::new(place, SyntaxError::FromArguments));
            (None, None)
        }
    };
    FromInstruction {
        span: parts.span,
        base: base.unwrap_or_else(|| Word::new(Span::empty(parts.span.end), "")),
        platform: flags.text("platform"),
        keyword: parts.keyword,
        code: parts.code,
        comments: parts.comments,
        empty_continuations: parts.empty_continuations,
        as_keyword,
        name,
    }
}

fn stage_name(word: Word, errors: &mut Vec<Diagnostic>) -> Option<StageName> {
    let name = word.raw.to_lowercase();
    if !is_stage_name(&name) {
        errors.push(Diagnostic::new(
            word.span,
            SyntaxError::InvalidStageName(word.raw),
        ));
        return None;
    }
    Some(StageName {
        span: word.span,
        name,
        written: word.raw,
    })
}

/// A letter, then letters, digits, `-`, `_` and `.`; in lower case.
fn is_stage_name(name: &str) -> bool {
    let rest = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(rest)
}
