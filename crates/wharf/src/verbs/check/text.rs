//! What was found, for people: each finding with its place.

use std::fmt::Write as _;

use wharf_build::check::Checked;
use wharf_dockerfile::Span;

/// Everything about one Dockerfile, and how much that was.
pub(super) fn of(checked: &Checked) -> String {
    let mut text = String::new();
    for fault in &checked.errors {
        let _ = writeln!(text, "error: {}", fault.message);
        if let Some(span) = fault.span {
            let _ = writeln!(text, "{}", place(checked, span));
        }
        if let Some(hint) = &fault.hint {
            let _ = writeln!(text, "hint: {hint}");
        }
        text.push('\n');
    }
    for finding in &checked.report.findings {
        let rule = finding.rule;
        let _ = writeln!(
            text,
            "{}: {}\n{}\n{}\n",
            rule.name,
            finding.message,
            rule.description,
            place(checked, finding.span)
        );
    }
    let warnings = checked.report.findings.len();
    let _ = match (checked.errors.len(), warnings) {
        (0, 0) => writeln!(text, "{}: no warnings found", checked.name),
        (0, _) => writeln!(text, "{}: {} found", checked.name, count(warnings, "warning")),
        (errors, _) => writeln!(
            text,
            "{}: {} and {} found",
            checked.name,
            count(errors, "error"),
            count(warnings, "warning")
        ),
    };
    text
}

fn count(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        number => format!("{number} {what}s"),
    }
}

fn place(checked: &Checked, span: Span) -> String {
    let source = &checked.dockerfile.source;
    let at = source.position(span.start);
    let excerpt = wharf_dockerfile::excerpt(source, span);
    format!(
        "{}:{}:{}\n{}",
        checked.name,
        at.line,
        at.column,
        excerpt.trim_end()
    )
}
