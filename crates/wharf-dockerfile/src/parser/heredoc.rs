//! Heredoc operators: finding them in a line.

use super::logical::Text;
use crate::expand::{ExpandOptions, Expansion, Quotes, expand_with};

/// `<<NAME` and its relatives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Operator {
    pub(super) name: String,
    pub(super) descriptor: u32,
    pub(super) expand: bool,
    pub(super) strip_tabs: bool,
}

/// Heredocs are the same whatever the escape directive says: the shell reads them.
const ESCAPE: char = '\\';

/// Whether a word is a heredoc operator.
pub(crate) fn is_operator(word: &str) -> bool {
    parse_operator(word).is_some()
}

/// The operator that a whole word is: digits, `<<`, perhaps `-`, perhaps space, one name.
pub(super) fn parse_operator(word: &str) -> Option<Operator> {
    let digits = word.len() - word.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (descriptor, rest) = word.split_at(digits);
    let rest = rest.strip_prefix("<<")?;
    let (strip_tabs, rest) = rest.strip_prefix('-').map_or((false, rest), |rest| (true, rest));
    let rest = rest.trim_start_matches(['\t', '\n', '\x0c', '\r', ' ']);
    if rest.is_empty() || rest.contains('<') {
        return None;
    }
    let name = single_word(rest, Quotes::Remove)?;
    let quoted = single_word(rest, Quotes::Keep)?;
    let expand = count_quotes(&name) == count_quotes(&quoted);
    Some(Operator {
        name,
        descriptor: descriptor.parse().unwrap_or(0),
        expand,
        strip_tabs,
    })
}

/// The operators of a line, in order, each with its text.
pub(super) fn operators(line: Text<'_>) -> Vec<(Operator, Text<'_>)> {
    if !line.as_str().contains("<<") {
        return Vec::new();
    }
    let options = ExpandOptions {
        quotes: Quotes::Keep,
        keep_escapes: true,
        keep_unset: true,
        ..ExpandOptions::new(ESCAPE)
    };
    // A line that cannot be read as words (a lone quote, say) has no heredocs.
    let words = expand_with(line.as_str(), &|_| None, options).map(|expansion| expansion.words);
    let mut from = 0;
    let mut found = Vec::new();
    for word in words.unwrap_or_default() {
        let Some(operator) = parse_operator(&word) else {
            continue;
        };
        let text = match line.as_str()[from..].find(&word) {
            Some(at) => line.sub(from + at..from + at + word.len()),
            // Substitutions elsewhere in the word do not come out as they went in.
            None => line,
        };
        from = if text.len() == word.len() {
            text.range().end
        } else {
            from
        };
        found.push((operator, text));
    }
    found
}

/// The word that a text is, if it is one.
fn single_word(text: &str, quotes: Quotes) -> Option<String> {
    let options = ExpandOptions {
        quotes,
        keep_unset: true,
        ..ExpandOptions::new(ESCAPE)
    };
    let Expansion { mut words, .. } = expand_with(text, &|_| None, options).ok()?;
    if words.len() == 1 { words.pop() } else { None }
}

fn count_quotes(text: &str) -> usize {
    text.matches(['\'', '"']).count()
}

#[cfg(test)]
mod tests {
    use super::super::logical::Logical;
    use super::*;

    fn check(line: &str, expected: &[(&str, u32, bool, bool)]) {
        let mut logical = Logical::default();
        logical.push(line, 0);
        let operators = operators(logical.text());
        let found: Vec<_> = operators
            .iter()
            .map(|(operator, _)| {
                (
                    operator.name.as_str(),
                    operator.descriptor,
                    operator.expand,
                    operator.strip_tabs,
                )
            })
            .collect();
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn operators_of_a_line() {
        check("RUN <<EOF", &[("EOF", 0, true, false)]);
        check("RUN << EOF", &[("EOF", 0, true, false)]);
        check(
            "RUN cat <<-EOF 3<<\"X Y\" | sh",
            &[("EOF", 0, true, true), ("X Y", 3, false, false)],
        );
        check(
            "COPY <<'a' <<b /",
            &[("a", 0, false, false), ("b", 0, true, false)],
        );
        check("RUN <<E\"O\"F", &[("EOF", 0, false, false)]);
        check("RUN <<$X", &[("$X", 0, true, false)]);
        check("RUN cat <<<x", &[]);
        check("RUN echo a<<EOF", &[]);
        check("RUN echo '<<EOF'", &[]);
        check("RUN echo \\<<EOF", &[]);
        check("RUN echo \"<<EOF", &[]);
        check("RUN <<- EOF", &[]);
    }

    #[test]
    fn places_of_operators() {
        let mut logical = Logical::default();
        logical.push("COPY <<a  <<a /", 100);
        let operators = operators(logical.text());
        let starts: Vec<_> = operators.iter().map(|(_, text)| text.span().start).collect();
        assert_eq!(starts, [105, 110]);
    }
}
