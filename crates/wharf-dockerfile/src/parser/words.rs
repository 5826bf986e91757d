//! Words that keep their quotes: ARG, ENV and LABEL.

use super::logical::Text;

/// Splits at white space that is neither quoted nor escaped. Quotes and escapes stay, for they are processed on expansion.
pub(super) fn quoted_words(text: Text<'_>, escape: char) -> Vec<Text<'_>> {
    let mut words = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let length = word_length(rest.as_str(), escape);
        let (word, tail) = rest.split_at(length);
        words.push(without_lone_escape(word, escape, tail.is_empty()));
        rest = tail.trim();
    }
    words
}

fn word_length(text: &str, escape: char) -> usize {
    let mut quote = None;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match quote {
            None if c.is_whitespace() => return at,
            // Nothing can be escaped between single quotes.
            Some('\'') if c == '\'' => quote = None,
            Some('\'') => {}
            _ if c == escape => {
                chars.next();
            }
            Some(open) if c == open => quote = None,
            None if c == '\'' || c == '"' => quote = Some(c),
            _ => {}
        }
    }
    text.len()
}

/// An escape character that escapes nothing, at the very end, is not part of the word.
fn without_lone_escape(word: Text<'_>, escape: char, last: bool) -> Text<'_> {
    let escapes = word.as_str().chars().rev().take_while(|&c| c == escape).count();
    let lone = last && escapes % 2 == 1;
    if lone {
        word.sub(0..word.len() - escape.len_utf8())
    } else {
        word
    }
}

#[cfg(test)]
mod tests {
    use super::super::logical::Logical;
    use super::*;

    #[test]
    fn quotes_and_escapes_keep_words_together() {
        let cases: [(&str, &[&str]); 8] = [
            ("a b=c", &["a", "b=c"]),
            (r#"a="b c" d"#, &[r#"a="b c""#, "d"]),
            (r"a=b\ c d", &[r"a=b\ c", "d"]),
            (r"a='b\' c'", &[r"a='b\'", "c'"]),
            (r#"a="b\" c" d"#, &[r#"a="b\" c""#, "d"]),
            (r"a=b\", &["a=b"]),
            (r"a=b\\", &[r"a=b\\"]),
            (r#"a=""#, &[r#"a=""#]),
        ];
        for (text, expected) in cases {
            let mut logical = Logical::default();
            logical.push(text, 0);
            let words = quoted_words(logical.text(), '\\');
            assert_eq!(
                words.iter().map(Text::as_str).collect::<Vec<_>>(),
                expected,
                "{text}"
            );
        }
    }
}
