//! What a check found.

use wharf_oci::ParsePlatformError;

use super::config::{CheckConfig, CheckConfigError};
use super::options::LintOptions;
use super::rules::{Rule, RuleId};
use crate::ast::{Comment, Dockerfile, MountError};
use crate::diagnostic::Diagnostic;
use crate::expand::ExpandError;
use crate::ports::PortError;
use crate::source::Span;

/// One thing that a rule does not like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: &'static Rule,
    /// What it does not like.
    pub message: String,
    /// The words it is about.
    pub span: Span,
    /// The instruction that they stand in: the reference reports its lines.
    pub instruction: Span,
}

/// Something that would fail the build, found on the way: it depends on values, so the parser could not see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub span: Span,
    /// What.
    pub error: CheckError,
}

/// Why a build would fail.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum CheckError {
    #[error(transparent)]
    Config(#[from] CheckConfigError),
    #[error(transparent)]
    Expand(#[from] ExpandError),
    #[error(transparent)]
    Mount(#[from] MountError),
    #[error(transparent)]
    Port(#[from] PortError),
    #[error(transparent)]
    Platform(#[from] ParsePlatformError),
    #[error("base name ({0}) should not be blank")]
    BlankBase(String),
    #[error("empty platform value from expression {0}")]
    BlankPlatform(String),
    #[error("ONBUILD trigger of the base: {0}")]
    Trigger(String),
}

impl CheckError {
    /// A trigger that does not parse.
    pub(super) fn trigger(errors: &[Diagnostic]) -> Self {
        Self::Trigger(
            errors
                .first()
                .map(|error| error.error.to_string())
                .unwrap_or_default(),
        )
    }
}

/// All that a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LintReport {
    /// What rules do not like, in the order of the text.
    pub findings: Vec<Finding>,
    /// What would fail the build, likewise.
    pub problems: Vec<Problem>,
    /// Whether findings are errors.
    pub findings_are_errors: bool,
}

/// Collects findings of the rules that count.
pub(super) struct Reporter {
    config: CheckConfig,
    report: LintReport,
}

impl Reporter {
    pub(super) fn new(dockerfile: &Dockerfile, options: &LintOptions<'_>) -> Self {
        let mut report = LintReport::default();
        let config = options
            .config
            .clone()
            .map_or_else(|| CheckConfig::of(dockerfile), Ok);
        let config = config.unwrap_or_else(|error| {
            let directive = dockerfile.directives.check.as_ref();
            let span = directive.map_or(Span::default(), |directive| directive.value.span);
            report.problems.push(Problem {
                span,
                error: error.into(),
            });
            CheckConfig::default()
        });
        report.findings_are_errors = config.error;
        Self { config, report }
    }

    /// Adds a finding of a rule that counts for the whole file.
    pub(super) fn find(&mut self, rule: RuleId, span: Span, instruction: Span, message: String) {
        let rule = rule.rule();
        if self.config.allows(rule) {
            self.report.findings.push(Finding {
                rule,
                message,
                span,
                instruction,
            });
        }
    }

    /// Adds a finding of a rule that the comments above the instruction may skip.
    pub(super) fn find_unless_skipped(
        &mut self,
        comments: &[Comment],
        rule: RuleId,
        span: Span,
        instruction: Span,
        message: String,
    ) {
        if self.config.with_comments(comments).allows(rule.rule()) {
            self.report.findings.push(Finding {
                rule: rule.rule(),
                message,
                span,
                instruction,
            });
        }
    }

    pub(super) fn problem(&mut self, span: Span, error: impl Into<CheckError>) {
        self.report.problems.push(Problem {
            span,
            error: error.into(),
        });
    }

    pub(super) fn finish(mut self) -> LintReport {
        self.report
            .findings
            .sort_by_key(|finding| (finding.span, finding.rule.id));
        self.report.problems.sort_by_key(|problem| problem.span);
        self.report
    }
}
