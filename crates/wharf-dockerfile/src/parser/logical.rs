//! A logical line: the lines of one instruction joined, and the way back to the source.

use std::ops::Range;

use crate::source::Span;
use crate::word::Word;

/// The text of an instruction without continuations, and comments between its lines.
#[derive(Debug, Default)]
pub(super) struct Logical {
    text: String,
    pieces: Vec<Piece>,
}

/// A part of the text that is contiguous in the source.
#[derive(Clone, Copy, Debug)]
struct Piece {
    in_text: usize,
    in_source: usize,
}

impl Logical {
    pub(super) fn push(&mut self, text: &str, in_source: usize) {
        self.pieces.push(Piece {
            in_text: self.text.len(),
            in_source,
        });
        self.text.push_str(text);
    }

    pub(super) fn text(&self) -> Text<'_> {
        Text {
            line: self,
            start: 0,
            end: self.text.len(),
        }
    }

    /// Where a byte of the text stands in the source.
    fn source_of(&self, byte: usize) -> usize {
        let piece = self
            .pieces
            .partition_point(|piece| piece.in_text <= byte)
            .checked_sub(1);
        piece.map_or(0, |index| {
            self.pieces[index].in_source + (byte - self.pieces[index].in_text)
        })
    }
}

/// A part of a logical line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'a> {
    line: &'a Logical,
    start: usize,
    end: usize,
}

impl<'a> Text<'a> {
    pub(super) fn as_str(&self) -> &'a str {
        &self.line.text[self.start..self.end]
    }

    /// Where it stands in the source, continuations within it included.
    pub(super) fn span(&self) -> Span {
        let start = self.line.source_of(self.start);
        let end = if self.is_empty() {
            start
        } else {
            self.line.source_of(self.end - 1) + 1
        };
        Span::new(start, end)
    }

    /// Where it stands in the logical line.
    pub(super) fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    /// The part at `range` of this text.
    pub(super) fn sub(&self, range: Range<usize>) -> Self {
        Self {
            start: self.start + range.start,
            end: self.start + range.end,
            ..*self
        }
    }

    /// The part before byte `at`, and the part from there.
    pub(super) fn split_at(&self, at: usize) -> (Self, Self) {
        (self.sub(0..at), self.sub(at..self.len()))
    }

    /// Without white space at its ends.
    pub(super) fn trim(&self) -> Self {
        let left = self.len() - self.as_str().trim_start().len();
        let right = self.as_str().trim_end().len();
        self.sub(left.min(right)..right)
    }

    pub(super) fn word(&self) -> Word {
        Word::new(self.span(), self.as_str())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    pub(super) fn len(&self) -> usize {
        self.end - self.start
    }

    /// The words between ASCII blanks (of the reference's kind: not line ends).
    pub(super) fn split_blanks(self) -> impl Iterator<Item = Self> + use<'a> {
        let mut next = 0;
        let parts = self.as_str().split(is_blank).map(move |part| {
            let start = next;
            // Every blank is one byte long.
            next += part.len() + 1;
            self.sub(start..start + part.len())
        });
        parts.filter(|part| !part.is_empty())
    }
}

/// What parts a keyword from its arguments, and words that are not quoted.
pub(super) fn is_blank(c: char) -> bool {
    matches!(c, '\t' | '\x0b' | '\x0c' | '\r' | ' ')
}
