//! What moby/patternmatcher makes of a pattern: a comparison if it can, else a regular expression.
//!
//! The expression is text, put together character by character, and only then read. So a `\` before a letter is an escape of regular
//! expressions, and a `*` in brackets brings a `]` of its own.

use super::unit::{Unit, units};

/// How a pattern is matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// The path is the pattern.
    Exact,
    /// It begins with the pattern, without the `**` at its end.
    Prefix,
    /// It ends with the pattern, without the `**` at its front; a `/` that is then in front may be missing.
    Suffix,
    /// It matches this expression, which has no `^` in front yet; when the text is read, it ends with `$`.
    Expression(Vec<Unit>),
}

/// What of a path is not special to `filepath.Match`, but to regular expressions. `^` is missing there too, and `{`, `|` and `}` are
/// meant to be escaped but are not, as their bits do not fit into a byte (`shouldEscape`).
const ESCAPED: &[u8] = b".+()$";

/// How `pattern`, which `filepath.Match` takes, is matched.
pub(super) fn way(pattern: &[u8]) -> Way {
    let units = units(pattern).collect::<Vec<_>>();
    let mut translation = Translation {
        rest: &units,
        text: Vec::new(),
        way: Way::Exact,
    };
    translation.run();
    match translation.way {
        Way::Expression(_) => {
            translation.push("$");
            Way::Expression(translation.text)
        }
        way => way,
    }
}

struct Translation<'a> {
    rest: &'a [Unit],
    text: Vec<Unit>,
    way: Way,
}

impl Translation<'_> {
    fn run(&mut self) {
        let mut starts = true;
        while let Some(unit) = self.next() {
            match u8::try_from(unit) {
                Ok(b'*') if self.eat(b'*') => self.two_stars(starts),
                Ok(b'*') => self.special("[^/]*"),
                Ok(b'?') => self.special("[^/]"),
                Ok(b'\\') => {
                    self.special("\\");
                    let escaped = self.next();
                    self.text.extend(escaped);
                }
                Ok(b'[') => self.special("["),
                Ok(b']') => self.special("]"),
                Ok(byte) if ESCAPED.contains(&byte) => self.text.extend([Unit::from(b'\\'), unit]),
                _ => self.text.push(unit),
            }
            starts = false;
        }
    }

    fn two_stars(&mut self, starts: bool) {
        self.eat(b'/');
        match (self.rest.is_empty(), &self.way) {
            (true, Way::Exact) => self.way = Way::Prefix,
            (true, _) => self.special(".*"),
            (false, _) => self.special("(.*/)?"),
        }
        if starts {
            self.way = Way::Suffix;
        }
    }

    /// Adds what only an expression can say.
    fn special(&mut self, text: &str) {
        self.push(text);
        self.way = Way::Expression(Vec::new());
    }

    fn push(&mut self, text: &str) {
        self.text.extend(units(text.as_bytes()));
    }

    fn next(&mut self) -> Option<Unit> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn eat(&mut self, wanted: u8) -> bool {
        let found = self.rest.first() == Some(&Unit::from(wanted));
        self.rest = &self.rest[usize::from(found)..];
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions() {
        let cases = [
            ("a.b", None),
            ("a/**", None),
            ("**/a.b", None),
            ("a*", Some("a[^/]*$")),
            ("**/*.x", Some("(.*/)?[^/]*\\.x$")),
            ("a**/b?", Some("a(.*/)?b[^/]$")),
            ("**/**", Some("(.*/)?.*$")),
            ("\\d+", Some("\\d\\+$")),
            ("^[*]", Some("^[[^/]*]$")),
        ];
        for (pattern, expected) in cases {
            let text = match way(pattern.as_bytes()) {
                Way::Expression(text) => text.into_iter().map(char::from_u32).collect::<Option<String>>(),
                _ => None,
            };
            assert_eq!(text.as_deref(), expected, "{pattern}");
        }
    }
}
