//! Dockerfile text to instructions with spans; words; ignore files; lint.
//!
//! [`parse`] reads a text into a [`Dockerfile`] and says everything that is wrong with it. Nothing is expanded then: the
//! words of an instruction keep their variables, and whoever lowers them calls [`expand()`] with the environment at hand.
//! Nothing here does I/O. The language is that of BuildKit's Dockerfile frontend.

pub mod ast;
mod chmod;
mod diagnostic;
mod expand;
mod frontend;
pub mod lint;
mod numbers;
mod parser;
pub mod patterns;
mod ports;
mod render;
mod source;
pub mod suggest;
mod token;
mod word;

pub use ast::{Dockerfile, Instruction, InstructionKind, Keyword, Stage};
pub use chmod::{FileMode, FileModeError};
pub use diagnostic::{Diagnostic, SyntaxError};
pub use expand::{
    Environment, ExpandError, ExpandOptions, ExpandReason, Expansion, Quotes, Variables, expand, expand_with,
    expand_words,
};
pub use frontend::{is_known_frontend, unknown_frontend};
pub use numbers::{DurationError, parse_duration};
pub use parser::{Parse, parse, parse_bytes, parse_trigger};
pub use ports::{ExposedPorts, PortError};
pub use render::{excerpt, render};
pub use source::{Position, Source, Span};
pub use token::{Token, TokenKind};
pub use word::Word;
