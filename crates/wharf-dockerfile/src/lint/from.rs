//! Rules about FROM: its base and platform, with the global arguments.

use std::collections::BTreeMap;

use wharf_oci::{Platform, Reference};

use super::options::LintOptions;
use super::report::{CheckError, Reporter};
use super::rules::RuleId;
use super::scope::{Scope, platform_arguments};
use crate::ast::{Dockerfile, FromInstruction};
use crate::expand::{ExpandError, ExpandOptions, Expansion, expand_with};
use crate::suggest::{Case, nearest};
use crate::word::Word;

/// What the FROMs of a file come to.
pub(super) struct Bases {
    /// The global arguments.
    pub(super) globals: Scope,
    /// By stage: what it stands on. `None` when that could not be found out.
    pub(super) stages: Vec<Option<Base>>,
}

/// What a stage stands on.
pub(super) struct Base {
    /// The expanded name.
    pub(super) name: String,
    /// The platform that FROM asks for.
    pub(super) platform: Option<Platform>,
}

pub(super) fn check(dockerfile: &Dockerfile, options: &LintOptions<'_>, reporter: &mut Reporter) -> Bases {
    invalid_defaults(dockerfile, options, reporter);
    let globals = match global_scope(dockerfile, options, &options.build_args) {
        Ok(globals) => globals,
        Err((word, error)) => {
            reporter.problem(word.span, error);
            Scope::default()
        }
    };
    let stages = dockerfile.stages.iter();
    let stages = stages
        .map(|stage| base(&stage.from, &globals, dockerfile.escape(), reporter))
        .collect();
    Bases { globals, stages }
}

/// The global scope with these build arguments.
fn global_scope<'a>(
    dockerfile: &'a Dockerfile,
    options: &LintOptions<'_>,
    build_args: &BTreeMap<String, String>,
) -> Result<Scope, (&'a Word, ExpandError)> {
    let mut scope = Scope::default();
    let target = match options.target {
        Some(index) => dockerfile.stages.get(index),
        None => dockerfile.stages.last(),
    };
    let target = target.and_then(|stage| stage.name()).unwrap_or_default();
    for (name, value) in platform_arguments(&options.build_platform, &options.target_platform, target) {
        scope.set(name, options.build_args.get(name).cloned().unwrap_or(value));
    }
    let expansion = ExpandOptions::new(dockerfile.escape());
    for argument in dockerfile.global_args() {
        let name = argument.name.as_str();
        scope.declare(name);
        let value = match (build_args.get(name), &argument.value) {
            (Some(given), _) => Some(given.clone()),
            (None, Some(default)) => {
                let value = expand_with(default.as_str(), &|name| scope.get(name), expansion);
                Some(value.map_err(|error| (default, error))?.text)
            }
            (None, None) => None,
        };
        if let Some(value) = value {
            scope.set(name, value);
        }
    }
    Ok(scope)
}

/// With no build argument given, every base must still have a name.
fn invalid_defaults(dockerfile: &Dockerfile, options: &LintOptions<'_>, reporter: &mut Reporter) {
    let Ok(scope) = global_scope(dockerfile, options, &BTreeMap::new()) else {
        return;
    };
    for stage in &dockerfile.stages {
        let base = &stage.from.base;
        let Ok(expansion) = expand_in(base, &scope, dockerfile.escape()) else {
            return;
        };
        if expansion.text.parse::<Reference>().is_err() {
            let message = format!(
                "Default value for ARG {} results in empty or invalid base image name",
                base.raw
            );
            reporter.find(
                RuleId::InvalidDefaultArgInFrom,
                base.span,
                stage.from.span,
                message,
            );
        }
    }
}

fn base(from: &FromInstruction, globals: &Scope, escape: char, reporter: &mut Reporter) -> Option<Base> {
    let name = expand_in(&from.base, globals, escape)
        .map_err(|error| reporter.problem(from.base.span, error))
        .ok()?;
    undeclared(from, &from.base, &name, globals, reporter);
    if name.text.is_empty() {
        reporter.problem(from.base.span, CheckError::BlankBase(from.base.raw.clone()));
        return None;
    }
    let platform = match &from.platform {
        Some(word) => Some(platform(from, word, globals, escape, reporter)?),
        None => None,
    };
    Some(Base {
        name: name.text,
        platform,
    })
}

fn platform(
    from: &FromInstruction,
    word: &Word,
    globals: &Scope,
    escape: char,
    reporter: &mut Reporter,
) -> Option<Platform> {
    let value = expand_in(word, globals, escape)
        .map_err(|error| reporter.problem(word.span, error))
        .ok()?;
    undeclared(from, word, &value, globals, reporter);
    redundant_platform(from, word, &value, globals, reporter);
    if value.text.is_empty() {
        reporter.problem(word.span, CheckError::BlankPlatform(word.raw.clone()));
        return None;
    }
    let platform = value
        .text
        .parse::<Platform>()
        .map_err(|error| reporter.problem(word.span, error))
        .ok()?;
    constant_platform(from, word, &value, &platform, reporter);
    Some(platform)
}

fn expand_in(word: &Word, scope: &Scope, escape: char) -> Result<Expansion, ExpandError> {
    expand_with(word.as_str(), &|name| scope.get(name), ExpandOptions::new(escape))
}

fn undeclared(
    from: &FromInstruction,
    word: &Word,
    expansion: &Expansion,
    globals: &Scope,
    reporter: &mut Reporter,
) {
    for name in expansion
        .variables
        .unset
        .iter()
        .filter(|name| !globals.knows(name))
    {
        let known = globals.declared().chain(globals.names());
        let suggestion = nearest(name, known, Case::Significant)
            .map(|name| format!(" (did you mean {name}?)"))
            .unwrap_or_default();
        let message = format!("FROM argument '{name}' is not declared{suggestion}");
        let rule = RuleId::UndefinedArgInFrom;
        reporter.find_unless_skipped(&from.comments, rule, word.span, from.span, message);
    }
}

/// `--platform=$TARGETPLATFORM` is what happens anyway.
fn redundant_platform(
    from: &FromInstruction,
    word: &Word,
    value: &Expansion,
    globals: &Scope,
    reporter: &mut Reporter,
) {
    let names = &value.variables;
    let only = names.unset.is_empty() && names.set.len() == 1 && names.set.contains("TARGETPLATFORM");
    if only && globals.get("TARGETPLATFORM").as_ref() == Some(&value.text) {
        let message = format!(
            "Setting platform to predefined {} in FROM is redundant as this is the default behavior",
            word.raw
        );
        let rule = RuleId::RedundantTargetPlatform;
        reporter.find_unless_skipped(&from.comments, rule, word.span, from.span, message);
    }
}

/// A constant platform is fine where the stage's name says so.
fn constant_platform(
    from: &FromInstruction,
    word: &Word,
    value: &Expansion,
    platform: &Platform,
    reporter: &mut Reporter,
) {
    let constant = value.variables.set.is_empty() && value.variables.unset.is_empty();
    let name = from
        .name
        .as_ref()
        .map(|name| name.name.as_str())
        .unwrap_or_default();
    if constant && !name.contains(&platform.os) && !name.contains(&platform.architecture) {
        let message = format!(
            "FROM --platform flag should not use constant value {:?}",
            value.text
        );
        let rule = RuleId::FromPlatformFlagConstDisallowed;
        reporter.find_unless_skipped(&from.comments, rule, word.span, from.span, message);
    }
}
