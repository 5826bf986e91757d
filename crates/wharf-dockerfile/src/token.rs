//! The lossless view: what every byte of the source is.

use crate::source::Span;

/// A piece of the source. The tokens of a Dockerfile, put together, are its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Where it is; never empty.
    pub span: Span,
}

/// What a piece of the source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// The byte order mark at the start.
    ByteOrderMark,
    /// White space that is not part of an argument.
    Space,
    /// A line ending: `\n` or `\r\n`.
    Newline,
    /// A comment, from `#` to the end of the line.
    Comment,
    /// A parser directive, likewise.
    Directive,
    /// The name of an instruction.
    Keyword,
    /// A flag with its value.
    Flag,
    /// (A piece of) the arguments.
    Argument,
    /// An escape character at the end of a line, with what follows it: the instruction goes on.
    Continuation,
    /// The body of a heredoc.
    HeredocBody,
    /// The line that ends a heredoc, without its line ending.
    HeredocEnd,
}
