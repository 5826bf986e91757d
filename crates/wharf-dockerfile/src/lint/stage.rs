//! The walk over the stages: what each stands on, and what its instructions make of that.

use std::collections::BTreeSet;

use super::from::{Base, Bases};
use super::options::{BaseImage, LintOptions};
use super::report::{CheckError, Reporter};
use super::rules::RuleId;
use super::scope::Scope;
use super::values::Walk;
use crate::ast::{Dockerfile, Instruction, InstructionKind, Stage};
use crate::parser::parse_trigger;

/// What every image without a PATH of its own gets.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a stage hands on to stages that stand on it.
#[derive(Clone, Debug, Default)]
pub(super) struct StageState {
    pub(super) scope: Scope,
    /// Whether all variables are known: those of an image that nobody looked into are not.
    pub(super) is_known: bool,
    pub(super) has_shell: bool,
    /// Whether a WORKDIR was set in this file.
    pub(super) has_workdir: bool,
    /// Triggers for the next stage.
    onbuild: Vec<String>,
}

pub(super) fn check(
    dockerfile: &Dockerfile,
    options: &LintOptions<'_>,
    bases: &Bases,
    reporter: &mut Reporter,
) {
    let reachable = reachable(dockerfile, options, bases);
    let mut states: Vec<StageState> = Vec::new();
    for (stage, base) in dockerfile.stages.iter().zip(&bases.stages) {
        let state = match base {
            Some(base) if reachable.contains(&stage.index) => {
                let state = initial(dockerfile, options, stage, base, &states, reporter);
                walk(dockerfile, options, bases, stage, state, reporter)
            }
            _ => StageState::default(),
        };
        states.push(state);
    }
}

/// The state before the first instruction.
fn initial(
    dockerfile: &Dockerfile,
    options: &LintOptions<'_>,
    stage: &Stage,
    base: &Base,
    states: &[StageState],
    reporter: &mut Reporter,
) -> StageState {
    let mut state = match dockerfile.stage_of_base(&base.name, stage.index) {
        Some(parent) => states.get(parent.index).cloned().unwrap_or_default(),
        None if base.name == "scratch" => StageState {
            is_known: true,
            ..StageState::default()
        },
        None => of_image(options, stage, base, reporter),
    };
    if state.scope.get("PATH").is_none() {
        state.scope.set("PATH", DEFAULT_PATH.to_owned());
    }
    state
}

fn of_image(options: &LintOptions<'_>, stage: &Stage, base: &Base, reporter: &mut Reporter) -> StageState {
    let wanted = base.platform.as_ref().unwrap_or(&options.target_platform);
    let Some(BaseImage {
        env,
        has_shell,
        onbuild,
        platform,
    }) = (options.base)(&base.name, wanted)
    else {
        return StageState::default();
    };
    if let Some(actual) = platform
        && (actual.os != wanted.os || actual.architecture != wanted.architecture)
    {
        let actual = actual.to_string();
        let wanted = wanted.to_string();
        let name = &base.name;
        let message = format!(
            "Base image {name} was pulled with platform {actual:?}, expected {wanted:?} for current build"
        );
        let from = &stage.from;
        reporter.find(
            RuleId::InvalidBaseImagePlatform,
            from.base.span,
            from.span,
            message,
        );
    }
    let mut scope = Scope::default();
    for (name, value) in env {
        scope.set(&name, value);
    }
    StageState {
        scope,
        is_known: true,
        has_shell,
        has_workdir: false,
        onbuild,
    }
}

/// Goes through a stage: first the triggers of its base, then its own instructions.
fn walk(
    dockerfile: &Dockerfile,
    options: &LintOptions<'_>,
    bases: &Bases,
    stage: &Stage,
    mut state: StageState,
    reporter: &mut Reporter,
) -> StageState {
    let triggers = triggers(&std::mem::take(&mut state.onbuild), stage, reporter);
    let mut walk = Walk::new(dockerfile, options, &bases.globals, state, reporter);
    for trigger in &triggers {
        walk.trigger(trigger, stage.from.span);
    }
    for instruction in &stage.instructions {
        walk.instruction(instruction);
    }
    let mut state = walk.finish();
    state.onbuild = stage.instructions.iter().filter_map(expression).collect();
    state
}

fn triggers(expressions: &[String], stage: &Stage, reporter: &mut Reporter) -> Vec<Instruction> {
    let mut triggers = Vec::new();
    for expression in expressions {
        match parse_trigger(expression) {
            Ok(trigger) => triggers.push(trigger),
            Err(errors) => reporter.problem(stage.from.span, CheckError::trigger(&errors)),
        }
    }
    triggers
}

fn expression(instruction: &Instruction) -> Option<String> {
    match &instruction.kind {
        InstructionKind::Onbuild(onbuild) => Some(onbuild.expression.clone()),
        _ => None,
    }
}

/// The stages that the target needs; all without a target.
fn reachable(dockerfile: &Dockerfile, options: &LintOptions<'_>, bases: &Bases) -> BTreeSet<usize> {
    let Some(target) = options.target else {
        return (0..dockerfile.stages.len()).collect();
    };
    let mut reached = BTreeSet::new();
    let mut open = vec![target];
    while let Some(index) = open.pop() {
        if let Some(stage) = dockerfile.stages.get(index)
            && reached.insert(index)
        {
            open.extend(needs(dockerfile, bases, stage));
        }
    }
    reached
}

/// The stages that a stage stands on, copies from or mounts.
fn needs(dockerfile: &Dockerfile, bases: &Bases, stage: &Stage) -> Vec<usize> {
    let base = bases.stages[stage.index].as_ref();
    let base = base.and_then(|base| dockerfile.stage_of_base(&base.name, stage.index));
    let mut names = Vec::new();
    for instruction in &stage.instructions {
        match &instruction.kind {
            InstructionKind::Copy(copy) => names.extend(copy.from.as_ref()),
            InstructionKind::Run(run) => names.extend(run.mounts.iter().filter_map(|mount| mount.from())),
            _ => {}
        }
    }
    let named = names
        .into_iter()
        .filter_map(|name| match name.raw.parse::<usize>() {
            Ok(index) => dockerfile.stages.get(index),
            Err(_) => dockerfile.stage_named(name.as_str()),
        });
    base.into_iter().chain(named).map(|stage| stage.index).collect()
}
