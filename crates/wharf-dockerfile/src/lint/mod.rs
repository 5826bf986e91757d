//! The linter: the rules of BuildKit's `--check`, by the same names.
//!
//! Rules over the text need nothing else. Rules over values walk the stages as a build would, with the build arguments at
//! hand; what a base image brings in (variables, a shell, triggers) is asked of [`LintOptions::base`].

mod casing;
mod config;
mod definitions;
mod files;
mod from;
mod options;
mod report;
mod rules;
mod scope;
mod stage;
mod values;

pub use config::{CheckConfig, CheckConfigError};
pub use options::{BaseImage, LintOptions};
pub use report::{CheckError, Finding, LintReport, Problem};
pub use rules::{RULES, Rule, RuleId};
pub use scope::platform_arguments;

use crate::ast::Dockerfile;
use report::Reporter;

/// Checks a Dockerfile that parsed without errors. Findings come in the order of the text.
pub fn check(dockerfile: &Dockerfile, options: &LintOptions<'_>) -> LintReport {
    let mut reporter = Reporter::new(dockerfile, options);
    casing::check(dockerfile, &mut reporter);
    definitions::check(dockerfile, &mut reporter);
    let bases = from::check(dockerfile, options, &mut reporter);
    stage::check(dockerfile, options, &bases, &mut reporter);
    reporter.finish()
}
