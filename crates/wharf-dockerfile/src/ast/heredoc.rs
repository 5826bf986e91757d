//! A heredoc: lines of the Dockerfile that are a file or a script.

use std::borrow::Cow;

use crate::source::Span;

/// `<<NAME`, and the lines up to `NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heredoc {
    /// The operator and the name on the instruction's line.
    pub operator: Span,
    /// The name, without quotes: ends the body, and names the file of a COPY or ADD.
    pub name: String,
    /// The file descriptor before the `<<`; 0 without one.
    pub descriptor: u32,
    /// Whether variables in the body are expanded (COPY and ADD only): false when the name was quoted.
    pub expand: bool,
    /// `<<-`: leading tabs are stripped.
    pub strip_tabs: bool,
    /// The body.
    pub body: Span,
    /// The body as it stands in the file, line endings included, tabs not stripped.
    pub content: String,
    /// The line that ends the body, without its line ending.
    pub terminator: Span,
}

impl Heredoc {
    /// The body with leading tabs stripped if `<<-` asked for that.
    pub fn text(&self) -> Cow<'_, str> {
        if !self.strip_tabs {
            return Cow::Borrowed(&self.content);
        }
        Cow::Owned(
            self.content
                .split_inclusive('\n')
                .map(|line| line.trim_start_matches('\t'))
                .collect(),
        )
    }
}
