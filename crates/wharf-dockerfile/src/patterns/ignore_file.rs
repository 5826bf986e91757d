//! The file `.dockerignore` (or `<Dockerfile>.dockerignore`).

use super::clean::clean;
use super::matcher::{PatternError, PatternMatcher};

/// A line of an ignore file that is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {error}")]
pub struct IgnoreFileError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub error: PatternError,
}

/// Reads an ignore file: what is to stay out of the context.
pub fn parse_ignore_file(text: &[u8]) -> Result<PatternMatcher, IgnoreFileError> {
    let mut patterns = Vec::new();
    for (line, pattern) in numbered_patterns(text) {
        // One by one first, so that the line of a wrong one is known.
        PatternMatcher::new([&pattern]).map_err(|error| IgnoreFileError { line, error })?;
        patterns.push(pattern);
    }
    PatternMatcher::new(patterns).map_err(|error| IgnoreFileError { line: 0, error })
}

/// The patterns of an ignore file in order: comments and empty lines left out, paths cleaned, relative to the context.
pub fn ignore_patterns(text: &[u8]) -> Vec<Vec<u8>> {
    numbered_patterns(text).map(|(_, pattern)| pattern).collect()
}

fn numbered_patterns(text: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let lines = text.split(|&byte| byte == b'\n').enumerate();
    lines.filter_map(|(index, line)| Some((index + 1, pattern_of(line)?)))
}

/// The pattern of a line. Only a `#` in the very first column makes a comment.
fn pattern_of(line: &[u8]) -> Option<Vec<u8>> {
    let pattern = line.trim_ascii();
    if line.starts_with(b"#") || pattern.is_empty() {
        return None;
    }
    Some(match pattern.strip_prefix(b"!") {
        Some(exception) => [b"!", relative(exception.trim_ascii()).as_slice()].concat(),
        None => relative(pattern),
    })
}

fn relative(pattern: &[u8]) -> Vec<u8> {
    if pattern.is_empty() {
        return Vec::new();
    }
    let pattern = clean(pattern);
    match pattern.strip_prefix(b"/") {
        Some(rest) if !rest.is_empty() => rest.to_vec(),
        _ => pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_to_patterns() {
        let text = b"\xef\xbb\xbf# comment\n\n  test1  \r\n/test2\n/a/file/here/\n #not a comment\n! test3 \n!/x/../y\n/\n.";
        let patterns = ignore_patterns(text);
        let shown: Vec<_> = patterns
            .iter()
            .map(|pattern| String::from_utf8_lossy(pattern))
            .collect();
        assert_eq!(
            shown,
            [
                "test1",
                "test2",
                "a/file/here",
                "#not a comment",
                "!test3",
                "!y",
                "/",
                "."
            ]
        );
    }

    #[test]
    fn a_wrong_line_is_named() {
        let error = parse_ignore_file(b"ok\n\n[x\n").unwrap_err();
        assert_eq!(error.to_string(), "line 3: syntax error in pattern \"[x\"");
        assert_eq!(parse_ignore_file(b"!").unwrap_err().line, 1);
    }
}
