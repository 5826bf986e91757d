//! Warnings as lines.

use wharf_graph::event::Warning;

/// `warning: line 3: message (Rule)`, as much of it as is known, and `hint: …` if there is something to do.
pub(crate) fn lines_of(warning: &Warning) -> impl Iterator<Item = String> {
    let line = warning.span.map(|span| format!("line {}: ", span.start_line));
    let code = warning.code.as_ref().map(|code| format!(" ({code})"));
    let first = format!(
        "warning: {}{}{}",
        line.unwrap_or_default(),
        warning.message,
        code.unwrap_or_default()
    );
    let hint = warning.hint.as_ref().map(|hint| format!("hint: {hint}"));
    std::iter::once(first).chain(hint)
}

#[cfg(test)]
mod tests {
    use wharf_graph::SourceSpan;

    use super::*;

    #[test]
    fn as_much_as_is_known() {
        let bare = Warning {
            code: None,
            message: "it is late".into(),
            hint: None,
            span: None,
        };
        let shown = |warning: &Warning| lines_of(warning).collect::<Vec<_>>();
        assert_eq!(shown(&bare), ["warning: it is late"]);
        let span = SourceSpan {
            start_line: 3,
            start_column: 1,
            end_line: 3,
            end_column: 9,
        };
        let whole = Warning {
            code: Some("Late".into()),
            hint: Some("go home".into()),
            span: Some(span),
            ..bare
        };
        assert_eq!(
            shown(&whole),
            ["warning: line 3: it is late (Late)", "hint: go home"]
        );
    }
}
