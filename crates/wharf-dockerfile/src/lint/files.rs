//! COPY and ADD: their words, and sources that the ignore file keeps out of the context.

use super::rules::RuleId;
use super::values::Walk;
use crate::ast::{FileTransfer, Instruction, InstructionKind};
use crate::expand::ExpandOptions;
use crate::patterns::clean;
use crate::source::Span;
use crate::word::Word;

impl Walk<'_> {
    pub(super) fn files(&mut self, at: &Instruction, files: &FileTransfer, from_context: bool) {
        self.values(at, files.chown.iter().chain(&files.chmod));
        let sources: Vec<_> = files
            .sources
            .iter()
            .filter_map(|word| Some((word.span, self.value(at, word)?)))
            .collect();
        self.value(at, &files.destination);
        for heredoc in files.heredocs.iter().filter(|heredoc| heredoc.expand) {
            let body = Word::new(heredoc.body, heredoc.text());
            self.value_with(at, &body, ExpandOptions::heredoc_body());
        }
        if from_context {
            for (span, source) in sources {
                self.ignored(at, span, &source);
            }
        }
    }

    /// A source that the ignore file keeps out of the context. With exceptions in that file nobody can tell.
    fn ignored(&mut self, at: &Instruction, span: Span, source: &str) {
        let Some(patterns) = self.options.ignored.filter(|patterns| !patterns.has_exceptions()) else {
            return;
        };
        let path = clean(source.as_bytes());
        let is_root = path == b"." || path == b"/";
        if is_remote(source) || (is_root && !patterns.has_everything()) || !patterns.matches(&path) {
            return;
        }
        let verb = if matches!(at.kind, InstructionKind::Add(_)) {
            "Add"
        } else {
            "Copy"
        };
        let path = String::from_utf8_lossy(&path);
        let message = format!("Attempting to {verb} file {path:?} that is excluded by .dockerignore");
        self.find(RuleId::CopyIgnoredFile, at, span, message);
    }
}

/// Whether ADD fetches a source from elsewhere.
fn is_remote(source: &str) -> bool {
    ["http://", "https://", "git://", "ssh://", "git@"]
        .iter()
        .any(|scheme| source.starts_with(scheme))
}
