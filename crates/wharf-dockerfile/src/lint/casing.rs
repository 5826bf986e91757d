//! Rules about how things are written: casing, stage names, empty lines, MAINTAINER.

use super::report::Reporter;
use super::rules::RuleId;
use crate::ast::{Dockerfile, FromInstruction, InstructionKind};
use crate::source::{Source, Span};
use crate::word::Word;

/// Names that mean something else where a stage name may stand.
const RESERVED: [&str; 2] = ["context", "scratch"];

pub(super) fn check(dockerfile: &Dockerfile, reporter: &mut Reporter) {
    empty_continuations(dockerfile, reporter);
    maintainers(dockerfile, reporter);
    for stage in &dockerfile.stages {
        stage_name_casing(&stage.from, reporter);
        from_as_casing(&stage.from, reporter);
    }
    stage_names(dockerfile, reporter);
    instruction_casing(dockerfile, reporter);
}

fn empty_continuations(dockerfile: &Dockerfile, reporter: &mut Reporter) {
    let source = &dockerfile.source;
    let froms = dockerfile
        .stages
        .iter()
        .map(|stage| (&stage.from.empty_continuations, stage.from.span));
    let others = dockerfile
        .instructions()
        .map(|instruction| (&instruction.empty_continuations, instruction.span));
    for (lines, instruction) in froms.chain(others) {
        if let Some(line) = lines.first() {
            let message = "Empty continuation line".to_owned();
            reporter.find(
                RuleId::NoEmptyContinuation,
                *line,
                last_line(source, instruction),
                message,
            );
        }
    }
}

/// The reference points at the last line of the instruction.
fn last_line(source: &Source, instruction: Span) -> Span {
    Span::empty(source.line_span(source.lines(instruction).1).start)
}

fn maintainers(dockerfile: &Dockerfile, reporter: &mut Reporter) {
    for instruction in dockerfile.instructions() {
        if let InstructionKind::Maintainer(_) = instruction.kind {
            let message = "Maintainer instruction is deprecated in favor of using label".to_owned();
            let span = instruction.keyword.span;
            let rule = RuleId::MaintainerDeprecated;
            reporter.find_unless_skipped(&instruction.comments, rule, span, instruction.span, message);
        }
    }
}

fn stage_name_casing(from: &FromInstruction, reporter: &mut Reporter) {
    let Some(name) = &from.name else { return };
    if name.written != name.name {
        let message = format!("Stage name '{}' should be lowercase", name.written);
        reporter.find_unless_skipped(
            &from.comments,
            RuleId::StageNameCasing,
            name.span,
            from.span,
            message,
        );
    }
}

/// `AS` in the case of `FROM`, if that has one.
fn from_as_casing(from: &FromInstruction, reporter: &mut Reporter) {
    let Some(keyword) = &from.as_keyword else { return };
    let (as_written, from_written) = (keyword.as_str(), from.keyword.as_str());
    let matches = match Casing::of(from_written) {
        Some(casing) => casing.fits(as_written),
        None => true,
    };
    if !matches {
        let message = format!("'{as_written}' and '{from_written}' keywords' casing do not match");
        reporter.find_unless_skipped(
            &from.comments,
            RuleId::FromAsCasing,
            keyword.span,
            from.span,
            message,
        );
    }
}

fn stage_names(dockerfile: &Dockerfile, reporter: &mut Reporter) {
    for stage in &dockerfile.stages {
        let Some(name) = &stage.from.name else { continue };
        let mut find = |rule, message| reporter.find(rule, name.span, stage.from.span, message);
        if RESERVED.contains(&name.name.as_str()) {
            let message = format!(
                "Stage name should not use the same name as reserved stage {:?}",
                name.name
            );
            find(RuleId::ReservedStageName, message);
        }
        let earlier = &dockerfile.stages[..stage.index];
        if earlier.iter().any(|earlier| earlier.name() == Some(&name.name)) {
            let message = format!(
                "Duplicate stage name {:?}, stage names should be unique",
                name.name
            );
            find(RuleId::DuplicateStageName, message);
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Casing {
    Lower,
    Upper,
}

impl Casing {
    /// The casing of a word that is all in one.
    fn of(word: &str) -> Option<Self> {
        [Self::Lower, Self::Upper]
            .into_iter()
            .find(|casing| casing.fits(word))
    }

    fn fits(self, word: &str) -> bool {
        match self {
            Self::Lower => word == word.to_lowercase(),
            Self::Upper => word == word.to_uppercase(),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Lower => "lowercase",
            Self::Upper => "uppercase",
        }
    }
}

/// The instructions of the stages in the casing that most of them have. Global ARGs are not asked.
fn instruction_casing(dockerfile: &Dockerfile, reporter: &mut Reporter) {
    let keywords: Vec<(&Word, Span)> = dockerfile
        .stages
        .iter()
        .flat_map(|stage| {
            let from = std::iter::once((&stage.from.keyword, stage.from.span));
            from.chain(
                stage
                    .instructions
                    .iter()
                    .map(|instruction| (&instruction.keyword, instruction.span)),
            )
        })
        .collect();
    let count = |casing| {
        keywords
            .iter()
            .filter(|(word, _)| Casing::of(word.as_str()) == Some(casing))
            .count()
    };
    let majority = if count(Casing::Lower) > count(Casing::Upper) {
        Casing::Lower
    } else {
        Casing::Upper
    };
    for (keyword, instruction) in keywords {
        if !majority.fits(keyword.as_str()) {
            let message = format!(
                "Command '{}' should match the case of the command majority ({})",
                keyword.raw,
                majority.name()
            );
            reporter.find(
                RuleId::ConsistentInstructionCasing,
                keyword.span,
                instruction,
                message,
            );
        }
    }
}
