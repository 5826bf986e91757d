//! The arguments of an instruction in the shape that its keyword asks for, not yet checked to make sense.

use super::json::{self, JsonForm};
use super::logical::{Text, is_blank};
use super::split::{Command, split};
use super::words::quoted_words;
use crate::ast::{CommandLine, KeyValue, Keyword, Separator};
use crate::diagnostic::{Diagnostic, SyntaxError};
use crate::source::Span;
use crate::word::Word;

/// Arguments by shape.
#[derive(Debug)]
pub(super) enum Arguments<'a> {
    /// Everything up to the end of the line.
    Text(Word),
    /// A list of words; whether it was written as JSON.
    Words { words: Vec<Word>, json: bool },
    /// Words that keep their quotes (ARG).
    Quoted(Vec<Text<'a>>),
    /// A command in either form.
    Command(CommandLine),
    /// Pairs of ENV and LABEL.
    Pairs(Vec<KeyValue>),
    /// HEALTHCHECK: the first word, and a command if there is one.
    Health {
        kind: Word,
        command: Option<CommandLine>,
    },
    /// ONBUILD: the instruction inside.
    Trigger(Box<Command<'a>>),
    /// Nothing where something must be.
    None,
}

impl Arguments<'_> {
    /// Whether they were written as a JSON array.
    pub(super) fn is_json(&self) -> bool {
        match self {
            Self::Words { json, .. } => *json,
            Self::Command(command) => command.is_exec(),
            _ => false,
        }
    }
}

/// Reads the arguments of a known instruction.
pub(super) fn parse(
    keyword: Keyword,
    text: Text<'_>,
    escape: char,
) -> Result<Arguments<'_>, Vec<Diagnostic>> {
    match keyword {
        Keyword::Cmd | Keyword::Entrypoint | Keyword::Run | Keyword::Shell => {
            command(text).map(Arguments::Command)
        }
        Keyword::Add | Keyword::Copy | Keyword::Volume => json_or_words(text),
        _ if text.is_empty() => Ok(Arguments::None),
        Keyword::Arg => Ok(Arguments::Quoted(quoted_words(text, escape))),
        Keyword::Env | Keyword::Label => pairs(keyword, text, escape).map(Arguments::Pairs),
        Keyword::Expose | Keyword::From => Ok(words(text)),
        Keyword::Healthcheck => health(text),
        Keyword::Maintainer | Keyword::Stopsignal | Keyword::User | Keyword::Workdir => {
            Ok(Arguments::Text(text.word()))
        }
        Keyword::Onbuild => trigger(text, escape),
    }
}

fn words<'a>(text: Text<'_>) -> Arguments<'a> {
    Arguments::Words {
        words: text.split_blanks().map(|word| word.word()).collect(),
        json: false,
    }
}

fn json_or_words<'a>(text: Text<'_>) -> Result<Arguments<'a>, Vec<Diagnostic>> {
    match json::parse(text) {
        JsonForm::Strings(words) => Ok(Arguments::Words { words, json: true }),
        JsonForm::OtherArray => Err(not_strings(text.span())),
        JsonForm::Not => Ok(words(text)),
    }
}

fn command(text: Text<'_>) -> Result<CommandLine, Vec<Diagnostic>> {
    match json::parse(text) {
        JsonForm::Strings(args) => Ok(CommandLine::Exec {
            span: text.span(),
            args,
        }),
        JsonForm::OtherArray => Err(not_strings(text.span())),
        JsonForm::Not => Ok(CommandLine::Shell(text.word())),
    }
}

fn not_strings(span: Span) -> Vec<Diagnostic> {
    vec![Diagnostic::new(span, SyntaxError::JsonNotStrings)]
}

/// Which form the pairs are in is decided by the first word: with a `=` in it, all are `key=value`.
fn pairs(keyword: Keyword, text: Text<'_>, escape: char) -> Result<Vec<KeyValue>, Vec<Diagnostic>> {
    let words = quoted_words(text, escape);
    if words.first().is_some_and(|word| !word.as_str().contains('=')) {
        return legacy_pair(keyword, text).map(|pair| vec![pair]);
    }
    let mut pairs = Vec::with_capacity(words.len());
    let mut errors = Vec::new();
    for word in words {
        let (key, value) = split_pair(word);
        let Some(value) = value else {
            let error = SyntaxError::NoEquals {
                keyword,
                word: word.as_str().to_owned(),
            };
            errors.push(Diagnostic::new(word.span(), error));
            continue;
        };
        let (span, separator) = (word.span(), Separator::Equals);
        pairs.push(KeyValue {
            span,
            key: key.word(),
            value: value.word(),
            separator,
        });
    }
    if errors.is_empty() { Ok(pairs) } else { Err(errors) }
}

/// What stands before the first `=`, and what stands after it.
pub(super) fn split_pair(word: Text<'_>) -> (Text<'_>, Option<Text<'_>>) {
    match word.as_str().find('=') {
        Some(equals) => (word.sub(0..equals), Some(word.sub(equals + 1..word.len()))),
        None => (word, None),
    }
}

/// `key rest of the line`.
fn legacy_pair(keyword: Keyword, text: Text<'_>) -> Result<KeyValue, Vec<Diagnostic>> {
    let key_end = text.as_str().find(is_blank).unwrap_or(text.len());
    let (key, value) = text.split_at(key_end);
    let blanks = value.len() - value.as_str().trim_start_matches(is_blank).len();
    if blanks == 0 {
        return Err(vec![Diagnostic::new(
            text.span(),
            SyntaxError::TwoArguments(keyword),
        )]);
    }
    let value = value.sub(blanks..value.len());
    Ok(KeyValue {
        span: text.span(),
        key: key.word(),
        value: value.word(),
        separator: Separator::Space,
    })
}

fn health<'a>(text: Text<'_>) -> Result<Arguments<'a>, Vec<Diagnostic>> {
    let kind_end = text.as_str().find(char::is_whitespace).unwrap_or(text.len());
    let (kind, rest) = text.split_at(kind_end);
    let rest = rest.trim();
    let command = if rest.is_empty() {
        None
    } else {
        Some(command(rest)?)
    };
    Ok(Arguments::Health {
        kind: kind.word(),
        command,
    })
}

/// The instruction inside is split, and read as far as its shape goes: what it means is the later build's concern.
fn trigger(text: Text<'_>, escape: char) -> Result<Arguments<'_>, Vec<Diagnostic>> {
    let command = split(text, escape);
    match Keyword::parse(command.keyword.as_str()) {
        // An error by itself, and no depth to fall into.
        Some(Keyword::Onbuild) | None => {}
        Some(keyword) => {
            parse(keyword, command.arguments, escape)?;
        }
    }
    Ok(Arguments::Trigger(Box::new(command)))
}
