//! A word of an instruction: text whose variables have not been expanded yet, and where it stands.

use crate::source::Span;

/// Text as an instruction holds it: line continuations and comments between its lines are gone, quotes, escapes and
/// variables still there. (In the JSON form: the decoded string. Of a flag: quotes and escapes of the flag itself are gone.)
/// Give `raw` to [`crate::expand()`] to get its value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// Where it stands. Longer than `raw` when a line continuation lies in between.
    pub span: Span,
    /// The text before expansion.
    pub raw: String,
}

impl Word {
    /// A word from its place and text.
    pub fn new(span: Span, raw: impl Into<String>) -> Self {
        Self {
            span,
            raw: raw.into(),
        }
    }

    /// The unexpanded text.
    pub fn as_str(&self) -> &str {
        &self.raw
    }

    /// Whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }
}
