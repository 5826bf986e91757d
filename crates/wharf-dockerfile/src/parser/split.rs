//! A logical line into keyword, flags and arguments.

use super::logical::{Text, is_blank};
use crate::ast::Flag;
use crate::token::TokenKind;
use crate::word::Word;

/// The three parts of an instruction.
#[derive(Debug)]
pub(super) struct Command<'a> {
    pub(super) keyword: Text<'a>,
    pub(super) flags: Vec<SplitFlag<'a>>,
    /// The rest, ends trimmed.
    pub(super) arguments: Text<'a>,
}

/// A flag, and its text.
#[derive(Debug)]
pub(super) struct SplitFlag<'a> {
    pub(super) text: Text<'a>,
    pub(super) flag: Flag,
}

/// Splits a logical line. The keyword is empty if the line is.
pub(super) fn split(line: Text<'_>, escape: char) -> Command<'_> {
    let line = line.trim();
    let keyword_end = line.as_str().find(is_blank).unwrap_or(line.len());
    let (keyword, rest) = line.split_at(keyword_end);
    let (flags, arguments) = split_flags(rest, escape);
    Command {
        keyword,
        flags,
        arguments: arguments.trim(),
    }
}

impl Command<'_> {
    /// What the pieces of the logical line are, for the tokens: kind and range, in order, white space left out.
    pub(super) fn parts(&self) -> Vec<(TokenKind, std::ops::Range<usize>)> {
        let keyword = (TokenKind::Keyword, self.keyword.range());
        let flags = self.flags.iter().map(|flag| (TokenKind::Flag, flag.text.range()));
        let arguments = (TokenKind::Argument, self.arguments.range());
        std::iter::once(keyword)
            .chain(flags)
            .chain(std::iter::once(arguments))
            .collect()
    }
}

/// Takes words that begin with `--` from the front, up to one that does not or is just `--`.
fn split_flags(text: Text<'_>, escape: char) -> (Vec<SplitFlag<'_>>, Text<'_>) {
    let mut flags = Vec::new();
    let mut rest = text.trim();
    while rest.as_str().starts_with("--") {
        let (length, value) = unquote(rest.as_str(), escape);
        let (word, tail) = rest.split_at(length);
        rest = tail.trim();
        if value.text == "--" {
            break;
        }
        flags.push(SplitFlag {
            text: word,
            flag: flag(word, &value),
        });
    }
    (flags, rest)
}

/// A word without its quotes and escapes.
struct Unquoted {
    text: String,
    /// Where its first `=` stands in the text it was made from.
    equals: Option<usize>,
}

/// The length of the first word, and the word without quotes and escapes. A quote that is not closed ends with the text.
fn unquote(text: &str, escape: char) -> (usize, Unquoted) {
    let mut word = Unquoted {
        text: String::new(),
        equals: None,
    };
    let mut quote = None;
    let mut chars = text.char_indices();
    while let Some((mut at, mut c)) = chars.next() {
        match quote {
            None if c.is_whitespace() => return (at, word),
            None if c == '\'' || c == '"' => {
                quote = Some(c);
                continue;
            }
            Some(open) if c == open => {
                quote = None;
                continue;
            }
            _ => {}
        }
        if c == escape {
            // At the very end it vanishes.
            let Some(escaped) = chars.next() else { break };
            (at, c) = escaped;
        }
        if c == '=' {
            word.equals.get_or_insert(at);
        }
        word.text.push(c);
    }
    (text.len(), word)
}

fn flag(source: Text<'_>, unquoted: &Unquoted) -> Flag {
    let body = unquoted.text.get(2..).unwrap_or_default();
    let (name, value) = match body.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (body, None),
    };
    let name_end = unquoted.equals.unwrap_or(source.len());
    Flag {
        span: source.span(),
        name: Word::new(source.sub(2..name_end).span(), name),
        value: value.map(|value| Word::new(source.sub(name_end + 1..source.len()).span(), value)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::logical::Logical;
    use super::*;

    fn check(line: &str, flags: &[(&str, Option<&str>)], arguments: &str) {
        let mut logical = Logical::default();
        logical.push(line, 0);
        let command = split(logical.text(), '\\');
        let found: Vec<_> = command
            .flags
            .iter()
            .map(|split| {
                (
                    split.flag.name.as_str(),
                    split.flag.value.as_ref().map(Word::as_str),
                )
            })
            .collect();
        assert_eq!(found, flags, "{line}");
        assert_eq!(command.arguments.as_str(), arguments, "{line}");
        for SplitFlag { flag, .. } in &command.flags {
            assert_eq!(&line[flag.name.span.range()], flag.name.as_str(), "{line}");
        }
    }

    #[test]
    fn flags_end_where_arguments_begin() {
        check("RUN", &[], "");
        check(
            "RUN  --a  --b=c x --d ",
            &[("a", None), ("b", Some("c"))],
            "x --d",
        );
        check("RUN --a -- --b", &[("a", None)], "--b");
        check("RUN --a --", &[("a", None)], "");
        check("RUN --a=\"b c\"'d'\\ e f", &[("a", Some("b cd e"))], "f");
        check("RUN --a=\"b c", &[("a", Some("b c"))], "");
        check("RUN --a=b\\", &[("a", Some("b"))], "");
        check("RUN --=x -y", &[("", Some("x"))], "-y");
        check("RUN --ä=ö", &[("ä", Some("ö"))], "");
    }
}
