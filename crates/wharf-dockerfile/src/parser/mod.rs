//! Text to [`Dockerfile`]: reads everything, stops at nothing, reports all errors.
//!
//! The layers, from below: [`reader`] joins lines and keeps the tokens; [`split`] cuts keyword, flags and arguments;
//! [`arguments`] gives the arguments the shape that the keyword asks for; [`instruction`] and [`from`] check them.

mod arguments;
mod csv;
mod directives;
mod driver;
mod flags;
mod from;
mod health;
mod heredoc;
mod instruction;
mod json;
mod logical;
mod mounts;
mod reader;
mod split;
mod words;

use driver::Parser;

use crate::ast::{Dockerfile, Instruction, Keyword};
use crate::diagnostic::{Diagnostic, SyntaxError};
use crate::source::{Source, Span};

pub(crate) use heredoc::is_operator;

/// A parsed text: what was understood, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parse {
    /// What was understood. With errors, as much as could be.
    pub dockerfile: Dockerfile,
    /// Everything that is wrong, in the order of the text. Empty: the Dockerfile is good.
    pub errors: Vec<Diagnostic>,
}

impl Parse {
    /// The Dockerfile if nothing is wrong.
    pub fn into_result(self) -> Result<Dockerfile, Vec<Diagnostic>> {
        if self.errors.is_empty() {
            Ok(self.dockerfile)
        } else {
            Err(self.errors)
        }
    }
}

/// Parses the text of a Dockerfile.
pub fn parse(text: &str) -> Parse {
    let source = Source::new(text);
    let mut parser = Parser::new(&source);
    parser.read_all();
    let Parser {
        directives,
        global,
        stages,
        reader,
        mut errors,
        ..
    } = parser;
    let tokens = reader.tokens;
    if global.is_empty() && stages.is_empty() && errors.is_empty() {
        errors.push(Diagnostic::new(Span::empty(0), SyntaxError::NoInstructions));
    } else if stages.is_empty() && errors.is_empty() {
        errors.push(Diagnostic::new(Span::empty(text.len()), SyntaxError::NoStages));
    }
    errors.sort_by_key(|error| error.span);
    let directives = directives.directives;
    Parse {
        dockerfile: Dockerfile {
            source,
            directives,
            global,
            stages,
            tokens,
        },
        errors,
    }
}

/// Parses a Dockerfile that may not be UTF-8. Such bytes become U+FFFD, also in the source that the result holds; in comments
/// they do no harm, elsewhere they are an error.
pub fn parse_bytes(bytes: &[u8]) -> Parse {
    let text = String::from_utf8_lossy(bytes);
    let mut result = parse(&text);
    if std::str::from_utf8(bytes).is_ok() {
        return result;
    }
    let mut errors = not_utf8(bytes, &result.dockerfile);
    result.errors.append(&mut errors);
    result.errors.sort_by_key(|error| error.span);
    result
}

/// One error for each instruction that holds bytes that are not UTF-8.
fn not_utf8(bytes: &[u8], dockerfile: &Dockerfile) -> Vec<Diagnostic> {
    use crate::token::TokenKind::{Comment, Directive};
    let mut at = 0;
    let mut errors = Vec::new();
    for chunk in bytes.utf8_chunks() {
        at += chunk.valid().len();
        if chunk.invalid().is_empty() {
            continue;
        }
        let place = Span::new(at, at + char::REPLACEMENT_CHARACTER.len_utf8());
        at = place.end;
        let token = dockerfile
            .tokens
            .partition_point(|token| token.span.end <= place.start);
        let token = dockerfile.tokens.get(token);
        if !token.is_some_and(|token| matches!(token.kind, Comment | Directive)) {
            errors.push(Diagnostic::new(place, SyntaxError::NotUtf8));
        }
    }
    errors
}

/// Parses a trigger of ONBUILD, as an image's configuration holds it: one instruction that is not FROM. Its spans are
/// relative to `expression`.
pub fn parse_trigger(expression: &str) -> Result<Instruction, Vec<Diagnostic>> {
    let source = Source::new(expression);
    let mut parser = Parser::new(&source);
    parser.in_trigger = true;
    parser.read_all();
    let whole = Span::new(0, expression.len());
    if !parser.errors.is_empty() {
        return Err(parser.errors);
    }
    if !parser.stages.is_empty() {
        return Err(vec![Diagnostic::new(
            whole,
            SyntaxError::ForbiddenTrigger(Keyword::From),
        )]);
    }
    match parser.global.pop() {
        Some(instruction) if parser.global.is_empty() => Ok(instruction),
        _ => Err(vec![Diagnostic::new(whole, SyntaxError::TriggerNotSingle)]),
    }
}
