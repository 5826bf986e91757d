//! Parser directives: comments of the form `# name=value` before everything else.

use crate::ast::{Directive, Directives};
use crate::diagnostic::{Diagnostic, SyntaxError};
use crate::source::{Source, Span};
use crate::word::Word;

/// Reads directives until the first line that is none.
pub(super) struct DirectiveReader {
    pub(super) directives: Directives,
    open: bool,
    /// After a first line `#!…`, syntax and check still count, escape does not.
    after_shebang: bool,
}

impl DirectiveReader {
    pub(super) fn new() -> Self {
        Self {
            directives: Directives::default(),
            open: true,
            after_shebang: false,
        }
    }

    /// Says that a line was read that can be no directive: there are none after it.
    pub(super) fn close(&mut self) {
        self.open = false;
    }

    /// Takes a comment (from `#`). Whether it was a directive, right or wrong.
    pub(super) fn take(&mut self, comment: Span, source: &Source, errors: &mut Vec<Diagnostic>) -> bool {
        if !self.open {
            return false;
        }
        let text = source.slice(comment);
        if text.starts_with("#!") && source.position(comment.start).line == 1 {
            self.after_shebang = true;
            return false;
        }
        let Some((name, value)) = split(text) else {
            self.close();
            return false;
        };
        let slot = match name.as_str() {
            "syntax" => &mut self.directives.syntax,
            "escape" if !self.after_shebang => &mut self.directives.escape,
            "check" => &mut self.directives.check,
            _ => {
                self.close();
                return false;
            }
        };
        let start = comment.start + (value.as_ptr() as usize - text.as_ptr() as usize);
        let value = Word::new(Span::new(start, start + value.len()), value);
        if slot.is_some() {
            errors.push(Diagnostic::new(comment, SyntaxError::RepeatedDirective(name)));
        } else if name == "escape" && !matches!(value.as_str(), "\\" | "`") {
            errors.push(Diagnostic::new(value.span, SyntaxError::InvalidEscape(value.raw)));
        } else {
            *slot = Some(Directive { span: comment, value });
        }
        true
    }
}

/// `# name = value`: the name in lower case.
fn split(comment: &str) -> Option<(String, &str)> {
    let (name, value) = comment.strip_prefix('#')?.split_once('=')?;
    let name = name.trim();
    let value = match value.trim() {
        // One blank is left as the value, as in the reference.
        "" => &value[value.char_indices().last().map_or(0, |(at, _)| at)..],
        value => value,
    };
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric());
    (is_name && !value.is_empty()).then(|| (name.to_lowercase(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_names_with_values() {
        assert_eq!(split("# Escape = ` "), Some(("escape".to_owned(), "`")));
        assert_eq!(split("#syntax=a/b:1 c"), Some(("syntax".to_owned(), "a/b:1 c")));
        assert_eq!(split("# a b=c"), None);
        assert_eq!(split("# =c"), None);
        assert_eq!(split("# escape = "), Some(("escape".to_owned(), " ")));
        assert_eq!(split("# syntax="), None);
        assert_eq!(split("# syntax"), None);
    }
}
