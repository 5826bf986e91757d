//! The JSON (exec) form: an array of strings, each with its place.

use serde::de::IgnoredAny;

use super::logical::Text;
use crate::word::Word;

/// What a text is, as far as the JSON form goes.
#[derive(Debug)]
pub(super) enum JsonForm {
    /// An array of strings.
    Strings(Vec<Word>),
    /// A valid array with something else in it: an error, not the shell form.
    OtherArray,
    /// Anything else: the shell form.
    Not,
}

pub(super) fn parse(text: Text<'_>) -> JsonForm {
    if !text.as_str().starts_with('[') {
        return JsonForm::Not;
    }
    match (Reader { text, at: 1 }).strings() {
        Some(words) => JsonForm::Strings(words),
        None if serde_json::from_str::<Vec<IgnoredAny>>(text.as_str()).is_ok() => JsonForm::OtherArray,
        None => JsonForm::Not,
    }
}

struct Reader<'a> {
    text: Text<'a>,
    at: usize,
}

impl Reader<'_> {
    /// The strings up to the closing bracket, which must be the end.
    fn strings(&mut self) -> Option<Vec<Word>> {
        let mut words = Vec::new();
        if self.eat(']') {
            return self.finish(words);
        }
        loop {
            words.push(self.string()?);
            if self.eat(']') {
                return self.finish(words);
            }
            if !self.eat(',') {
                return None;
            }
        }
    }

    fn finish(&mut self, words: Vec<Word>) -> Option<Vec<Word>> {
        self.skip_space();
        self.rest().is_empty().then_some(words)
    }

    fn string(&mut self) -> Option<Word> {
        self.skip_space();
        let start = self.at;
        let length = string_length(self.rest())?;
        self.at += length;
        let literal = self.text.sub(start..self.at);
        Some(Word::new(literal.span(), decode(literal.as_str())?))
    }

    fn eat(&mut self, wanted: char) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(wanted);
        self.at += if found { wanted.len_utf8() } else { 0 };
        found
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
    }

    fn rest(&self) -> &str {
        &self.text.as_str()[self.at..]
    }
}

/// The length of the string literal at the front, quotes included.
fn string_length(text: &str) -> Option<usize> {
    let body = text.strip_prefix('"')?;
    let mut escaped = false;
    let end = body.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })?;
    Some(end + 2)
}

/// The value of a string literal.
fn decode(literal: &str) -> Option<String> {
    serde_json::from_str(literal).ok()
}

#[cfg(test)]
mod tests {
    use super::super::logical::Logical;
    use super::*;

    fn check(text: &str, expected: Option<&[&str]>) {
        let mut logical = Logical::default();
        logical.push(text, 0);
        let words = match parse(logical.text()) {
            JsonForm::Strings(words) => Some(words),
            _ => None,
        };
        let found = words
            .as_ref()
            .map(|words| words.iter().map(Word::as_str).collect::<Vec<_>>());
        assert_eq!(found.as_deref(), expected, "{text}");
    }

    #[test]
    fn arrays_of_strings() {
        check("[]", Some(&[]));
        check(r#"["a"]"#, Some(&["a"]));
        check(r#"[ "a" , "b c" ]  "#, Some(&["a", "b c"]));
        check(r#"["\"\\\u00e9\n"]"#, Some(&["\"\\é\n"]));
        check(r#"["\ud83d\ude00"]"#, Some(&["😀"]));
        check(r#"["a",]"#, None);
        check(r#"["a"] b"#, None);
        check(r#"["a" "b"]"#, None);
        check(r"['a']", None);
        check(r#"["a\x"]"#, None);
        check("[\"a\tb\"]", None);
    }

    #[test]
    fn other_arrays_are_told_apart() {
        let form = |text: &str| {
            let mut logical = Logical::default();
            logical.push(text, 0);
            matches!(parse(logical.text()), JsonForm::OtherArray)
        };
        assert!(form(r#"["a", 1]"#));
        assert!(form("[null]"));
        assert!(form(r#"[["a"]]"#));
        assert!(!form("[1"));
        assert!(!form("[ -f x ]"));
        assert!(!form("[]"));
    }
}
