//! Errors as people read them: the lines of the Dockerfile, with carets under them. Plain text; the binary prints it.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthChar as _;

use crate::diagnostic::Diagnostic;
use crate::source::{Source, Span};

/// A longer line is cut around the caret: about two lines of a common terminal.
const MAX_WIDTH: usize = 160;
/// What stays visible before the caret when a line is cut.
const CONTEXT_WIDTH: usize = 40;
const TAB: &str = "    ";
/// How many lines of a span are shown before its last one.
const MAX_LINES: usize = 8;

/// An error with its place: `name:line:column: message`, the excerpt, suggestion and hint.
pub fn render(name: &str, source: &Source, diagnostic: &Diagnostic) -> String {
    let position = source.position(diagnostic.span.start);
    let mut text = format!(
        "{name}:{}:{}: {}\n",
        position.line, position.column, diagnostic.error
    );
    text.push_str(&excerpt(source, diagnostic.span));
    let margin = " ".repeat(margin_width(position.line));
    if let Some(suggestion) = &diagnostic.suggestion {
        let _ = writeln!(text, "{margin} = did you mean {suggestion}?");
    }
    if let Some(hint) = &diagnostic.hint {
        let _ = writeln!(text, "{margin} = hint: {hint}");
    }
    text
}

/// The lines of a span, carets under what of the span stands on each. Of a long span the middle is left out.
pub fn excerpt(source: &Source, span: Span) -> String {
    let (first, last) = source.lines(span);
    let margin = " ".repeat(margin_width(last));
    let shown = first + MAX_LINES;
    let mut text = format!("{margin} |\n");
    for line in (first..=last).filter(|line| *line < shown || *line == last) {
        if line == last && line > shown {
            let _ = writeln!(text, "{margin} | …");
        }
        text.push_str(&marked_line(source, span, line, &margin));
    }
    text
}

/// One line and the carets under it; a line on which nothing of the span stands has none.
fn marked_line(source: &Source, span: Span, line: usize, margin: &str) -> String {
    let text = source.line(line);
    let line_start = source.line_span(line).start;
    let start = span.start.saturating_sub(line_start).min(text.len());
    let end = span.end.saturating_sub(line_start).clamp(start, text.len());
    let (start, end) = if span.start < line_start {
        unindented(text, end)
    } else {
        (start, end)
    };
    let shown = Shown::new(text, start, end);
    let mut lines = format!("{line:>width$} | {}\n", shown.text, width = margin.len());
    if shown.marked > 0 || span.start >= line_start {
        let (space, carets) = (" ".repeat(shown.before), "^".repeat(shown.marked.max(1)));
        let _ = writeln!(lines, "{margin} | {space}{carets}");
    }
    lines
}

/// The part of a line up to `end` without the blanks before it.
fn unindented(text: &str, end: usize) -> (usize, usize) {
    let marked = &text[..end];
    (end - marked.trim_start().len(), end)
}

fn margin_width(line: usize) -> usize {
    line.to_string().len().max(2)
}

/// A line made fit for a terminal.
struct Shown {
    text: String,
    /// Cells before the marked part.
    before: usize,
    /// Cells of the marked part.
    marked: usize,
}

impl Shown {
    fn new(line: &str, start: usize, end: usize) -> Self {
        let (left, marked, right) = (&line[..start], &line[start..end], &line[end..]);
        let (left, marked, right) = (printable(left), printable(marked), printable(right));
        if width(&left) + width(&marked) + width(&right) <= MAX_WIDTH {
            return Self {
                before: width(&left),
                marked: width(&marked),
                text: format!("{left}{marked}{right}"),
            };
        }
        let left = keep_end(&left, CONTEXT_WIDTH);
        let marked = keep_start(&marked, MAX_WIDTH - width(&left));
        let right = keep_start(
            &right,
            MAX_WIDTH - width(&left) - width(&marked).min(MAX_WIDTH - width(&left)),
        );
        Self {
            before: width(&left),
            marked: width(&marked),
            text: format!("{left}{marked}{right}"),
        }
    }
}

/// Tabs as spaces, and nothing that a terminal obeys.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => TAB.to_owned(),
            c if c.is_control() => char::REPLACEMENT_CHARACTER.to_string(),
            c => c.to_string(),
        })
        .collect()
}

/// The width in terminal cells.
fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

fn keep_start(text: &str, cells: usize) -> String {
    if width(text) <= cells {
        return text.to_owned();
    }
    let kept: String = text.chars().take(cells.saturating_sub(1)).collect();
    format!("{kept}…")
}

fn keep_end(text: &str, cells: usize) -> String {
    if width(text) <= cells {
        return text.to_owned();
    }
    let skipped = text.chars().count().saturating_sub(cells.saturating_sub(1));
    let kept: String = text.chars().skip(skipped).collect();
    format!("…{kept}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_with_carets() {
        let source = Source::new("FROM a\n\tRUN 한국 --mout=x \x1b[31m\n");
        let start = source.text().find("--mout").unwrap();
        insta::assert_snapshot!(excerpt(&source, Span::new(start, start + 6)), @r"
           |
         2 |     RUN 한국 --mout=x �[31m
           |              ^^^^^^
        ");
        insta::assert_snapshot!(excerpt(&source, Span::empty(6)), @r"
           |
         1 | FROM a
           |       ^
        ");
    }

    #[test]
    fn every_line_of_an_instruction_is_marked() {
        let source = Source::new("FROM a\nRUN one && \\\n\n    two <<E\n  body\nE\nRUN b\n");
        let end = source.text().find("RUN b").unwrap();
        insta::assert_snapshot!(excerpt(&source, Span::new(7, end)), @r"
           |
         2 | RUN one && \
           | ^^^^^^^^^^^^
         3 | 
         4 |     two <<E
           |     ^^^^^^^
         5 |   body
           |   ^^^^
         6 | E
           | ^
        ");
    }

    #[test]
    fn the_middle_of_a_long_instruction_is_left_out() {
        let text = format!("RUN <<E\n{}E\n", "line\n".repeat(100));
        let shown = excerpt(&Source::new(&text[..]), Span::new(0, text.len()));
        assert_eq!(shown.lines().count(), 1 + 8 * 2 + 1 + 2, "{shown}");
        assert!(shown.ends_with("    | …\n102 | E\n    | ^\n"), "{shown}");
    }

    #[test]
    fn long_lines_are_cut() {
        let source = Source::new(format!("RUN {} bad {}", "x".repeat(500), "y".repeat(500)));
        let start = source.text().find("bad").unwrap();
        let text = excerpt(&source, Span::new(start, start + 3));
        let lines: Vec<_> = text.lines().collect();
        assert!(width(lines[1]) <= MAX_WIDTH + 6, "{text}");
        assert_eq!(
            lines[2].find('^'),
            lines[1].find("bad").map(|at| at - "…".len() + 1),
            "{text}"
        );
    }

    #[test]
    fn a_diagnostic_in_full() {
        let parse = crate::parse("FROM scratch\nCOYP a b\n");
        let shown = render("Dockerfile", &parse.dockerfile.source, &parse.errors[0]);
        insta::assert_snapshot!(shown, @r"
        Dockerfile:2:1: unknown instruction: COYP
           |
         2 | COYP a b
           | ^^^^
           = did you mean COPY?
        ");
    }
}
