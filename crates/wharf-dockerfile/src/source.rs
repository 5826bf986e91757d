//! The text of a Dockerfile and places in it: byte spans, and the lines and columns people see.

use std::ops::Range;

/// A half-open range of bytes of the source text, always on character boundaries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last one.
    pub end: usize,
}

impl Span {
    /// The span of `range`.
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// The empty span before byte `at`.
    pub const fn empty(at: usize) -> Self {
        Self::new(at, at)
    }

    /// The smallest span that holds both.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self::new(self.start.min(other.start), self.end.max(other.end))
    }

    /// The bytes as a range, for slicing the source.
    pub fn range(self) -> Range<usize> {
        self.start..self.end
    }

    /// Whether there is no byte in it.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// A place as people count: line and column from 1, the column in characters (not bytes, not cells).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
}

/// The text of a Dockerfile with an index of its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    text: String,
    line_starts: Vec<usize>,
}

impl Source {
    /// Takes the text and finds its lines. Lines end with `\n`; a `\r` before it belongs to the line ending.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        let line_starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(newline, _)| newline + 1))
            .collect();
        Self { text, line_starts }
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text under `span`.
    pub fn slice(&self, span: Span) -> &str {
        &self.text[span.range()]
    }

    /// Line and column of a byte. A byte past the end counts as the end.
    pub fn position(&self, byte: usize) -> Position {
        let byte = byte.min(self.text.len());
        let line = self.line_starts.partition_point(|&start| start <= byte);
        let before = &self.text.as_bytes()[self.line_starts[line - 1]..byte];
        let column = 1 + before.iter().filter(|&&b| !is_utf8_continuation(b)).count();
        Position { line, column }
    }

    /// The lines that a span touches, first and last, from 1. An empty span touches the line it stands in; a line ending
    /// belongs to the line that it ends.
    pub fn lines(&self, span: Span) -> (usize, usize) {
        let last = if span.is_empty() { span.start } else { span.end - 1 };
        (self.position(span.start).line, self.position(last).line)
    }

    /// The text of a line (from 1) without its ending; empty for a line that does not exist.
    pub fn line(&self, line: usize) -> &str {
        self.text[self.line_span(line).range()].trim_end_matches(['\r', '\n'])
    }

    /// The bytes of a line (from 1) with its ending; empty, at the end of the text, for a line that does not exist.
    pub fn line_span(&self, line: usize) -> Span {
        let starts = |line: usize| self.line_starts.get(line).copied().unwrap_or(self.text.len());
        match line.checked_sub(1) {
            Some(index) => Span::new(starts(index), starts(index + 1)),
            None => Span::empty(0),
        }
    }
}

fn is_utf8_continuation(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_end_with_newlines() {
        let source = Source::new("FROM ä\r\nRUN x\n");
        assert_eq!(source.position(7), Position { line: 1, column: 7 });
        assert_eq!(source.position(9), Position { line: 2, column: 1 });
        assert_eq!(source.position(999), Position { line: 3, column: 1 });
        assert_eq!(source.line(1), "FROM ä");
        assert_eq!(source.line(2), "RUN x");
        assert_eq!(source.line(9), "");
        assert_eq!(source.lines(Span::new(0, 9)), (1, 1));
        assert_eq!(source.lines(Span::new(0, 10)), (1, 2));
    }
}
