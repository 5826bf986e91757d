//! Lines to instructions: directives, comments, continuations, heredoc bodies; and the tokens of it all.

use super::heredoc::Operator;
use super::logical::{Logical, Text};
use crate::ast::{Comment, Heredoc};
use crate::source::{Source, Span};
use crate::token::{Token, TokenKind};

/// The byte order mark that some editors put in front.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// An instruction before it is understood.
pub(super) struct RawInstruction {
    pub(super) logical: Logical,
    pub(super) comments: Vec<Comment>,
    pub(super) empty_continuations: Vec<Span>,
    /// Its tokens so far; the text is one `Argument` a line.
    tokens: Vec<Token>,
}

/// What the next lines are.
pub(super) enum Item {
    /// A comment line: the span from `#`.
    Comment(Span),
    /// A line of white space.
    Blank,
    /// An instruction.
    Instruction(RawInstruction),
}

/// Reads a source from front to back and leaves no byte without a token.
pub(super) struct Reader<'a> {
    source: &'a Source,
    /// The first byte that was not read.
    at: usize,
    pub(super) tokens: Vec<Token>,
}

/// A physical line.
#[derive(Clone, Copy)]
struct Line<'a> {
    start: usize,
    /// Without its ending.
    text: &'a str,
    /// The ending: `\n` with any `\r` before it; at the end of the file perhaps nothing.
    ending: Span,
}

impl<'a> Reader<'a> {
    pub(super) fn new(source: &'a Source) -> Self {
        let mut reader = Self {
            source,
            at: 0,
            tokens: Vec::new(),
        };
        if source.text().starts_with(BYTE_ORDER_MARK) {
            reader.at = BYTE_ORDER_MARK.len();
            push(
                &mut reader.tokens,
                TokenKind::ByteOrderMark,
                Span::new(0, reader.at),
            );
        }
        reader
    }

    /// The next line or instruction; `None` at the end. The tokens of an instruction are handed back by
    /// [`Self::finish_instruction`].
    pub(super) fn next(&mut self, escape: char) -> Option<Item> {
        let line = self.next_line()?;
        let code = line.text.trim_start();
        let code_start = line.start + line.text.len() - code.len();
        let space = Span::new(line.start, code_start);
        if code.is_empty() || code.starts_with('#') {
            let span = Span::new(code_start, line.ending.start);
            push(&mut self.tokens, TokenKind::Space, space);
            push(&mut self.tokens, TokenKind::Comment, span);
            push(&mut self.tokens, TokenKind::Newline, line.ending);
            return Some(if code.is_empty() {
                Item::Blank
            } else {
                Item::Comment(span)
            });
        }
        let mut raw = RawInstruction {
            logical: Logical::default(),
            comments: Vec::new(),
            empty_continuations: Vec::new(),
            tokens: Vec::new(),
        };
        push(&mut raw.tokens, TokenKind::Space, space);
        if push_code(
            &mut raw,
            Line {
                start: code_start,
                text: code,
                ..line
            },
            escape,
        ) {
            self.continue_instruction(&mut raw, escape);
        }
        Some(Item::Instruction(raw))
    }

    /// Says that the comment just read was a directive.
    pub(super) fn mark_directive(&mut self) {
        let comment = self
            .tokens
            .iter_mut()
            .rev()
            .find(|token| token.kind == TokenKind::Comment);
        if let Some(token) = comment {
            token.kind = TokenKind::Directive;
        }
    }

    /// Reads the lines after a continuation.
    fn continue_instruction(&mut self, raw: &mut RawInstruction, escape: char) {
        while let Some(line) = self.next_line() {
            let code = line.text.trim_start();
            let code_start = line.start + line.text.len() - code.len();
            if code.starts_with('#') || code.is_empty() {
                push(
                    &mut raw.tokens,
                    TokenKind::Space,
                    Span::new(line.start, code_start),
                );
                push(
                    &mut raw.tokens,
                    TokenKind::Comment,
                    Span::new(code_start, line.ending.start),
                );
                push(&mut raw.tokens, TokenKind::Newline, line.ending);
                if code.is_empty() {
                    raw.empty_continuations
                        .push(Span::new(line.start, line.ending.end));
                }
            } else if !push_code(raw, line, escape) {
                return;
            }
        }
    }

    /// Reads the body of a heredoc. The second value says whether it ended.
    pub(super) fn heredoc(&mut self, operator: Operator, place: Span) -> (Heredoc, bool) {
        let start = self.at;
        let mut body = Span::empty(start);
        let mut terminator = None;
        while let Some(line) = self.next_line() {
            let text = if operator.strip_tabs {
                line.text.trim_start_matches('\t')
            } else {
                line.text
            };
            if text == operator.name {
                terminator = Some(line);
                break;
            }
            body.end = line.ending.end;
        }
        push(&mut self.tokens, TokenKind::HeredocBody, body);
        let end = terminator.map_or(Span::empty(body.end), |line| {
            Span::new(line.start, line.ending.start)
        });
        if let Some(line) = terminator {
            push(&mut self.tokens, TokenKind::HeredocEnd, end);
            push(&mut self.tokens, TokenKind::Newline, line.ending);
        }
        let heredoc = Heredoc {
            operator: place,
            name: operator.name,
            descriptor: operator.descriptor,
            expand: operator.expand,
            strip_tabs: operator.strip_tabs,
            body,
            content: self.source.slice(body).to_owned(),
            terminator: end,
        };
        (heredoc, terminator.is_some())
    }

    /// Takes over the tokens of an instruction whose text has these parts (kind and range in the logical line).
    pub(super) fn finish_instruction(
        &mut self,
        raw: &RawInstruction,
        parts: &[(TokenKind, std::ops::Range<usize>)],
    ) {
        let mut done = 0;
        for token in &raw.tokens {
            if token.kind == TokenKind::Argument {
                let piece = done..done + (token.span.end - token.span.start);
                done = piece.end;
                push_parts(&mut self.tokens, token.span.start, piece, parts);
            } else {
                self.tokens.push(*token);
            }
        }
    }

    /// The byte after the last line that was read, without that line's ending; an empty line keeps it, so that a span up to
    /// here touches the line.
    pub(super) fn end_of_last_line(&self) -> usize {
        let read = &self.source.text()[..self.at];
        let line = read
            .strip_suffix('\n')
            .map_or(read, |read| read.trim_end_matches('\r'));
        if line.ends_with('\n') {
            read.len()
        } else {
            line.len()
        }
    }

    fn next_line(&mut self) -> Option<Line<'a>> {
        let start = self.at;
        let rest = &self.source.text()[start..];
        let length = rest.find('\n').map_or(rest.len(), |newline| newline + 1);
        if length == 0 {
            return None;
        }
        self.at += length;
        let text = rest[..length].trim_end_matches(['\r', '\n']);
        Some(Line {
            start,
            text,
            ending: Span::new(start + text.len(), self.at),
        })
    }
}

/// Adds a line to an instruction. Whether it goes on after that.
fn push_code(raw: &mut RawInstruction, line: Line<'_>, escape: char) -> bool {
    let Some(length) = continued(line.text, escape) else {
        push(
            &mut raw.tokens,
            TokenKind::Argument,
            Span::new(line.start, line.ending.start),
        );
        push(&mut raw.tokens, TokenKind::Newline, line.ending);
        raw.logical.push(line.text, line.start);
        return false;
    };
    let code_end = line.start + length;
    push(
        &mut raw.tokens,
        TokenKind::Argument,
        Span::new(line.start, code_end),
    );
    push(
        &mut raw.tokens,
        TokenKind::Continuation,
        Span::new(code_end, line.ending.end),
    );
    raw.logical.push(&line.text[..length], line.start);
    true
}

/// The length of the text before the continuation, if the line has one: an escape character at its end, perhaps with blanks
/// after it, that is not itself after an escape character.
fn continued(line: &str, escape: char) -> Option<usize> {
    let before = line.trim_end_matches([' ', '\t']).strip_suffix(escape)?;
    (!before.ends_with(escape)).then_some(before.len())
}

fn push(tokens: &mut Vec<Token>, kind: TokenKind, span: Span) {
    if !span.is_empty() {
        tokens.push(Token { kind, span });
    }
}

/// Cuts a piece of a logical line that starts at `start` in the source where its parts begin and end.
fn push_parts(
    tokens: &mut Vec<Token>,
    start: usize,
    piece: std::ops::Range<usize>,
    parts: &[(TokenKind, std::ops::Range<usize>)],
) {
    let place = |from: usize, to: usize| Span::new(start + from - piece.start, start + to - piece.start);
    let mut at = piece.start;
    for (kind, part) in parts {
        let from = part.start.clamp(at, piece.end);
        let to = part.end.clamp(from, piece.end);
        push(tokens, TokenKind::Space, place(at, from));
        push(tokens, *kind, place(from, to));
        at = to;
    }
    push(tokens, TokenKind::Space, place(at, piece.end));
}

impl RawInstruction {
    pub(super) fn text(&self) -> Text<'_> {
        self.logical.text()
    }
}
