//! The rule about comments that should describe a stage or an argument.

use super::report::Reporter;
use super::rules::RuleId;
use crate::ast::{Comment, Dockerfile, InstructionKind};
use crate::source::Span;

pub(super) fn check(dockerfile: &Dockerfile, reporter: &mut Reporter) {
    for stage in &dockerfile.stages {
        if let Some(name) = stage.name() {
            description("FROM", &[name], &stage.from.comments, stage.from.span, reporter);
        }
    }
    for instruction in dockerfile.instructions() {
        if let InstructionKind::Arg(declarations) = &instruction.kind {
            let names: Vec<_> = declarations
                .iter()
                .map(|declaration| declaration.name.as_str())
                .collect();
            description("ARG", &names, &instruction.comments, instruction.span, reporter);
        }
    }
}

/// The last comment line above must begin with (one of) the names.
fn description(keyword: &str, names: &[&str], comments: &[Comment], span: Span, reporter: &mut Reporter) {
    let (Some(comment), Some(first)) = (comments.last(), names.first()) else {
        return;
    };
    let begins_with = comment.text.split(' ').next().unwrap_or_default();
    if names.contains(&begins_with) {
        return;
    }
    let example = if names.len() > 1 { "<arg_key>" } else { first };
    let message = format!("Comment for {keyword} should follow the format: `# {example} <description>`");
    let rule = RuleId::InvalidDefinitionDescription;
    reporter.find_unless_skipped(comments, rule, comment.span, span, message);
}
