//! Warnings as lines.

use wharf_graph::event::Warning;

/// `warning: line 3: message (Rule)`: as much of it as is known.
pub(super) fn shown_warning(warning: &Warning) -> String {
    let line = warning.span.map(|span| format!("line {}: ", span.start_line));
    let code = warning.code.as_ref().map(|code| format!(" ({code})"));
    format!(
        "warning: {}{}{}",
        line.unwrap_or_default(),
        warning.message,
        code.unwrap_or_default()
    )
}
